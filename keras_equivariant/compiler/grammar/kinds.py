"""What a spec may give for an option: the check for the compiler, the JSON Schema for editors.

Which kind of value an option takes is what the annotation in the layer's signature says (`layers/core/options.py`).
"""

import dataclasses
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from keras_equivariant import groups
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.grammar.limits import MAX_SIZE
from keras_equivariant.compiler.grammar.nodes import kind_of, whole
from keras_equivariant.layers.core.options import of
from keras_equivariant.utils.text import nearest

GROUP_PATTERN = "^([CcDd][0-9]{1,3}|[A-Za-z][A-Za-z0-9_]*)$"


def _same(value):
    return value


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of argument.

    Attributes:
        check: function of (value, where) that returns the value as a spec keeps it, or raises SpecError.
        schema: JSON Schema of the value, expressions aside.
        make: function of a checked value that gives what the constructor takes.
    """

    check: Callable
    schema: dict
    make: Callable[[Any], Any] = _same


def kind(annotation):
    """The Kind of the option with this annotation; plain values where it has none."""
    option = of(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [part for part in get_args(annotation) if part is not types.NoneType]
        inner = kind(rest[0]) if len(rest) == 1 else _ANY
        return inner if len(rest) == len(get_args(annotation)) else _nullable(inner)
    if option.kind is not None:
        return KINDS[option.kind]
    if get_origin(annotation) is Annotated:
        return kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return _choice(get_args(annotation))
    return PLAIN.get(annotation, _ANY)


def _rule(text, good, convert=_same):
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


def _is_seed(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_window(value):
    return _is_size(value) or (isinstance(value, list) and 1 <= len(value) <= 3 and all(map(_is_size, value)))


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_counts(value):
    return _is_count(value) or (isinstance(value, list) and all(map(_is_count, value)))


def _is_numbers(value):
    return _is_number(value) or (isinstance(value, list) and all(map(_is_numbers, value)))


def _is_matrix(value):
    rows = value if isinstance(value, list) and value else [None]
    return all(isinstance(row, list) and len(row) == len(value[0]) > 0 and all(map(_is_number, row)) for row in rows)


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_SIZE


def _is_integers(value):
    return _is_whole(value) or (isinstance(value, list) and all(map(_is_integers, value)))


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

    return Kind(check, schema or in_any_case(names))


def in_any_case(names):
    """JSON Schema of one of some values; its words in capitals, too, as they are read."""
    words = [name for name in names if isinstance(name, str)]
    if not words:
        return {"enum": list(names)}
    letters = ("".join(f"[{c}{c.upper()}]" if c.islower() else re.escape(c) for c in word) for word in words)
    return {"anyOf": [{"enum": list(names)}, {"type": "string", "pattern": f"^({'|'.join(letters)})$"}]}


def _nullable(inner):
    return Kind(
        lambda value, where: None if value is None else inner.check(value, where),
        {"anyOf": [inner.schema, {"type": "null"}]},
        lambda value: None if value is None else inner.make(value),
    )


def _part(module):
    """An initializer, regularizer or constraint: `he_normal`, or `{RandomNormal: {stddev: 0.05}}`."""

    def check(value, where):
        if isinstance(value, dict) and len(value) == 1:
            found = check_part(value, where, module)
            try:
                _instantiate(found, module)
            except Exception as error:  # what Keras raises on values that it does not take has no common base
                raise where.error(f"{next(iter(value))} does not take these values: {error}") from error
            return found
        known = registry.part_words(module)
        if not isinstance(value, str) or value not in known:
            raise where.error(
                f"must be the name of one of keras.{module}. Received: {kind_of(value)}. {nearest(value, known)}"
            )
        return value

    return Kind(check, {"$ref": f"#/$defs/{module}"}, lambda value: _instantiate(value, module))


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


def check_optimizer(value, where):
    """`{Name: {arguments}}` of an optimizer, by the kinds of its arguments; its learning rate is a number above 0.

    It is not made here, for its variables would start TensorFlow, and many workers are joined before that.
    """
    name, given = next(iter(check_part(value, where, "optimizers").items()))
    defaults = registry.constructor(registry.parts("optimizers")[name])
    for argument, inner in given.items():
        place, default = where.key(name).key(argument), defaults[argument]
        if inner is None:
            continue
        if argument == "learning_rate":
            good, wanted = _is_number(inner) and inner > 0, "a number above 0"
        elif isinstance(default, bool):
            good, wanted = isinstance(inner, bool), "true or false"
        else:
            good, wanted = not _is_number(default) or _is_number(inner), "a number"
        if not good:
            raise place.error(f"must be {wanted}. Received: {kind_of(inner)}")
    if _is_number(given.get("learning_rate")):
        given = {**given, "learning_rate": float(given["learning_rate"])}  # Keras refuses whole numbers
    return {name: given}


def _instantiate(value, module):
    """The Keras object of a checked name or `{Name: {arguments}}`."""
    if isinstance(value, str):
        return registry.part_words(module)[value]()
    name, given = next(iter(value.items()))
    return registry.parts(module)[name](**given)


def _or_list(rule):
    return {"anyOf": [rule, {"type": "array", "items": {"anyOf": [rule, {"$ref": "#/$defs/expression"}]}}]}


_SCALAR = {"type": ["number", "string", "boolean", "null"]}
_WHOLE = {"type": "integer", "minimum": 0, "maximum": MAX_SIZE}
_MATRIX = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
_ANY = Kind(
    _rule(f"a number up to {MAX_SIZE}, a text, true, false, null, or a list of these", _is_any),
    {"anyOf": [_SCALAR, {"type": "array"}]},
)
_INTEGER = {"type": ["integer", "array"]}
_COUNT = {"type": "integer", "minimum": 1, "maximum": MAX_SIZE}
_FIELD_GROUPS = "a whole number from 1 (a symmetry is named by `group`)"

# The words of `Option.kind`, and what the types say that need no word.
KINDS = {
    "count": Kind(_rule(f"a whole number from 1 to {MAX_SIZE}", _is_count, whole), _COUNT),
    "whole": Kind(_rule(f"a whole number from 0 to {MAX_SIZE}", _is_size, whole), _WHOLE),
    "seed": Kind(_rule("a whole number from 0", _is_seed, whole), {"type": "integer", "minimum": 0}),
    "counts": Kind(_rule("a whole number from 1, or a list of them", _is_counts, whole), _or_list(_COUNT)),
    "size": Kind(_rule("a whole number, or one for each axis of space", _is_window, whole), _or_list(_WHOLE)),
    "integers": Kind(_rule("a whole number, or a list of them", _is_integers, whole), _or_list(_INTEGER)),
    "numbers": Kind(_rule("a number, or a list of them", _is_numbers), _or_list({"type": "number"})),
    "matrix": Kind(_rule("a list of rows, lists of numbers", _is_matrix), _MATRIX),
    "any": _ANY,
    "field_groups": Kind(_rule(_FIELD_GROUPS, _is_count, whole), _COUNT),
    "field_groups_or_all": Kind(
        _rule(f"{_FIELD_GROUPS}, or -1", lambda value: _is_count(value) or value == -1, whole),
        {"anyOf": [_COUNT, {"const": -1}]},
    ),
    "group": Kind(_check_group, {"type": "string", "pattern": GROUP_PATTERN}),
    "text": Kind(_rule("a text", lambda value: isinstance(value, str)), {"type": "string"}),
    "activation": _choice(registry.activations(), {"$ref": "#/$defs/activation"}),
    **{module: _part(module) for module in ("initializers", "regularizers", "constraints")},
}
PLAIN = {
    bool: Kind(_rule("true or false", lambda value: isinstance(value, bool)), {"type": "boolean"}),
    int: Kind(_rule("a whole number", _is_whole, whole), {"type": "integer"}),
    float: Kind(_rule("a number", _is_number), {"type": "number"}),
    str: KINDS["text"],
}
