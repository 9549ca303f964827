"""Left-invariant distances of points of a Lie group, of which neighborhoods are made."""

import functools

import keras
import numpy as np
from keras import ops

from keras_equivariant.ops.lie import unstack
from keras_equivariant.ops.neighborhoods import root

_TILT = 1e-2
APART = 1e6  # from what only the limit of ever smaller scales reaches


class LeftInvariant:
    """The left-invariant distance of two rows (element, orbit), a function of two tuples of planes.

    Args:
        arithmetic: of `ops.lie`.
        angles: how many coordinates of a logarithm come first and are scale and rotation.
        metric: squared weights of the coordinates.
        form: `"squared"`: d^2 = |log v^-1 u|^2 + alpha |q_u - q_v|^2, in the Frobenius norm, as in the paper's text;
            `"convex"`: alpha times the rotation's length plus 1 - alpha times the translation's or the orbits'
            distance, as in the authors' code. There SO(2)'s orbits are |r_u - r_v| / (r_u + r_v + 0.001) apart, and
            R>0 x SO(2) weighs its angle by alpha and its scale by 1 - alpha.
        alpha: from 0 to 1.
    """

    def __init__(self, arithmetic, angles, metric, form, alpha):
        self.arithmetic, self.angles, self.metric = arithmetic, angles, metric
        self.form, self.alpha = form, alpha

    def __call__(self, v, u):
        return self.length(self.log(v, u), v, u)

    def log(self, v, u):
        """The coordinates of log v^-1 u."""
        own, size = self.arithmetic, self.arithmetic.size
        return own.log(own.relative(v[:size], u[:size])) if size else ()

    def tilted(self, v, u):
        """The distance and a little of each coordinate of the logarithm: left-invariant, too, but no longer the same
        for what a mirror alone, or any other map outside the group, takes to each other. Nothing is `APART`: sums stay
        of one scale."""
        log, size = self.log(v, u), self.arithmetic.size
        return self._length(log, v[size:], u[size:]) + sum((_TILT / (1 + i)) * x for i, x in enumerate(log))

    def rounding(self, centers, elements, mask):
        """How much distances from the centers may differ by rounding, `(B, M, 1)`: the same wherever the points are.

        Of coordinates that grow with the translation it is how far the center is from the middle of all points that
        counts; of others, which are of order 1 or make no difference but by their ratios, nothing.
        """
        size, first = self.arithmetic.size, self.arithmetic.size - self.arithmetic.shifts
        center, points = (unstack(ops.stop_gradient(x)) for x in (centers, elements))
        total = ops.full_like(center[0], float(first > 0))
        for orbit in center[size:]:
            total = total + ops.abs(orbit)
        if first < size:
            count = ops.maximum(ops.sum(ops.cast(mask, total.dtype), axis=1, keepdims=True), 1.0)
            means = [ops.sum(ops.where(mask, x, 0.0), axis=1, keepdims=True) / count for x in points[first:size]]
            total = total + root(_squares([x - mean for x, mean in zip(center[first:size], means, strict=True)]))
        unit = np.finfo(keras.backend.standardize_dtype(total.dtype)).eps
        return ops.expand_dims(total * float(16 * unit), -1)

    def length(self, log, v, u):
        """The distance from the logarithm of the two."""
        size = self.arithmetic.size
        found = self._length(log, v[size:], u[size:])
        apart = getattr(self.arithmetic, "apart", None)
        return found if apart is None else ops.where(apart(v[:size], u[:size]), APART, found)

    def _length(self, log, before, after):
        alpha = self.alpha
        orbits = tuple(b - a for a, b in zip(before, after, strict=True))
        if self.form == "squared":
            return root(_squares(log, self.metric) + alpha * _squares(orbits))
        if len(log) == 2 and self.angles == 2:  # R>0 x SO(2)
            return alpha * ops.abs(log[1]) + (1 - alpha) * ops.abs(log[0])
        rotation, translation = log[: self.angles], log[self.angles :]
        if not rotation:
            rotation, translation = translation, ()
        rest = translation or orbits
        if not rotation or not rest:
            return root(_squares(rotation or rest))
        other = root(_squares(rest))
        if self.angles == len(orbits) == 1:  # SO(2)
            other = other / (before[0] - (-1e-3 - after[0]))
        return alpha * root(_squares(rotation)) + (1 - alpha) * other


def _squares(planes, weights=None):
    if not planes:
        return 0.0
    weights = weights or (1.0,) * len(planes)
    return functools.reduce(lambda a, b: a + b, (w * p * p for w, p in zip(weights, planes, strict=True)))
