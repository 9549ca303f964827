"""Distances, neighbours and well-spread subsets of points, never with a table of all pairs.

Points are rows of a tensor `(B, N, width)`, whatever they are; `distance(a, b)` takes two tuples of planes that
broadcast, one plane a column. A batch axis of 1 stands for points that the whole batch has in common. What is chosen
carries no gradient: it is indices.
"""

import functools
import math

import keras
from keras import ops

FAR = 1e30  # the distance of what is not there
_BUDGET = 2**21  # distances held at a time
_UNROLLED = 16  # chunks in an exported graph


def nearest(queries, points, mask, k, distance, within=None, order=None, chunk_size=None):
    """For each query the k nearest points, or k of those within a radius.

    Args:
        queries: `(B, M, width)`.
        points: `(B, N, width)`.
        mask: `(B, N)` booleans, which points are there.
        k: number of neighbours, at most N.
        distance: function of two tuples of planes.
        within: None for the nearest; else the radius, a number or scalar tensor: then `k` of the points within it.
        order: function of the chunk's query numbers `(rows,)` that gives numbers in [0, 1), `(rows, N)` or
            `(B, rows, N)`: those with the smallest are taken where more than k are within the radius.
        chunk_size: queries treated at a time; by default so many that 2^21 distances are held. The result does not
            depend on it.

    Returns:
        `(indices, found, share)`: `(B, M, k)` integers; `(B, M, k)` booleans, false where there are fewer; and
        `(B, M)`, the fraction of the points within the radius (ones without one).
    """
    queries, points = ops.stop_gradient(queries), ops.stop_gradient(points)
    count, total = queries.shape[1], points.shape[1]
    batch = max(queries.shape[0] or 1, points.shape[0] or 1)
    rows = chunk_size or max(1, _BUDGET // (total * batch))
    choose = functools.partial(_choose, points=points, mask=mask, k=k, distance=distance, within=within, order=order)
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


def _unchunk(x):
    """(chunks, B, rows, ...) as (B, chunks rows, ...)."""
    x = ops.swapaxes(x, 0, 1)
    return ops.reshape(x, (-1, x.shape[1] * x.shape[2], *x.shape[3:]))


def _choose(queries, numbers, points, mask, k, distance, within, order):
    pairs = [ops.expand_dims(points[..., i], 1) for i in range(points.shape[-1])]
    centres = [ops.expand_dims(queries[..., i], 2) for i in range(queries.shape[-1])]
    far = distance(tuple(pairs), tuple(centres))
    there = ops.expand_dims(mask, 1)
    if within is None:
        key = ops.where(there, far, FAR)
        share = ops.ones_like(far[..., 0])
    else:
        inside = ops.logical_and(there, far < within)
        key = ops.where(inside, ops.cast(order(numbers), far.dtype) * ops.ones_like(far), FAR)
        share = ops.sum(ops.cast(inside, far.dtype), axis=-1)
        share = share / ops.maximum(ops.sum(ops.cast(there, far.dtype), axis=-1), 1)
    smallest, indices = ops.top_k(-key, k)
    return ops.cast(indices, "int32"), -smallest < FAR / 2, share


def spread(points, mask, count, distance):
    """`count` points far from each other: each next one is the farthest from those chosen before.

    The first is the first that is there; equal distances go to the lower index; points that are not there come last.

    Args:
        points: `(B, N, width)`.
        mask: `(B, N)` booleans.
        count: how many, at most N.
        distance: function of two tuples of planes.

    Returns:
        `(B, count)` integers.

    Reference: Finzi et al., arXiv 2002.12880, appendix (farthest-point sampling in a left-invariant distance).
    """
    points = ops.stop_gradient(points)
    places = ops.arange(points.shape[1], dtype="int32")[None]
    last = ops.convert_to_tensor(points.shape[1] - 1, "int32")
    slots = ops.arange(count, dtype="int32")[None]
    # Chosen points lie behind those that are not there, which lie behind all others.
    score = ops.where(mask, ops.cast(FAR, points.dtype), ops.cast(-1.0, points.dtype)) + 0 * points[..., 0]
    chosen = ops.zeros_like(ops.cast(score[:, :1], "int32")) + ops.zeros_like(slots)

    def step(i, points, score, chosen):
        planes = tuple(points[..., axis] for axis in range(points.shape[-1]))
        highest = ops.equal(score, ops.max(score, axis=1, keepdims=True))
        best = ops.min(ops.where(highest, places, last), axis=1, keepdims=True)  # top_k breaks ties as it likes
        here = ops.equal(places, best)
        # A sum with one term: converters to ONNX lose the shape of a gather within a loop.
        new = tuple(ops.sum(ops.where(here, plane, 0), axis=1, keepdims=True) for plane in planes)
        score = ops.where(score < 0, score, ops.minimum(score, distance(planes, new)))
        score = ops.where(here, ops.cast(-2.0, score.dtype), score)
        return i + 1, points, score, ops.where(ops.equal(slots, i), best, chosen)

    start = ops.zeros((), "int32"), points, score, chosen
    return ops.while_loop(lambda i, *_: i < count, step, start, maximum_iterations=count)[-1]


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
