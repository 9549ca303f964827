"""The tree a spec is read into: plain values that know where they were written."""

import dataclasses
import math
import numbers

from keras_equivariant.compiler.grammar.errors import Where
from keras_equivariant.compiler.grammar.limits import MAX_DEPTH, MAX_NODES, MAX_NUMBER, MAX_SCALAR
from keras_equivariant.utils.text import nearest, shown


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A value and its place.

    Attributes:
        value: a dict of Nodes, a list of Nodes, or a string, number, boolean or None.
        where: the line of a mapping's value is that of its key.
    """

    value: object
    where: Where

    @property
    def kind(self):
        """What the value is, in YAML's words."""
        return kind_of(self.value)

    def error(self, message):
        return self.where.error(message)

    def mapping(self, what, keys=None, required=()):
        """The value as a dict of Nodes; `keys` are those allowed (any, if None)."""
        if not isinstance(self.value, dict):
            raise self.error(f"{what} must be a mapping. Received: {self.kind}")
        for key, node in self.value.items():
            if keys is not None and key not in keys:
                raise node.error(f"unknown key. {nearest(key, keys)}")
        for key in required:
            if key not in self.value:
                raise self.error(f'{what} needs the key "{key}"')
        return self.value

    def sequence(self, what):
        """The value as a list of Nodes."""
        if not isinstance(self.value, list):
            raise self.error(f"{what} must be a list. Received: {self.kind}")
        return self.value

    def plain(self):
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def kind_of(value):
    """The name of a value's type, in YAML's words, with the value where it is short."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    return shown(value)


def whole(value):
    """The value as an int where it is a whole number, such as 32.0 from `${64 / 2}`; else unchanged."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [whole(item) for item in value] if isinstance(value, list) else value


def from_python(value, where):
    """The tree of a Python dict, as `build_from_spec({...})` receives it.

    Raises:
        SpecError: something that YAML has no word for, or a dict too deep or too large.
    """
    return _Reader(where).read(value, where, 0)


class _Reader:
    def __init__(self, root):
        self.root = root
        self.nodes = 0

    def read(self, value, where, depth):
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise self.root.error(f"a spec must be nested at most {MAX_DEPTH} deep")
        if self.nodes > MAX_NODES:
            raise self.root.error(f"a spec must have at most {MAX_NODES} values")
        if isinstance(value, dict):
            return Node({self._key(k, where): self.read(v, where.key(k), depth + 1) for k, v in value.items()}, where)
        if isinstance(value, list | tuple):
            return Node([self.read(v, where.child(i), depth + 1) for i, v in enumerate(value)], where)
        return Node(scalar(value, where), where)

    @staticmethod
    def _key(key, where):
        if isinstance(key, bool) or not isinstance(key, str | int):
            raise where.error(f"keys must be names or whole numbers. Received: {shown(key)}")
        return key


def scalar(value, where):
    """A string, number, boolean or None as Python's own types, within bounds."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if len(value) > MAX_SCALAR:
            raise where.error(f"a text must have at most {MAX_SCALAR} characters. Received: {len(value)}")
        return str(value)
    if isinstance(value, numbers.Integral):
        value = int(value)
        if abs(value) > MAX_NUMBER:
            raise where.error(f"whole numbers must lie within ±{MAX_NUMBER}")
        return value
    if isinstance(value, numbers.Real):
        value = float(value)
        if not math.isfinite(value):
            raise where.error(f"numbers must be finite. Received: {value}")
        return value
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        return scalar(value.item(), where)
    raise where.error(
        f"a spec holds texts, numbers, true, false, null, lists and mappings. Received: {type(value).__name__}"
    )
