"""A matrix of few distinct numbers as a plan of additions: common sums are taken once."""

import dataclasses

import numpy as np

_DIGITS = 9
_LARGEST_MULTIPLE = 3  # up to which a whole multiple is written as additions


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """A linear map y = M x, number by number.

    Slots 0 .. inputs - 1 hold x, and slot inputs + k what step k makes of earlier slots.

    Attributes:
        inputs: length of x.
        steps: `(a, b, 1)` is the sum of the slots a and b, `(a, b, -1)` a less b, `(a, None, c)` is c times a.
        outputs: for each number of y its slot.
    """

    inputs: int
    steps: tuple
    outputs: tuple

    @property
    def additions(self):
        """Sums and differences."""
        return sum(b is not None for _, b, _ in self.steps)

    @property
    def multiplications(self):
        """Products with a constant."""
        return len(self.steps) - self.additions

    def __call__(self, x):
        """M x for an array whose first axis is that of x: what the plan is tested by."""
        slots = list(np.asarray(x))
        for a, b, factor in self.steps:
            slots.append(factor * slots[a] if b is None else slots[a] + factor * slots[b])
        return np.stack([slots[output] for output in self.outputs])


def additions_of(matrix):
    """The Plan of a matrix `(numbers of y, numbers of x)`.

    Each row is split by the size of its entries into sums with signs, which all rows share; the pair of numbers that
    most of these sums have in common is added first, and so on (greedy elimination of common subexpressions), so that
    a Fourier matrix of a group falls into its butterflies.
    """
    matrix = equalized(np.asarray(matrix, dtype=np.float64))
    sums, rows = {}, []
    for row in matrix:
        rows.append([])
        for size in np.unique(np.abs(row[row != 0])):
            signs = np.sign(row) * (np.abs(row) == size)
            first = signs[np.flatnonzero(signs)[0]]
            index = sums.setdefault(tuple((first * signs).astype(int)), len(sums))
            rows[-1].append((first * size, index))
    builder = _Builder(matrix.shape[1])
    slots = builder.signed_sums(np.array(list(sums), dtype=int).reshape(len(sums), matrix.shape[1]))
    outputs = [builder.combination([(factor, slots[index]) for factor, index in row]) for row in rows]
    return builder.plan(outputs)


def equalized(values):
    """The values with one number for all that are equal up to sign and rounding, and 0 for what is 0 to rounding."""
    _, first, where = np.unique(np.round(np.abs(values), _DIGITS), return_index=True, return_inverse=True)
    sizes = np.abs(values).ravel()[first]
    sizes = np.where(sizes < 10.0**-_DIGITS, 0.0, sizes)
    near = np.round(sizes)
    sizes = np.where(np.abs(sizes - near) < 10.0**-_DIGITS, near, sizes)
    return np.sign(values) * sizes[where].reshape(np.shape(values))


class _Builder:
    def __init__(self, inputs):
        self.inputs, self.steps, self._known = inputs, [], {}

    def step(self, a, b, factor):
        """The slot of a step, which is taken once."""
        if b is not None and factor == 1:
            a, b = min(a, b), max(a, b)
        key = (a, b, factor)
        if key not in self._known:
            self._known[key] = self.inputs + len(self.steps)
            self.steps.append(key)
        return self._known[key]

    def signed_sums(self, signs):
        """The slot of each row of a matrix of -1, 0 and 1 whose first entry that is not 0 is 1."""
        signs = signs.astype(np.float64)  # whole numbers, of which products of matrices are quick
        while (pairs := _commonest(signs)) is not None:
            for a, b, factor in pairs:
                rows = (signs[:, a] * signs[:, b]) == factor
                slot = self.step(a, b, factor)
                if slot >= signs.shape[1]:
                    signs = np.pad(signs, ((0, 0), (0, slot + 1 - signs.shape[1])))
                signs[rows, slot] += signs[rows, a]
                signs[rows, a] = signs[rows, b] = 0
        slots = np.argmax(np.abs(signs), axis=1)
        return [
            int(slot) if row[slot] > 0 else self._negative(int(slot)) for row, slot in zip(signs, slots, strict=True)
        ]

    def combination(self, terms):
        """The slot of a sum of slots with factors, the largest factor last."""
        terms = sorted(terms, key=lambda term: (term[0] < 0, abs(term[0]), term[1]))
        terms = [(sign, slot) for term in terms for sign, slot in self._whole(*term)]
        (sign, slot), *rest = terms
        if sign < 0:
            slot = self._negative(slot)
        for sign, other in rest:
            slot = self.step(slot, other, sign)
        return slot

    def _whole(self, factor, slot):
        """A multiple as slots to add or subtract."""
        sign, size = int(np.sign(factor)), abs(float(factor))
        if size.is_integer() and size <= _LARGEST_MULTIPLE:
            return [(sign, slot)] * int(size)
        return [(sign, self.step(slot, None, size))]

    def _negative(self, slot):
        if slot >= self.inputs:
            a, b, factor = self.steps[slot - self.inputs]
            if b is not None and factor == -1:
                return self.step(b, a, -1)
        return self.step(slot, None, -1.0)

    def plan(self, outputs):
        """The Plan, without steps that nothing needs."""
        needed, steps = set(outputs), []
        for slot in reversed(range(self.inputs, self.inputs + len(self.steps))):
            if slot in needed:
                needed |= {s for s in self.steps[slot - self.inputs][:2] if s is not None}
        kept = sorted(slot for slot in needed if slot >= self.inputs)
        new = dict(enumerate(range(self.inputs))) | {slot: self.inputs + i for i, slot in enumerate(kept)}
        for slot in kept:
            a, b, factor = self.steps[slot - self.inputs]
            steps.append((new[a], None if b is None else new[b], factor))
        return Plan(self.inputs, tuple(steps), tuple(new[slot] for slot in outputs))


def _commonest(signs):
    """Pairs `(a, b, factor)` of columns that the most rows share, each column in one pair; None without one."""
    together = np.abs(signs).T @ np.abs(signs)
    alike = signs.T @ signs
    counts = np.stack([np.triu(together - alike, 1), np.triu(together + alike, 1)]) / 2
    most = counts.max(initial=0)
    if most == 0:
        return None
    found, taken = [], {}
    for a, b in zip(*np.nonzero((counts == most).any(axis=0)), strict=True):
        if taken.setdefault(a, b) != b or taken.setdefault(b, a) != a:
            continue
        found += [(int(a), int(b), 2 * k - 1) for k in (1, 0) if counts[k, a, b] == most]
    return found
