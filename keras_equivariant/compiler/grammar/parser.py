"""YAML to a tree with line numbers: no tags, no anchors, no duplicate keys, bounded in every direction.

Plain values follow YAML 1.2: only `true` and `false` are booleans, and `1e-3` is a number. `${...}` may be written
without quotes anywhere, also inside `{...}` and `[...]` (where strict YAML editors want quotes around it).
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from keras_equivariant.compiler.grammar.errors import Where
from keras_equivariant.compiler.grammar.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES
from keras_equivariant.compiler.grammar.nodes import Node, scalar

_EXPRESSION = re.compile(r"\$\{[^{}\n]*\}")
_MARK = re.compile("\ue000([0-9]+)\ue001")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def parse_yaml(text, source):
    """The tree of a YAML text.

    Args:
        text: str or bytes.
        source: name of the file, for error messages.

    Returns:
        The root `Node`.

    Raises:
        SpecError: what YAML does not allow, or what specs do not.
    """
    root = Where(source)
    if len(text) > MAX_BYTES:
        raise root.error(f"a spec must have at most {MAX_BYTES} bytes. Received: {len(text)}")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise root.error(f"a spec must be UTF-8 text. Received: byte {error.start} is not") from None
    if "\ue000" in text or "\ue001" in text:
        raise root.error("a spec must not contain the private characters U+E000 and U+E001")
    return _Composer(text, root).document()


def parse_value(text: str) -> Any:
    """One value as the command line writes it: `"23"`, `"1e-3"`, `"[16, 32]"`, `"true"`, `"D4"`."""
    return parse_yaml(text, "value").plain()


class _Composer:
    def __init__(self, text, root):
        self.root = root
        self.nodes = 0
        self.expressions = []
        # `{filters: ${width}}` is not YAML: the braces end the flow mapping. So expressions are taken out
        # beforehand and put back into the values; they span one line, so that line numbers stay.
        self.events = yaml.parse(_EXPRESSION.sub(self._hide, text), Loader=yaml.SafeLoader)

    def _hide(self, match):
        self.expressions.append(match[0])
        return f"\ue000{len(self.expressions) - 1}\ue001"

    def _restore(self, text):
        return _MARK.sub(lambda match: self.expressions[int(match[1])], text)

    def document(self):
        self._next()  # stream start
        if isinstance(self._next(), yaml.StreamEndEvent):
            raise self.root.error("the spec is empty")
        node = self._node(self._next(), self.root, 0)
        self._next()  # document end
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._at(event).error("a file must hold one spec; a second document starts here")
        return node

    def _next(self):
        try:
            event = next(self.events)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = Where(self.root.source, mark.line + 1 if mark else None)
            message = self._restore(" ".join(part for part in (error.context, error.problem) if part))
            hint = "; indent with spaces, not tabs" if r"\t" in message else ""
            raise where.error(f"bad YAML: {message}{hint}") from None
        except yaml.YAMLError as error:
            raise self.root.error(f"bad YAML: {self._restore(str(error))}") from None
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._at(event).error(f"a spec must have at most {MAX_NODES} values")
        return event

    def _at(self, event):
        return Where(self.root.source, event.start_mark.line + 1)

    def _node(self, event, where, depth):
        where = where if where.line else Where(where.source, event.start_mark.line + 1, where.path)
        if depth > MAX_DEPTH:
            raise where.error(f"a spec must be nested at most {MAX_DEPTH} deep")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise where.error("anchors (&) and aliases (*) are not allowed; use `params` and `blocks`")
        if getattr(event, "tag", None) is not None:
            raise where.error(f"tags are not allowed. Received: {event.tag}")
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self._mapping(where, depth), where)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(self._sequence(where, depth), where)
        return Node(self._scalar(event, where), where)

    def _mapping(self, where, depth):
        found = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            key_node = self._node(event, Where(where.source, line, where.path), depth + 1)
            key = key_node.value
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise key_node.error(f"keys must be names or whole numbers. Received: {key_node.kind}")
            place = where.key(key, line)
            if key in found:
                raise place.error(f"duplicate key; the first one is in line {found[key].where.line}")
            found[key] = self._node(self._next(), place, depth + 1)
        return found

    def _sequence(self, where, depth):
        found = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            place = where.child(len(found), event.start_mark.line + 1)
            found.append(self._node(event, place, depth + 1))
        return found

    def _scalar(self, event, where):
        text = self._restore(event.value)
        if not event.implicit[0]:
            return scalar(text, where)
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return scalar(int(text[:30]), where)  # more digits are out of bounds whatever they are
        if len(text) <= 60 and _FLOAT.fullmatch(text):
            return scalar(float(text), where)
        return scalar(text, where)
