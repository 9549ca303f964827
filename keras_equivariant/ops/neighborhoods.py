"""Distances and neighbors of points, never with a table of all pairs.

Points are rows of a tensor `(B, N, width)`, whatever they are; `distance(a, b)` takes two tuples of planes that
broadcast, one plane a column. A batch axis of 1 stands for points that the whole batch has in common. What is chosen
carries no gradient: it is indices.
"""

import functools
import math

import keras
from keras import ops

from keras_equivariant.ops.sums import plus

FAR = 1e30  # the distance of what is not there
WIDTH = 0.02  # of the edge of a neighborhood, relative to its radius
TIE = 1e-5  # relative difference of distances that counts as none
TINY = 1e-18  # keeps widths positive where all points lie on each other
_RINGS = 4  # of a ball
_BUDGET = 2**21  # distances held at a time
_UNROLLED = 16  # chunks in an exported graph


def nearest(queries, points, mask, k, distance, within=None, order=None, chunk_size=None):
    """For each query the k nearest points, or k of those within a radius.

    Args:
        queries: `(B, M, width)`.
        points: `(B, N, width)`.
        mask: `(B, N)` booleans, which points are there.
        k: number of neighbors, at most N.
        distance: function of two tuples of planes.
        within: None for the nearest; else the radius, a number or scalar tensor: then `k` of the points within it.
        order: function of the chunk's query numbers `(rows,)` and the distances `(B, rows, N)` that gives numbers that
            broadcast to these: those with the smallest are taken where more than k are within the radius.
        chunk_size: queries treated at a time; by default so many that 2^21 distances are held. The result does not
            depend on it.

    Returns:
        `(indices, found, share, keys)`: `(B, M, k)` integers, the nearest or first in order first; `(B, M, k)`
        booleans, false where there are fewer; `(B, M)`, the fraction of the points within the radius (ones without
        one); and `(B, M, k)`, their distances or numbers of order, `FAR` where there are fewer.
    """
    queries, points = ops.stop_gradient(queries), ops.stop_gradient(points)
    choose = functools.partial(_choose, points=points, mask=mask, k=k, distance=distance, within=within, order=order)
    return in_chunks(choose, queries, points, chunk_size)


def euclidean(a, b):
    """The distance of points given by planes."""
    return root(sum((x - y) * (x - y) for x, y in zip(a, b, strict=True)))


def root(square):
    """The square root; its gradient at 0 is 0."""
    here = square > 0
    return ops.where(here, ops.sqrt(ops.where(here, square, 1.0)), 0.0)


def sums(points, mask, distance, chunk_size=None):
    """For each point the sum of its distances from all that are there, `(B, N)`."""
    points = ops.stop_gradient(points)

    def add(queries, numbers):
        far = _distances(queries, points, distance)
        return (ops.sum(ops.where(ops.expand_dims(mask, 1), far, 0.0), axis=-1),)

    return in_chunks(add, points, points, chunk_size)[0]


