"""spec_of(): a model of our and stock layers as the YAML spec that builds it."""

from __future__ import annotations

import re
from typing import Any

import keras
import yaml

from keras_equivariant.compiler.grammar import registry
from keras_equivariant.conversion.problems import describe
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import functional
from keras_equivariant.graphs.rewriting import inlined
from keras_equivariant.ops import windows
from keras_equivariant.stock.windows import windows_of
from keras_equivariant.utils.text import nearest

_OPERATIONS = {"Add": "Add", "Subtract": "Subtract", "Multiply": "Multiply", "Maximum": "Maximum", "Minimum": "Minimum"}


def spec_of(model: keras.Model) -> str:
    """A model written as a YAML spec, which builds the same network with fresh weights.

    Models inside the model are written out. What `equivariant` changed stands beside each layer as a comment.

    Args:
        model: a functional, sequential or subclassed model of one image, volume or vector and one output, of layers
            that specs know, whose branches part at one tensor and meet in one layer.

    Returns:
        The text of a YAML file: `build_from_spec(yaml.safe_load(text))`, or write it to a file and train it.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: for layers and connections that a spec cannot write, which the message names.

    Example:
        >>> import keras, keras_equivariant as ke
        >>> model = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()])
        >>> print(ke.spec_of(model).splitlines()[-2:])
        ['  - Conv2D: {filters: 4, kernel_size: 3}', '  - Flatten']
    """
    graph = inlined(functional(model, "written as a spec", functions=True), functions=True)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise ValueError(
            f"A spec describes a network of one input and one output. Received: {len(graph.inputs)} and "
            f"{len(graph.outputs)}; write the parts as models of their own"
        )
    writer = _Writer(graph, getattr(model, "conversion", None))
    body = writer.path(graph.inputs[0], graph.outputs[0])
    writer.check_all()
    shape = list(graph.inputs[0].shape[1:])
    head = {"spec": 1, "name": re.sub(r"[^A-Za-z0-9_]", "_", model.name), "input": {"shape": shape}}
    lines = [_flow(key, value) for key, value in head.items()]
    return "\n".join([*lines, "layers:", *_lines(body, 2)]) + "\n"


class _Writer:
    def __init__(self, graph, conversion):
        self._calls = calls(graph)
        self._source = {id(tensor): call for call in self._calls for tensor in call.outputs}
        self._why = {one.name: one for one in conversion.layers if one.why} if conversion else {}
        self._behind = _common(graph, self._calls)
        self._written = []

    def path(self, start, end):
        """The entries that lead from one tensor to another."""
        found, tensor = [], end
        while tensor is not start:
            call = self._source.get(id(tensor))
            if call is None:
                raise ValueError(
                    "The branches of a spec must part at one tensor and meet in one layer. Received: a network where "
                    f"{self._last()} takes what is no part of its branch; a spec cannot write it"
                )
            self._written.append(call)
            if len(call.inputs) > 1:
                fork = self._behind[id(tensor)]
                branches = [self.path(fork, one) for one in call.inputs]
                found.append(("branches", branches, _entry(call, self._why)))
                tensor = fork
            else:
                found.append(_entry(call, self._why))
                tensor = call.inputs[0]
        return found[::-1]

    def check_all(self):
        """ValueError where a call would be written twice."""
        seen, layers = set(), set()
        for call in self._written:
            again = id(call) in seen or (isinstance(call.operation, keras.layers.Layer) and call.operation in layers)
            if again:
                raise ValueError(
                    "Each layer of a spec is called once, and branches share nothing but where they part. Received: "
                    f"{describe(call.operation)} in several places; give each place a layer of its own"
                )
            seen.add(id(call))
            layers.add(call.operation)

    def _last(self):
        return describe(self._written[-1].operation) if self._written else "the output"


def _common(graph, some_calls):
    """For each tensor the last tensor through which all ways to its inputs lead, by id."""
    through = {id(graph.inputs[0]): [graph.inputs[0]]}
    found = {}
    for call in some_calls:
        ways = [through[id(x)] for x in call.inputs]
        known = [{id(x) for x in way} for way in ways]
        shared = [x for x in ways[0] if all(id(x) in one for one in known)] if ways else []
        for tensor in call.outputs:
            found[id(tensor)] = shared[-1] if shared else None
            through[id(tensor)] = [*shared, tensor]
    return found


