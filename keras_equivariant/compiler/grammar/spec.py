"""A spec with all its parameters filled in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import yaml

from keras_equivariant.compiler.grammar import source as sources
from keras_equivariant.compiler.grammar.expand import expand
from keras_equivariant.compiler.grammar.expressions import resolve
from keras_equivariant.compiler.grammar.extends import extended
from keras_equivariant.compiler.grammar.limits import MAX_NAME, MAX_SIZE
from keras_equivariant.compiler.grammar.nodes import kind_of, whole
from keras_equivariant.compiler.grammar.parameters import declared, spec_parameters
from keras_equivariant.compiler.grammar.recipe import read_recipe
from keras_equivariant.utils.text import shown

VERSION = 1
KEYS = (
    *("spec", "extends", "name", "description", "law", "params", "input", "defaults", "blocks", "layers", "training"),
)
INPUT_KEYS = ("shape", "dtype", "name", "space", "type", "periodic")
LAWS = ("invariance", "equivariance")
DTYPES = ("float16", "bfloat16", "float32", "float64", "uint8")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):  # specs have none
        return True

    def represent_text(self, text):  # PyYAML folds some line breaks of Unicode to spaces, where it writes them as such
        plain = text.replace("\n", "").isprintable()
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _Dumper.represent_text)


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a spec was loaded from, to load it again with other parameters: the source, the parameters, its place."""

    source: Any
    params: dict
    where: Any


