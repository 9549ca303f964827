"""A JSON Schema of specs, for editors: completion of layers and arguments, and errors while typing."""

from __future__ import annotations

from typing import Any

from keras_equivariant.compiler.grammar import recipe, registry
from keras_equivariant.compiler.grammar.expand import STRUCTURES
from keras_equivariant.compiler.grammar.kinds import in_any_case, kind
from keras_equivariant.compiler.grammar.spec import DTYPES, LAWS, VERSION

BLOCK_NAME = "^[a-z][A-Za-z0-9_]*$"
_ANYTHING = {"description": "any value"}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of specs as this version reads them, derived from the layers' constructors.

    Write it to a file and name that in a spec's first line, `# yaml-language-server: $schema=spec.schema.json`.

    Returns:
        A dict that `json.dumps` takes.
    """
    definitions = {
        "expression": {"type": "string", "pattern": r"\$\{[^{}]*\}", "description": "arithmetic on parameters"},
        "params": _mapping("^[A-Za-z_][A-Za-z0-9_]*$", _ANYTHING),
        "layers": {"type": "array", "items": {"$ref": "#/$defs/entry"}},
        "entry": _entry(),
        "merge": _merge(),
        "training": recipe.schema(),
        "activation": in_any_case(registry.activations()),
    }
    definitions |= {f"layer_{name}": _layer(name) for name in registry.layer_classes()}
    definitions |= {module: _parts(module) for module in registry.PARTS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "keras_equivariant spec",
        "description": "An equivariant network, for keras_equivariant.build_from_spec",
        **_object(_root(), ("spec", "name")),
        "anyOf": [{"required": ["input", "layers"]}, {"required": ["extends"]}],
        "$defs": definitions,
    }


def _root():
    size = {"anyOf": [{"type": ["integer", "null"], "minimum": 1}, {"$ref": "#/$defs/expression"}]}
    block = _object({"params": _or_nothing({"$ref": "#/$defs/params"}), "body": {"$ref": "#/$defs/layers"}}, ("body",))
    defaults = _object({name: {"$ref": f"#/$defs/layer_{name}"} for name in registry.layer_classes()})
    shape = {"anyOf": [{"type": "array", "items": size, "minItems": 1}, {"$ref": "#/$defs/expression"}]}
    return {
        "spec": {"const": VERSION},
        "extends": {"type": "string", "description": "a packaged spec; then only other parameters and another recipe"},
        "name": {"type": "string"},
        "description": {"type": ["string", "null"]},
        "law": {"enum": list(LAWS)},
        "params": _or_nothing({"$ref": "#/$defs/params"}),
        "input": _object(
            {
                "shape": shape,
                "dtype": {"enum": list(DTYPES)},
                "name": {"type": "string"},
                "space": _or_expression({"enum": [1, 2, 3]}),
                "type": {"type": "string"},
                "periodic": _or_expression({"type": "boolean"}),
            },
            ("shape",),
        ),
        "defaults": _or_nothing(defaults),
        "blocks": _or_nothing(_mapping(BLOCK_NAME, block)),
        "layers": {"$ref": "#/$defs/layers"},
        "training": _or_nothing({"$ref": "#/$defs/training"}),
    }


def _entry():
    """A name, or a mapping of one name: a layer, a structure, or a block (lower case)."""
    layers = {name: _short(name) for name in registry.layer_classes()}
    body = {"$ref": "#/$defs/layers"}
    structures = {
        "repeat": _object(
            {"times": _or_expression({"type": "integer", "minimum": 0}), "index": {"type": "string"}, "body": body},
            ("times", "body"),
        ),
        "residual": _object(
            {"main": body, "shortcut": _or_nothing(body), "merge": {"$ref": "#/$defs/merge"}}, ("main",)
        ),
        "parallel": _object(
            {"branches": {"type": "array", "items": body, "minItems": 2}, "merge": {"$ref": "#/$defs/merge"}},
            ("branches", "merge"),
        ),
        "when": _object(
            {"test": _or_expression({"type": "boolean"}), "then": body, "else": body},
            ("test", "then"),
        ),
    }
    # A block may have the name of a structure, and then has parameters of its own.
    keys = {
        name: {"anyOf": [rule, {"not": {"type": "object", "required": rule["required"]}}]}
        for name, rule in structures.items()
    }
    entry = {**_object({**layers, **keys}), "minProperties": 1, "maxProperties": 1}
    entry["patternProperties"] = {f"^(?!({'|'.join(STRUCTURES)})$)[a-z][A-Za-z0-9_]*$": _ANYTHING}
    return {"anyOf": [{"enum": list(layers)}, {"type": "string", "pattern": BLOCK_NAME}, entry]}


def _merge():
    merges = {name: _short(name) for name in registry.MERGE}
    return {"anyOf": [{"enum": list(registry.MERGE)}, {**_object(merges), "minProperties": 1, "maxProperties": 1}]}


def _layer(name):
    properties = {}
    for argument, parameter in registry.layer_parameters(name).items():
        rule = _or_expression(kind(parameter.annotation).schema)
        if isinstance(parameter.default, bool | int | float | str):
            rule = {**rule, "default": parameter.default}
        properties[argument] = rule
    summary = (registry.layer_classes()[name].__doc__ or "").strip().split("\n")[0]
    return {"description": summary, **_object(properties)}


def _short(name):
    """A layer's arguments, or its first one alone; required ones may come from `defaults`."""
    first = registry.first_argument(name)
    rules = [{"$ref": f"#/$defs/layer_{name}"}, {"type": "null"}]
    if first is not None:
        rules.append(_or_expression(kind(registry.parameters(name)[first].annotation).schema))
    return {"anyOf": rules}


def _parts(module):
    """A name, or one name with its arguments or with the first of them."""
    value = {"type": ["number", "string", "boolean", "null"]}
    rules = {}
    for name, cls in registry.parts(module).items():
        known = {argument: value for argument in registry.constructor(cls) if argument != "name"}
        rules[name] = {"anyOf": [_object(known), value]}
    given = {**_object(rules), "minProperties": 1, "maxProperties": 1}
    names = rules if module == "optimizers" else registry.part_words(module)
    return {"anyOf": [{"enum": list(names)}, given]}


def _object(properties, required=()):
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": list(required)} if required else {}),
    }


def _mapping(pattern, rule):
    return {"type": "object", "patternProperties": {pattern: rule}, "additionalProperties": False}


def _or_nothing(rule):
    """A block that may stand there empty."""
    return {"anyOf": [rule, {"type": "null"}]}


def _or_expression(rule):
    return {"anyOf": [rule, {"$ref": "#/$defs/expression"}]}
