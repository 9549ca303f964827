"""What a value in a spec's `training` may be: how it is read and checked, and its JSON Schema, in one object."""

import dataclasses
from collections.abc import Callable

from keras_equivariant.compiler.grammar.expressions import resolve
from keras_equivariant.compiler.grammar.nodes import Node, kind_of
from keras_equivariant.compiler.grammar.nodes import whole as whole_number
from keras_equivariant.utils.text import nearest

EXPRESSION = {"$ref": "#/$defs/expression"}


@dataclasses.dataclass(frozen=True)
class Rule:
    """What one value may be.

    Attributes:
        read: function of a Node and the scope of its expressions: the checked value, or a SpecError.
        schema: its JSON Schema, a dict.
    """

    read: Callable
    schema: dict


def value(text, good, schema, convert=None):
    """A plain value, once converted, for which `good` holds; `text` says in words what that is."""

    def read(node, scope):
        found = resolve(node, scope)
        found = convert(found) if convert else found
        if not good(found):
            raise node.error(f"must be {text}. Received: {kind_of(found)}")
        return found

    return Rule(read, {"anyOf": [schema, EXPRESSION]})


def whole(least):
    """A whole number from `least`."""
    schema = {"type": "integer", "minimum": least}
    return value(f"a whole number from {least}", lambda v: _is_whole(v, least), schema, whole_number)


def number(text, least, most):
    """A number from `least` to `most`, which may be infinite."""
    schema = {"type": "number", "minimum": least, "maximum": most}
    return value(text, lambda v: _is_number(v) and least <= v <= most, schema)


def one_of(names):
    return value(f"one of {', '.join(names)}", lambda v: v in names, {"enum": list(names)})


def flag():
    return value("true or false", lambda v: isinstance(v, bool), {"type": "boolean"})


def text(what):
    return value(what, lambda v: isinstance(v, str), {"type": "string"})


def rising():
    """A list of whole numbers from 0, each larger than the one before."""
    item = {"anyOf": [{"type": "integer", "minimum": 0}, EXPRESSION]}
    good = lambda v: isinstance(v, list) and all(_is_whole(e, 0) for e in v)  # noqa: E731
    rule = value("a list of whole numbers", good, {"type": "array", "items": item}, whole_number)

    def read(node, scope):
        found = rule.read(node, scope)
        if found != sorted(set(found)):
            raise node.error(f"must be whole numbers that rise. Received: {found}; order them")
        return found

    return Rule(read, rule.schema)


def mapping(what, rules, required=()):
    """A mapping with some of the keys of `rules`, and all the `required` ones."""

    def read(node, scope):
        found = node.mapping(f"`{what}`", tuple(rules), required)
        return {key: rules[key].read(child, scope) for key, child in found.items()}

    schema = {"type": "object", "properties": {k: r.schema for k, r in rules.items()}, "additionalProperties": False}
    return Rule(read, {**schema, **({"required": list(required)} if required else {})})


def one_entry(what, rules):
    """A mapping with exactly one of the keys of `rules`, or that key alone where nothing in it is required."""
    alone = [name for name, rule in rules.items() if not rule.schema.get("required")]

    def read(node, scope):
        if isinstance(node.value, str):
            node = Node({node.value: Node({}, node.where.key(node.value))}, node.where)
        found = node.mapping(f"a {what}", tuple(rules))
        if len(found) != 1:
            raise node.error(f"must be one {what}: {', '.join(rules)}. Received: {len(found)}")
        return {key: rules[key].read(child, scope) for key, child in found.items()}

    whole = {**mapping(what, rules).schema, "minProperties": 1, "maxProperties": 1}
    return Rule(read, {"anyOf": [{"enum": alone}, whole]})


def steps(key, plain, sized):
    """A list of names, some of which have a whole number: `[contrast, {resize: 32}]`."""
    known = (*plain, *sized)
    expected = ", ".join(plain) + "".join(f" or {{{name}: pixels}}" for name in sized)

    def read(node, scope):
        found = []
        for item in node.sequence(f"`{key}`"):
            step = resolve(item, scope)
            step = {key: whole_number(size) for key, size in step.items()} if isinstance(step, dict) else step
            name = next(iter(step), None) if isinstance(step, dict) and len(step) == 1 else step
            if name not in known:
                raise item.error(f"unknown step. {nearest(name, known)}")
            if (name in sized) != (isinstance(step, dict) and _is_whole(step[name], 1)):
                raise item.error(f"must be {expected}")
            found.append(step)
        return found

    with_number = [mapping(name, {name: whole(1)}, (name,)).schema for name in sized]
    return Rule(read, {"type": "array", "items": {"anyOf": [{"enum": list(plain)}, *with_number]}})


def _is_whole(v, least):
    return isinstance(v, int) and not isinstance(v, bool) and v >= least


def _is_number(v):
    return isinstance(v, int | float) and not isinstance(v, bool)