@dataclasses.dataclass(frozen=True)
class Spec:
    """A network's description, ready to build: blocks and repeats unrolled, expressions computed.

    Attributes:
        name: the model's name.
        description: one line, or "".
        law: what the network's answer is meant to do when the input rotates: stay as it is, `"invariance"`, or rotate
            with it, `"equivariance"`. The linter warns of an answer that rotates only in the first case.
        params: dict of the parameters' values.
        input: dict with the `shape` of one example as a tuple (None where unknown), and `dtype` and `name` if given;
            with `space: d` the example is points, `shape` their number and the channels of their values, and the model
            takes `positions` of d coordinates, `values` and `mask`; with `periodic: true` positions have the lattice
            vectors of their cell behind their coordinates.
        layers: tuple of `network.LayerEntry` and `network.Branches`.
        training: dict, the recipe (see `recipe.py`).
        source: name of the file it was read from.
        origin: an `Origin`, or None.
    """

    name: str
    description: str
    params: dict
    input: dict
    layers: tuple
    training: dict
    source: str
    law: str = "invariance"
    origin: Origin | None = dataclasses.field(default=None, compare=False, repr=False)

    @property
    def input_shape(self):
        """Shape of one example, without the batch axis."""
        return self.input["shape"]

    @property
    def digest(self) -> str:
        """The first 16 digits of the SHA-256 of input, layers and recipe: the same for the same network, however the
        spec is written."""
        content = {key: value for key, value in self.to_dict().items() if key in ("input", "layers", "training", "law")}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The spec as a dict without parameters, blocks or repeats; `load_spec` reads it back."""
        described = {"description": self.description} if self.description else {}
        return {
            "spec": VERSION,
            "name": self.name,
            **described,
            **({"law": self.law} if self.law != "invariance" else {}),
            "input": {**self.input, "shape": list(self.input_shape)},
            "layers": [entry.to_dict() for entry in self.layers],
            **({"training": self.training} if self.training else {}),
        }

    def to_yaml(self) -> str:
        """`to_dict()` as text, with the parameters' values in a comment; `load_spec` reads it back."""
        values = "".join(f"# {name}: {_on_a_line(value)}\n" for name, value in self.params.items())
        return values + yaml.dump(self.to_dict(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _on_a_line(value):
    """A value as a comment holds it: line breaks, and what YAML does not take, are written as escapes."""
    text = str(value)
    return text if text.isprintable() else json.dumps(text)


def load_spec(source: str | os.PathLike[str] | Mapping[str, Any], /, **params: Any) -> Spec:
    """Reads a spec and fills in its parameters; builds nothing.

    Args:
        source: path of a YAML file, the name of a packaged spec (see `list_specs()`), or a dict.
        **params: values of the spec's parameters, instead of their defaults.

    Returns:
        A `Spec`.

    Raises:
        SpecError: a mistake in the spec or the parameters, in one line: file, line, place, what is wrong, and the
            nearest right name.

    Example:
        >>> import keras_equivariant as ke
        >>> ke.load_spec("p4_cnn", classes=4).params["classes"]
        4
    """
    root = extended(sources.read(source))
    found = root.mapping("a spec", KEYS, ("spec", "name", "input", "layers"))
    version = found["spec"].value
    if version != VERSION or isinstance(version, bool):
        raise found["spec"].error(f"this version reads spec: {VERSION}. Received: {found['spec'].kind}")
    declared_params = found.get("params")
    place = declared_params.where if declared_params else root.where.key("params")
    values = spec_parameters(declared(declared_params, "`params`"), params, place)
    layers = expand(found["layers"], found.get("blocks"), found.get("defaults"), values)
    if not layers:
        raise found["layers"].error("a network needs at least one layer")
    return Spec(
        name=_name(found["name"], values),
        description=_description(found.get("description")),
        params=values,
        input=_input(found["input"], values),
        layers=layers,
        training=read_recipe(found.get("training"), values),
        source=root.where.source,
        law=_law(found.get("law")),
        origin=Origin(source, params, root.where),
    )


def _name(node, scope):
    name = resolve(node, scope)
    if isinstance(name, str) and len(name) > MAX_NAME:
        raise node.error(f"must have at most {MAX_NAME} letters. Received: {len(name)}")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise node.error(f"must be letters, digits and _, beginning with a letter. Received: {kind_of(name)}")
    return name


def _description(node):
    if node is None or node.value is None:
        return ""
    if not isinstance(node.value, str):
        raise node.error(f"must be a text. Received: {node.kind}")
    return node.value


def _law(node):
    if node is None:
        return "invariance"
    if node.value not in LAWS:
        raise node.error(f"must be one of {', '.join(LAWS)}. Received: {node.kind}")
    return node.value


def _input(node, scope):
    found = node.mapping("`input`", INPUT_KEYS, ("shape",))
    shape = whole(_along_axes(resolve(found["shape"], scope)))
    if not isinstance(shape, list) or not shape or not all(_is_size(size) for size in shape):
        raise found["shape"].error(
            f"must be a list of sizes from 1 to {MAX_SIZE} without the batch axis, such as [28, 28, 1], null where "
            f"unknown. Received: {shown(shape) if isinstance(shape, list) else kind_of(shape)}"
        )
    if shape[-1] is None:
        raise found["shape"].error("the last size, the channels, must be known")
    values = {"shape": tuple(shape)}
    if "dtype" in found:
        values["dtype"] = found["dtype"].value
        if values["dtype"] not in DTYPES:
            raise found["dtype"].error(f"must be one of {', '.join(DTYPES)}. Received: {found['dtype'].kind}")
    if "name" in found:
        values["name"] = _name(found["name"], scope)
    if "space" in found:
        values["space"] = whole(resolve(found["space"], scope))
        if values["space"] not in (1, 2, 3) or isinstance(values["space"], bool):
            raise found["space"].error(f"must be 1, 2 or 3 coordinates. Received: {found['space'].kind}")
        if len(shape) != 2 or None in shape or "name" in found:
            raise found["shape"].error(
                "points need `shape: [points, channels]`, both known, and no name of their own. "
                f"Received: {kind_of(shape)}"
            )
    if "periodic" in found:
        values["periodic"] = resolve(found["periodic"], scope)
        if not isinstance(values["periodic"], bool) or values.get("space", 1) == 1:
            raise found["periodic"].error(
                "must be true or false, beside `space: 2` or `space: 3`: whether positions come with the vectors of a "
                f"cell. Received: {kind_of(values['periodic'])}"
            )
    if "type" in found:
        values["type"] = resolve(found["type"], scope)
        if not isinstance(values["type"], str) or "space" not in found:
            raise found["type"].error(
                'must be the field type of the values of points in words, such as "5x0 + 1x1", beside `space`. '
                f"Received: {kind_of(values['type'])}"
            )
    return values


def _along_axes(shape):
    """A shape in which `size: [height, width]` stands for each axis, with that axis's own size."""
    if not isinstance(shape, list):
        return shape
    space = len(shape) - 1
    return [size[i] if isinstance(size, list) and len(size) == space > i else size for i, size in enumerate(shape)]


def _is_size(size):
    return size is None or (isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= MAX_SIZE)
