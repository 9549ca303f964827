"""Numbers for expressions: two channels have the same number where they are the same function of the input.

An expression is an operation, its constants and the numbers of what it acts on. Sums of floats are taken without order
and -x has minus the number of x; both hold up to the order of sums, so neither is done for integers.
"""

import hashlib

import numpy as np


class Table:
    """Expressions by their number, from 1."""

    def __init__(self):
        self._numbers = {}
        self._keys = [None]

    def number(self, *key):
        """The number of an expression."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._keys)
            self._keys.append(key)
        return found

    def key(self, number):
        """What `number` was called with."""
        return self._keys[abs(number)]

    def each(self, function, ids):
        """The array of `function(id)`, called once for each id there is."""
        values, where = np.unique(ids, return_inverse=True)
        return np.array([function(int(value)) for value in values], np.int64)[where].reshape(np.shape(ids))

    def rows(self, function, ids):
        """The array of `function(tuple)` over the rows, the last axis."""
        rows, where = np.unique(ids.reshape(-1, ids.shape[-1]), axis=0, return_inverse=True)
        found = np.array([function(tuple(map(int, row))) for row in rows], np.int64)
        return found[where.reshape(-1)].reshape(ids.shape[:-1])

    def sum(self, numbers):
        """A sum of floats, whatever its order."""
        terms = []
        for number in numbers:
            key = self.key(number)
            sign = 1 if number > 0 else -1
            terms += [sign * term for term in key[1]] if key[0] == "sum" else [number]
        terms = [term for term in terms if not self._is_zero(term)] or terms[:1]
        if len(terms) == 1:
            return terms[0]
        terms.sort(key=lambda term: (abs(term), term))
        sign = 1 if terms[0] > 0 else -1
        return sign * self.number("sum", tuple(sorted((sign * t for t in terms), key=lambda t: (abs(t), t))))

    def _is_zero(self, number):
        key = self.key(number)
        return key[0] == "constant" and not any(key[2])

    def product(self, numbers):
        """A product of floats."""
        sign = int(np.prod([1 if number > 0 else -1 for number in numbers]))
        return sign * self.number("product", tuple(sorted(map(abs, numbers))))

    def extreme(self, name, numbers):
        """The largest or smallest of some numbers, exact whatever the order."""
        terms = set()
        for number in numbers:
            key = self.key(number)
            terms |= set(key[1]) if number > 0 and key[0] == name else {number}
        return terms.pop() if len(terms) == 1 else self.number(name, tuple(sorted(terms)))

    def linear(self, *key):
        """The number of a linear function of floats; its argument is the last entry of the key."""
        return (1 if key[-1] > 0 else -1) * self.number(*key[:-1], abs(key[-1]))

    def over_windows(self, mode, windows, number, merge):
        """A function of windows: on other axes than the ones that it follows, it is one function of larger windows.

        Args:
            windows: one per axis of space, None where nothing happens.
            merge: whether functions one after the other may be one: not where the numbers between are rounded.
        """
        if mode in ("mean", "matrix", "taken"):
            return (1 if number > 0 else -1) * self._over_windows(mode, windows, abs(number), merge)
        return self._over_windows(mode, windows, number, merge)

    def _over_windows(self, mode, windows, number, merge):
        key = self.key(number)
        if merge and number > 0 and key[:2] == ("windows", mode):
            if not any(a and b for a, b in zip(windows, key[2], strict=True)):
                windows, number = tuple(a or b for a, b in zip(windows, key[2], strict=True)), key[3]
        return self.number("windows", mode, windows, number)


def digest(*parts):
    """A short name for the bytes of arrays."""
    whole = hashlib.blake2b(digest_size=16)
    for part in parts:
        whole.update(np.ascontiguousarray(part).tobytes())
    return whole.digest()
