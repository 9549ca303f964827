"""`${...}`: arithmetic and comparisons on parameters, and nothing else.

    ${2 * filters + 1}   ${widths[group]}   ${1 if exact else 2}   ${round(width / order(group) ** 0.5)}

An expression is parsed by Python's own parser and then walked over a whitelist of nodes: numbers, texts, names of
parameters, + - * / // % **, comparisons, and / or / not, `a if c else b`, lists, `table[key]` and the functions
below. No attributes, no other calls, no assignments. Numbers are bounded, so that 9**9**9 is an error.
"""

import ast
import math
import operator
import re

from keras_equivariant import groups
from keras_equivariant.compiler.grammar.errors import SpecError
from keras_equivariant.compiler.grammar.limits import MAX_DEPTH, MAX_EXPRESSION, MAX_ITEMS, MAX_NUMBER, MAX_TEXT
from keras_equivariant.groups import planar
from keras_equivariant.groups.registry import plain_name
from keras_equivariant.utils.text import nearest, shown


def _order(group):
    """The number of elements of a group, given by its name."""
    found = planar.order_of(group) or groups.get(group).order
    if found == math.inf:
        raise ValueError(
            f'`order` counts the elements of a finite group. Received: "{group}", which has no end of them; use one '
            "that holds some, such as C8 of the rotations of the plane or O of those of space"
        )
    return found


_WHOLE = re.compile(r"\$\{([^{}]*)\}")
FUNCTIONS = {
    "abs": abs,
    "float": float,
    "int": int,
    "len": len,
    "max": max,
    "min": min,
    "order": _order,
    "round": round,
    "side": lambda size, axis: size[axis] if isinstance(size, list) else size,
}
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def resolve(node, scope):
    """The plain value of a node, its expressions filled in from `scope` (a mapping of names to values)."""
    if isinstance(node.value, dict):
        value = {key: resolve(child, scope) for key, child in node.value.items()}
    elif isinstance(node.value, list):
        value = [resolve(child, scope) for child in node.value]
    else:
        return fill(node.value, scope, node.where)
    return _bounded(value, node.where)


def fill(value, scope, where):
    """A scalar with its expressions filled in: a value of any type if it is one whole `${...}`, else a text."""
    if not isinstance(value, str) or "${" not in value:
        return value
    if match := _WHOLE.fullmatch(value.strip()):
        return evaluate(match[1], scope, where)
    rest = _WHOLE.sub("", value)
    if "${" in rest:
        raise where.error("an expression must be closed on the same line, and hold no braces: `${...}`")
    text = _WHOLE.sub(lambda m: _as_text(evaluate(m[1], scope, where), where), value)
    if len(text) > MAX_TEXT:
        raise where.error(f"a text must have at most {MAX_TEXT} characters once it is filled in")
    return text


