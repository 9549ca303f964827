"""What kind of value each constructor argument takes: the check for the compiler, the JSON Schema for editors.

The kind follows from the argument's name where that has one meaning throughout (filters, group, *_initializer, …) and
from the type of its default where not.
"""

import dataclasses
from collections.abc import Callable

from keras_equivariant import groups
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.grammar.limits import MAX_SIZE
from keras_equivariant.compiler.grammar.nodes import kind_of
from keras_equivariant.utils.text import nearest

CHOICES = {
    "data_format": ("channels_last",),
    "padding": ("valid", "same"),
    "padding_mode": ("zeros", "circular", "reflect"),
    "mode": ("max", "mean"),
    "interpolation": ("nearest", "bilinear", "trilinear", "bicubic", "lanczos3", "lanczos5"),
}
COUNTS = ("filters", "units", "depth_multiplier")
WINDOWS = ("kernel_size", "strides", "dilation_rate", "pool_size", "size", "output_padding")
SUFFIXES = {"_initializer": "initializers", "_regularizer": "regularizers", "_constraint": "constraints"}
GROUP_PATTERN = "^([CcDd][0-9]{1,3}|[A-Za-z][A-Za-z0-9_]*)$"


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of argument.

    Attributes:
        check: function of (value, where) that returns the value as the constructor wants it, or raises SpecError.
        schema: JSON Schema of the value, expressions aside.
    """

    check: Callable
    schema: dict


def kind(name, default=registry.REQUIRED):
    """The Kind of the argument with this name and default (`registry.REQUIRED` if it has none)."""
    if name in COUNTS:
        return _COUNT
    if name == "groups":
        return _GROUPS
    if name in WINDOWS:
        return _nullable(_WINDOW, default)
    if name == "group":
        return _nullable(_GROUP, default)
    if name == "activation":
        return _nullable(_ACTIVATION, default)
    for suffix, module in SUFFIXES.items():
        if name.endswith(suffix):
            return _nullable(_part(module), default)
    if name in CHOICES and (isinstance(default, str) or name == "data_format"):
        return _nullable(_choice(CHOICES[name]), default)
    if name in ("name", "dtype", "subgroup", "basis"):
        return _nullable(_TEXT, default)
    if name == "reduction":  # null is a choice of its own, whatever the default
        return _nullable(_TEXT, None)
    if isinstance(default, bool):
        return _BOOLEAN
    if isinstance(default, str):
        return _TEXT
    if name in ("rate", "stddev", "alpha", "momentum", "epsilon", "seed"):
        return _nullable(_NUMBER, default)
    return _ANY


def whole(value):
    """The value as an int where it is a whole number, such as 32.0 from `${64 / 2}`; else unchanged."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [whole(item) for item in value] if isinstance(value, list) else value


def _rule(text, good, convert=lambda value: value):
    def check(value, where):
        value = convert(value)
        if not good(value):
            hint = "; round(…) gives a whole number" if isinstance(value, float) and "whole" in text else ""
            raise where.error(f"must be {text}. Received: {kind_of(value)}{hint}")
        return value

    return check


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SIZE


def _is_size(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE


def _is_window(value):
    return _is_size(value) or (isinstance(value, list) and 1 <= len(value) <= 3 and all(map(_is_size, value)))


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_any(value):
    if isinstance(value, list):
        return all(map(_is_any, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) <= MAX_SIZE
    return not isinstance(value, dict)


def _check_group(value, where):
    try:
        return groups.get(value).name
    except (TypeError, ValueError) as error:
        raise where.error(str(error)) from None


def _choice(names, schema=None):
    def check(value, where):
        if isinstance(value, str) and value.lower() in names:
            return value.lower()  # as Keras reads them
        if value not in names:
            raise where.error(f"unknown value. Received: {kind_of(value)}. {nearest(value, names)}")
        return value

    return Kind(check, schema or {"enum": list(names)})


def _nullable(inner, default):
    if default is not None:
        return inner
    check = inner.check
    schema = {"anyOf": [inner.schema, {"type": "null"}]}
    return Kind(lambda value, where: None if value is None else check(value, where), schema)


def _part(module):
    """An initializer, regularizer or constraint: `he_normal`, or `{RandomNormal: {stddev: 0.05}}`."""

    def check(value, where):
        if isinstance(value, dict) and len(value) == 1:
            return check_part(value, where, module)
        known = registry.part_words(module)
        if not isinstance(value, str) or value not in known:
            raise where.error(
                f"must be the name of one of keras.{module}. Received: {kind_of(value)}. {nearest(value, known)}"
            )
        return value

    return Kind(check, {"$ref": f"#/$defs/{module}"})


def check_part(value, where, module):
    """`{Name: {arguments}}` or `{Name: first argument}` with known names; returns the first form."""
    name, given = next(iter(value.items()))
    if name not in registry.parts(module):
        raise where.key(name).error(f"unknown name. {nearest(name, registry.parts(module))}")
    known = {k: v for k, v in registry.constructor(registry.parts(module)[name]).items() if k != "name"}
    if given is not None and not isinstance(given, dict):
        given = {next(iter(known)): given} if known else {"": given}
    for argument, inner in (given or {}).items():
        place = where.key(name).key(argument)
        if argument not in known:
            raise place.error(f"unknown argument. {nearest(argument, known)}")
        if not (_is_number(inner) or isinstance(inner, bool | str) or inner is None):
            raise place.error(f"must be a number or a text. Received: {kind_of(inner)}")
    missing = [k for k, v in known.items() if v is registry.REQUIRED and k not in (given or {})]
    if missing:
        raise where.key(name).error(f'needs the argument "{missing[0]}"')
    return {name: given or {}}


def instantiate(value, module):
    """The Keras object of a checked name or `{Name: {arguments}}`."""
    if value is None:
        return None
    if isinstance(value, str):
        return registry.part_words(module)[value]()
    name, given = next(iter(value.items()))
    return registry.parts(module)[name](**given)


def module_of(argument):
    """`"initializers"`, `"regularizers"` or `"constraints"` where the argument takes such a part, else None."""
    return next((module for suffix, module in SUFFIXES.items() if argument.endswith(suffix)), None)


_SCALAR = {"type": ["number", "string", "boolean", "null"]}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": MAX_SIZE}
_COUNT = Kind(
    _rule(f"a whole number from 1 to {MAX_SIZE}", _is_count, whole),
    {"type": "integer", "minimum": 1, "maximum": MAX_SIZE},
)
_GROUPS = Kind(_rule("a whole number from 1 (a symmetry is named by `group`)", _is_count, whole), _COUNT.schema)
_WINDOW = Kind(
    _rule("a whole number, or one for each axis of space", _is_window, whole),
    {"anyOf": [_WHOLE, {"type": "array", "items": {"anyOf": [_WHOLE, {"$ref": "#/$defs/expression"}]}}]},
)
_ACTIVATION = _choice(registry.activations(), {"$ref": "#/$defs/activation"})
_GROUP = Kind(_check_group, {"type": "string", "pattern": GROUP_PATTERN})
_TEXT = Kind(_rule("a text", lambda value: isinstance(value, str)), {"type": "string"})
_BOOLEAN = Kind(_rule("true or false", lambda value: isinstance(value, bool)), {"type": "boolean"})
_NUMBER = Kind(_rule("a number", _is_number), {"type": "number"})
_ANY = Kind(
    _rule(f"a number up to {MAX_SIZE}, a text, true, false, null, or a list of these", _is_any),
    {"anyOf": [_SCALAR, {"type": "array"}]},
)