def in_chunks(choose, queries, points, chunk_size, candidates=None):
    """`choose(queries, numbers)`, a tuple of tensors `(B, rows, ...)`, for all queries, some at a time.

    Each looks at so many candidates, by default at all points.
    """
    count, total = queries.shape[1], candidates or points.shape[1]
    batch = max(queries.shape[0] or 1, points.shape[0] or 1)
    rows = chunk_size or max(1, _BUDGET // (total * batch))
    if rows >= count:
        return choose(queries, ops.arange(count, dtype="int32"))
    chunks = math.ceil(count / rows)
    if isinstance(queries, keras.KerasTensor):  # a graph of stock operations has no loop that sees tensors outside it
        rows = rows if chunk_size else math.ceil(count / min(chunks, _UNROLLED))
        starts = range(0, count, rows)
        numbers = [ops.arange(start, min(start + rows, count), dtype="int32") for start in starts]
        parts = [choose(queries[:, start : start + rows], n) for start, n in zip(starts, numbers, strict=True)]
        return tuple(ops.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    padded = ops.pad(queries, ((0, 0), (0, chunks * rows - count), (0, 0)))
    padded = ops.reshape(padded, (-1, chunks, rows, queries.shape[2]))
    numbers = ops.reshape(ops.arange(chunks * rows, dtype="int32"), (chunks, rows))
    found = ops.map(lambda chunk: choose(*chunk), (ops.transpose(padded, (1, 0, 2, 3)), numbers))
    return tuple(_unchunk(x)[:, :count] for x in found)


def whole_shells(keys, k, beyond, slack):
    """Which part of each point counts as one of the k first, such that points of equal keys count alike.

    A point as far as the k-th counts as the k-th does, and one a little farther (`WIDTH` of the k-th key) in part,
    ever less. Where there are more such points than places, all of them count nothing. So the weights are continuous
    functions of the keys, and numbers 1 and 0 but near the edge.

    Args:
        keys: `(..., K)`, ascending, of the points that there are places for.
        k: from 1 to K.
        beyond: `(..., 1)`, the key of the first point without a place.
        slack: how much two keys differ by rounding, `(..., 1)`.

    Returns:
        `(..., K)`, from 0 to 1.
    """
    last = keys[..., k - 1 : k]
    slack = plus(slack, TIE * last)
    width = plus(WIDTH * last, slack) + TINY
    edge = plus(last, plus(slack, width))
    outside = beyond - slack
    edge = ops.where(outside < edge, outside, edge)
    return _from_0_to_1((edge - keys) / width)


def ball(distances, radius):
    """1 inside, 0 outside, and in between over a small fraction of the radius: rounding at the edge tells little."""
    return _from_0_to_1((radius - distances) / (WIDTH * radius) + 0.5)


def smooth_cutoff(distances, edge):
    """1 - 28 x^6 + 48 x^7 - 21 x^8 of x = distance / edge, 0 beyond: from 1 down to 0 with two continuous derivatives,
    at the edge and at 0 (Gasteiger et al., Directional Message Passing for Molecular Graphs, arXiv 2003.03123, eq. 8).
    """
    inside = distances < edge  # of the distances themselves: a point at the edge is none, however quotients round
    x = ops.where(inside, distances / edge, 0.0)
    rest = 1 - x  # the polynomial is (1 - x)^3 times one of positive terms, which rounds little
    return ops.where(inside, rest * rest * rest * (1 + x * (3 + x * (6 + x * (10 + x * (15 + 21 * x))))), 0.0)


def from_rings(distances, radius):
    """How far points are from the nearest of some rings in a ball, its center among them: a sample from all over it,
    in which points of equal distance stand together, whatever their own order."""
    spacing = radius / _RINGS
    return ops.abs(distances - spacing * ops.floor(distances / spacing + 0.5))


def _from_0_to_1(x):
    """`ops.clip` rounds float64 on some backends."""
    x = ops.relu(x)
    return ops.where(x < 1, x, ops.ones_like(x))


def _unchunk(x):
    """(chunks, B, rows, ...) as (B, chunks rows, ...)."""
    x = ops.swapaxes(x, 0, 1)
    return ops.reshape(x, (-1, x.shape[1] * x.shape[2], *x.shape[3:]))


def _distances(queries, points, distance):
    """(B, rows, N)."""
    pairs = tuple(ops.expand_dims(points[..., i], 1) for i in range(points.shape[-1]))
    centers = tuple(ops.expand_dims(queries[..., i], 2) for i in range(queries.shape[-1]))
    return distance(pairs, centers)


def _choose(queries, numbers, points, mask, k, distance, within, order):
    far = _distances(queries, points, distance)
    there = ops.expand_dims(mask, 1)
    if within is None:
        key = ops.where(there, far, FAR)
        share = ops.ones_like(far[..., 0])
    else:
        inside = ops.logical_and(there, ball(far, within) > 0)
        key = ops.where(inside, ops.cast(order(numbers, far), far.dtype) * ops.ones_like(far), FAR)
        share = ops.sum(ops.cast(ops.logical_and(there, far < within), far.dtype), axis=-1)
        share = share / ops.maximum(ops.sum(ops.cast(there, far.dtype), axis=-1), 1)
    smallest, indices = ops.top_k(-key, k)
    return ops.cast(indices, "int32"), -smallest < FAR / 2, share, -smallest


def take(x, indices):
    """Rows of `x` (B, N, C) at `indices` (B, ...): (B, ..., C); a batch of 1 in either serves all of the other."""
    if indices.shape[0] == 1:
        return ops.take(x, indices[0], axis=1)
    if x.shape[0] == 1:
        return ops.take(x[0], indices, axis=0)
    # One gather of rows; the number of the sample is counted along the batch, whose size may be unknown.
    one = ops.ones_like(ops.reshape(indices, (-1, math.prod(indices.shape[1:])))[:, :1])
    before = ops.reshape(1 - ops.cumsum(one, axis=0), (-1, *(1,) * (len(indices.shape) - 1))) * x.shape[1]
    flat = ops.reshape(x, (-1, x.shape[-1]))
    # Subtracted: `ops.add` takes (k, 1, 1) beside (B, M, k) for a bias along the last axis.
    return ops.take(flat, indices - before, axis=0)