def evaluate(text, scope, where):
    """The value of an expression.

    Args:
        text: what stands between `${` and `}`.
        scope: mapping of parameter names to values.
        where: its place, for error messages.

    Raises:
        SpecError: not an expression, an unknown name, or a value out of bounds.
    """
    if len(text) > MAX_EXPRESSION:
        raise where.error(f"an expression must have at most {MAX_EXPRESSION} characters. Received: {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise where.error(f"an expression must be arithmetic on parameters. Received: ${{{text}}}") from None
    try:
        return _Evaluator(scope, where, text).visit(tree.body)
    except SpecError:
        raise
    except RecursionError:
        raise where.error(f"an expression must be simpler. Received: ${{{text}}}") from None
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise where.error(f"the expression ${{{text}}} has no value: {error}") from None


class _Evaluator:
    def __init__(self, scope, where, text):
        self.scope, self.where, self.text = scope, where, text

    def visit(self, node):
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise self._error("an expression must be arithmetic on parameters")
        return self._checked(method(node))

    def _error(self, message):
        return self.where.error(f"{message}. Received: ${{{self.text}}}")

    def _checked(self, value):
        if isinstance(value, complex):
            raise self._error("an expression must have a real value")
        if isinstance(value, int | float) and not isinstance(value, bool):
            if not math.isfinite(value) or abs(value) > MAX_NUMBER:
                raise self._error(f"numbers must lie within ±{MAX_NUMBER}")
        return value

    def _constant(self, node):
        if node.value is None or isinstance(node.value, bool | int | float | str):
            return node.value
        raise self._error("an expression must be arithmetic on parameters")

    def _name(self, node):
        if node.id in self.scope:
            return self.scope[node.id]
        words = {"true": True, "false": False, "null": None}
        if node.id in words:
            return words[node.id]
        raise self.where.error(f'unknown parameter "{node.id}". {nearest(node.id, self.scope)}')

    def _list(self, node):
        return _bounded([self.visit(item) for item in node.elts], self.where)

    def _unaryop(self, node):
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        if type(node.op) not in _UNARY:
            raise self._error("an expression must be arithmetic on parameters")
        return _UNARY[type(node.op)](self._number(value))

    def _binop(self, node):
        left, right = self._number(self.visit(node.left)), self._number(self.visit(node.right))
        if type(node.op) not in _ARITHMETIC:
            raise self._error("an expression must be arithmetic on parameters")
        if isinstance(node.op, ast.Pow) and (abs(right) > 64 or abs(left) > 1e6):
            raise self._error("powers must have a base within ±1e6 and an exponent within ±64")
        return _ARITHMETIC[type(node.op)](left, right)

    def _number(self, value):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(f"arithmetic takes numbers, not {shown(value)}")
        return value

    def _compare(self, node):
        left = self.visit(node.left)
        for op, item in zip(node.ops, node.comparators, strict=True):
            right = self.visit(item)
            if type(op) not in _COMPARISONS:
                raise self._error("an expression must be arithmetic on parameters")
            if not _COMPARISONS[type(op)](left, right):
                return False
            left = right
        return True

    def _boolop(self, node):
        value = None
        for item in node.values:
            value = self.visit(item)
            if bool(value) != isinstance(node.op, ast.And):
                break
        return value

    def _ifexp(self, node):
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def _call(self, node):
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if name not in FUNCTIONS or node.keywords:
            raise self._error(f"the functions of expressions are {', '.join(FUNCTIONS)}")
        arguments = [self.visit(item) for item in node.args]
        if name not in ("order", "len", "side"):
            for value in arguments[0] if len(arguments) == 1 and isinstance(arguments[0], list) else arguments:
                self._number(value)
        return FUNCTIONS[name](*arguments)

    def _subscript(self, node):
        table, key = self.visit(node.value), self.visit(node.slice)
        if isinstance(table, list) and isinstance(key, int) and not isinstance(key, bool):
            if -len(table) <= key < len(table):
                return table[key]
            raise self._error(f"a list of {len(table)} values has no index {key}")
        if isinstance(table, dict):
            return self._lookup(table, key)
        raise self._error(f"only tables and lists can be looked up, not {shown(table)} by {shown(key)}")

    def _lookup(self, table, key):
        if isinstance(key, str | int) and key in table:
            return table[key]
        # So that a table of Z2, C4 and D4 is found by p4m as well; by names, since to build a group takes time.
        for name, value in table.items():
            if isinstance(key, str) and isinstance(name, str) and plain_name(name) == plain_name(key):
                return value
        raise self.where.error(f"the table has no entry {shown(key)}: ${{{self.text}}}. {nearest(key, table)}")


def _as_text(value, where):
    if value is None or isinstance(value, list | dict):
        raise where.error(f"only texts and numbers can stand inside a text. Received: {shown(value)}")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bounded(value, where):
    """The value, if it is small and shallow enough; lists of the same list would grow without bound."""
    if _leaves(value, MAX_ITEMS, MAX_DEPTH) > MAX_ITEMS:
        raise where.error(f"a list must have at most {MAX_ITEMS} values and be nested at most {MAX_DEPTH} deep")
    return value


def _leaves(value, limit, depth):
    if not isinstance(value, list | dict):
        return 1
    if not depth:
        return limit + 1
    count = 1
    for item in value.values() if isinstance(value, dict) else value:
        count += _leaves(item, limit - count, depth - 1)
        if count > limit:
            break
    return count