def _entry(call, why):
    """(name, arguments, comment) of a layer."""
    operation = call.operation
    if not isinstance(operation, keras.layers.Layer):
        name = _OPERATIONS.get(type(operation).__name__)
        scaled = _scaled(call)
        if scaled is not None:
            return "Rescaling", scaled, ""
        if name is None or len(call.inputs) < 2:
            raise ValueError(
                f"A spec names layers. Received: {describe(operation)}; use a layer in its place, such as "
                "GlobalAveragePooling2D for a mean, Rescaling for a factor"
            )
        return name, {}, ""
    name = type(operation).__name__
    if name not in registry.layer_classes():
        raise ValueError(
            f"A spec names layers that it knows. Received: {describe(operation)}. "
            f"{nearest(name, registry.layer_classes())}"
        )
    changed = why.get(operation.name)
    comment = f"was {changed.was}: {changed.why}" if changed else ""
    return name, _arguments(name, call), comment


def _scaled(call):
    """The arguments of Rescaling that do what an operation with a number does; None where it is another."""
    values = keras.tree.flatten((call.args, call.kwargs))
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) != 2 or len(numbers) != 1 or len(call.inputs) != 1:
        return None
    number, first, kind = float(numbers[0]), values[0] is numbers[0], type(call.operation).__name__
    if kind == "Add":
        return {"scale": 1.0, "offset": number}
    if kind == "Subtract":
        return {"scale": -1.0, "offset": number} if first else {"scale": 1.0, "offset": -number}
    if kind == "Multiply":
        return {"scale": number}
    return {"scale": 1 / number} if kind in ("Divide", "TrueDivide") and not first else None


def _arguments(name, call):
    layer, found = call.operation, {}
    config = layer.get_config()
    for argument, parameter in registry.layer_parameters(name).items():
        if argument not in config or argument in ("dtype", "data_format"):
            continue
        value = plain(config[argument])
        if argument == "activation" and value == "linear":
            value = None
        if argument == "name":
            if _letters(value) != _letters(name):
                found["name"] = value
            continue
        if value != plain(_default(parameter)) and _same_as(layer, name, argument, value):
            found[argument] = value
    if isinstance(layer, keras.layers.Layer) and type(layer).__module__.startswith("keras."):
        uneven = windows_of(layer) if len(call.inputs) == 1 else None
        if registry.has_strict(name) and uneven and not _even(uneven, call.inputs[0].shape):
            found["strict"] = False
    return found


def _letters(name):
    """A name without what tells a layer from others of its class: `conv2d_3` as `conv2d`."""
    return re.sub(r"(_\d+)?$", "", name).replace("_", "").lower()


def _default(parameter):
    value = parameter.default
    return None if value is registry.REQUIRED else value


def _same_as(layer, name, argument, value):
    """Whether an argument says something: strides of a pooling that follow its window do not."""
    return not (argument == "strides" and value == plain(layer.get_config().get("pool_size")))


def _even(some_windows, shape):
    sizes = tuple(shape[1 : 1 + len(some_windows)])
    if None in sizes:
        return True
    rank = len(some_windows)
    moves = [tuple((axis, True) for axis in range(rank)), tuple(((axis + 1) % rank, False) for axis in range(rank))]
    return not windows.lost(tuple(some_windows), sizes, moves)


def plain(value: Any) -> Any:
    """A value of a configuration as a spec writes it."""
    if isinstance(value, dict) and "class_name" in value and "config" in value:
        config = value["config"] or {}
        known = _constructor(value["class_name"])
        given = {k: plain(v) for k, v in config.items() if k not in known or plain(known[k]) != plain(v)}
        return {value["class_name"]: given} if given else registry.snake_case(value["class_name"])
    if isinstance(value, list | tuple):
        items = [plain(item) for item in value]
        same = items and all(isinstance(item, int) and item == items[0] for item in items)
        return items[0] if same and len(items) in (2, 3) else items
    return value


def _constructor(name):
    for module in registry.PARTS:
        cls = registry.parts(module).get(name)
        if cls is not None:
            return registry.constructor(cls)
    return {}


def _lines(entries, indent):
    """The lines of a list of entries."""
    pad = " " * indent
    for entry in entries:
        if entry[0] != "branches":
            yield pad + "- " + _one(entry)
            continue
        _, branches, merge = entry
        yield f"{pad}- parallel:"
        yield f"{pad}    branches:"
        for branch in branches:
            lines = list(_lines(branch, indent + 8))
            if lines:
                yield f"{pad}      -"
                yield from lines
            else:
                yield f"{pad}      - []"
        yield f"{pad}    merge: {_one(merge, inline=True)}"


def _one(entry, inline=False):
    name, arguments, comment = entry
    if not arguments:
        text = name
    else:
        text = f"{{{name}: {_value(arguments)}}}" if inline else f"{name}: {_value(arguments)}"
    return f"{text}  # {comment}" if comment else text


def _flow(key, value):
    return f"{key}: {_value(value)}"


def _value(value):
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("...").strip()
