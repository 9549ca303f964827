"""Scalings of the axes on tensors, in the protocol of `ops.lie`."""

import functools

import numpy as np
from keras import ops

_TINY = 1e-15  # a coordinate below it counts as 0


class AxisScalings:
    """Scalings of the axes whose logarithms some generators span.

    A point with a coordinate 0 is the limit of ever smaller scales: its element is 0, and so is the logarithm of it to
    any other. What the group leaves alone are the signs of the coordinates, and their sizes across the generators.
    """

    shifts = 0

    def __init__(self, generators):
        self._rows = np.array(generators, dtype=np.float64)
        self._inverse = np.linalg.pinv(self._rows)
        self.dimension = self.size = self._rows.shape[1]

    def lift(self, points, rotation=None):
        here = functools.reduce(ops.logical_and, (ops.abs(p) > _TINY for p in points))
        logs = tuple(ops.log(ops.where(here, ops.abs(p), 1.0)) for p in points)
        along = _combined(_combined(logs, self._inverse), self._rows)
        sizes = (ops.exp(a - b) for a, b in zip(logs, along, strict=True))
        element = tuple(ops.where(here, ops.exp(a), 0.0) for a in along)
        return element, tuple(ops.sign(p) * size for p, size in zip(points, sizes, strict=True))

    def relative(self, v, u):
        return tuple(b / ops.where(a > 0, a, 1.0) * ops.cast(a > 0, a.dtype) for a, b in zip(v, u, strict=True))

    def apart(self, v, u):
        """Whether one of the two is such a limit and the other is not."""
        return ops.logical_xor(v[0] > 0, u[0] > 0)

    def product(self, v, u):
        return tuple(a * b for a, b in zip(v, u, strict=True))

    def exp(self, a):
        return tuple(ops.exp(x) for x in _combined(a, self._rows))

    def log(self, u):
        return _combined(tuple(ops.log(ops.where(x > 0, x, 1.0)) for x in u), self._inverse)

    def rotate(self, u, vector):
        return self.product(u, vector)


def _combined(planes, matrix):
    """Sums of planes weighted by the columns of a constant matrix."""
    return tuple(sum(float(w) * x for w, x in zip(column, planes, strict=True)) for column in matrix.T)
