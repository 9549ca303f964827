"""A spec's parameters, and a block's: defaults, overrides, types, and defaults that follow from other parameters."""

import keyword
import warnings
from collections.abc import Mapping

from keras_equivariant.compiler.grammar.errors import SpecError
from keras_equivariant.compiler.grammar.expressions import FUNCTIONS, resolve
from keras_equivariant.compiler.grammar.nodes import from_python, kind_of, whole
from keras_equivariant.utils.text import nearest, shown

MAX_CHAIN = 20  # parameters that follow one from another
RENAMED = {"neighbours": "neighbors"}  # parameters of packaged specs, old names to those of today


def declared(node, what):
    """The parameters that a `params` mapping declares: a dict of names to Nodes."""
    found = {} if node is None or node.value is None else node.mapping(what)
    for name, value in found.items():
        if not str(name).isidentifier() or keyword.iskeyword(name) or name in FUNCTIONS:
            raise value.error(f"a parameter's name must be a plain word. Received: {shown(name)}")
    return found


def current_names(given, known):
    """The given parameters, those that packaged specs had by another name before by that of today."""
    for old in (RENAMED.keys() & given.keys()) - known.keys():
        warnings.warn(f"the parameter `{old}` is now `{RENAMED[old]}`", DeprecationWarning, stacklevel=2)
    return {name if name in known else RENAMED.get(name, name): value for name, value in given.items()}


def spec_parameters(defaults, overrides, where):
    """The values of a spec's parameters.

    Args:
        defaults: dict of names to Nodes; a default may be an expression on the others.
        overrides: dict of names to plain values, as `build_from_spec(…, filters=23)` receives them.
        where: place of the spec's `params`.

    Returns:
        A dict of names to values.

    Raises:
        SpecError: an unknown name, or a value of another type than the default's.
    """
    overrides = current_names(overrides, defaults)
    for name in overrides:
        if name not in defaults:
            raise where.key(name).error(f"unknown parameter. {nearest(name, defaults)}")
    given = {name: from_python(value, where.key(name)).plain() for name, value in overrides.items()}
    scope = Scope(defaults, given)
    return {name: _checked(name, scope, defaults[name].where) for name in defaults}


def block_parameters(name, defaults, arguments, where, outer):
    """The values of a block's parameters in one call, on top of the spec's.

    Args:
        name: the block.
        defaults: dict of names to Nodes; null marks a required one.
        arguments: dict of names to Nodes, their expressions filled in.
        where: place of the call.
        outer: the spec's parameters.
    """
    for argument, node in arguments.items():
        if argument not in defaults:
            raise node.error(f'the block "{name}" has no such parameter. {nearest(argument, defaults)}')
    for argument, default in defaults.items():
        if default.value is None and argument not in arguments:
            raise where.error(f'the block "{name}" needs the parameter "{argument}"')
    own = Scope(defaults, {argument: node.value for argument, node in arguments.items()}, outer)
    places = {argument: arguments.get(argument, default).where for argument, default in defaults.items()}
    return {**outer, **{argument: _checked(argument, own, places[argument]) for argument in defaults}}


class Scope(Mapping):
    """Names to values, each computed when it is first asked for; a circle of defaults is a SpecError."""

    def __init__(self, defaults, given, outer=None):
        self._defaults, self._values, self._outer = defaults, dict(given), outer or {}
        self._pending = []
        self.given = frozenset(given)

    def __getitem__(self, name):
        if name in self._values:
            return self._values[name]
        if name not in self._defaults or name in self._pending and name in self._outer:
            return self._outer[name]
        node = self._defaults[name]
        if name in self._pending:
            circle = " -> ".join([*self._pending, name])
            raise node.error(f"parameters must not follow from each other in a circle: {circle}")
        if len(self._pending) == MAX_CHAIN:
            raise node.error(f"at most {MAX_CHAIN} parameters may follow one from another")
        self._pending.append(name)
        try:
            value = self._values[name] = resolve(node, self)
        finally:
            self._pending.pop()
        return value

    def __iter__(self):
        return iter({**self._outer, **self._defaults})

    def __len__(self):
        return len({**self._outer, **self._defaults})

    def default(self, name):
        """The value of the default, whatever is given; None where it has none under the other parameters."""
        try:
            return resolve(self._defaults[name], self)
        except SpecError:
            return None


def _checked(name, scope, where):
    value = scope[name]
    if name not in scope.given:
        return value
    default = scope.default(name)
    if isinstance(default, bool):
        good, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, int):
        value = whole(value)
        if name == "size" and isinstance(value, list):  # of an input that is no square: [height, width]
            value = [whole(side) for side in value]
            if all(isinstance(side, int) and not isinstance(side, bool) for side in value):
                return value
        good, wanted = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(default, float):
        good, wanted = isinstance(value, int | float) and not isinstance(value, bool), "a number"
    elif default is None:
        good, wanted = True, ""
    else:
        wanted = {str: "a text", list: "a list", dict: "a table"}[type(default)]
        good = isinstance(value, type(default))
    if not good:
        raise where.error(f"must be {wanted}, as its default {shown(default)}. Received: {kind_of(value)}")
    return value
