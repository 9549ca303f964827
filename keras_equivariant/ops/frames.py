"""Weighted frames of sets of points: rotations that move with the points, continuous where they have a weight."""

import numpy as np
from keras import ops

from keras_equivariant.ops.lie import cross, unstack
from keras_equivariant.ops.principal_axes import quaternion

_TINY = 1e-30
_ROUNDING = 1e-24  # of squares: what lies on a line is nowhere across it


def centered(positions, mask):
    """Planes `(B, N)` of the positions from their mean; 0 where no point is."""
    weights = ops.cast(mask, positions.dtype)
    count = ops.sum(weights, axis=1, keepdims=True)
    count = ops.where(count > 0, count, 1.0)
    planes = [ops.where(mask, p, 0.0) for p in unstack(positions)]
    return tuple((p - ops.sum(p, axis=1, keepdims=True) / count) * weights for p in planes)


def weighted_frames(planes, mask):
    """`(rotation, weights, lines)`: planes `(B, S)`, (cosine, sine) or a unit quaternion, weights `(B, S)` of sum 1,
    and in space `(B, S)`, whether all points lie on the first axis, so that the second is any; else None.

    Args:
        planes: coordinates `(B, N)`, centered, d = 2 or 3.
        mask: `(B, N)`, false where no point is.
    """
    first, length = _unit(planes)
    weights = _shares(length, mask)
    if len(planes) == 2:
        return first, weights, None
    count = mask.shape[1]
    i, j = np.nonzero(~np.eye(count, dtype=bool)) if count > 1 else (np.zeros(1, int), np.zeros(1, int))
    i, j = i.astype("int32"), j.astype("int32")
    axis = tuple(ops.take(x, i, axis=1) for x in first)
    other = tuple(ops.take(x, j, axis=1) for x in planes)
    along = sum(a * b for a, b in zip(axis, other, strict=True))
    across = tuple(b - along * a for a, b in zip(axis, other, strict=True))
    second, distance = _unit(across, _at_right_angles(axis), sum(p * p for p in other) * _ROUNDING)
    each = len(i) // count
    both = ops.logical_and(ops.take(mask, i, axis=1), ops.take(mask, j, axis=1))
    rows = ops.reshape(distance, (-1, count, each)), ops.reshape(both, (-1, count, each))
    share = ops.reshape(_shares(*rows), (-1, len(i)))
    rotation = quaternion(axis, second, cross(axis, second))
    lines = ops.take(ops.sum(rows[0], axis=-1) <= 0, i, axis=1)
    return rotation, share * ops.take(weights, i, axis=1), lines


def _unit(planes, instead=None, least=_TINY):
    """Unit vectors, and lengths with the gradient 0 at 0; `instead`, or the first axis, for squares below `least`."""
    square = sum(p * p for p in planes)
    here = square > least + _TINY
    length = ops.sqrt(ops.where(here, square, 1.0))
    one, zero = ops.ones_like(square), ops.zeros_like(square)
    instead = instead or (one, *(zero for _ in planes[1:]))
    units = tuple(ops.where(here, p / length, ops.stop_gradient(q)) for p, q in zip(planes, instead, strict=True))
    return units, ops.where(here, length, 0.0)


def _at_right_angles(axis):
    """Some unit vector at a right angle to a unit vector of space."""
    x, y, z = axis
    flat = ops.abs(z) < 0.7
    found = (ops.where(flat, y, 0.0), ops.where(flat, -x, z), ops.where(flat, 0.0, -y))
    length = ops.sqrt(sum(c * c for c in found))
    return tuple(c / length for c in found)


def _shares(sizes, mask):
    """Sizes over their sum along the last axis; where all are 0 the same for all that are there, or for all."""
    total = ops.sum(sizes, axis=-1, keepdims=True)
    there = ops.cast(mask, sizes.dtype)
    number = ops.sum(there, axis=-1, keepdims=True)
    even = ops.where(number > 0, there / ops.where(number > 0, number, 1.0), 1.0 / sizes.shape[-1])
    return ops.where(total > 0, sizes / ops.where(total > 0, total, 1.0), even)
