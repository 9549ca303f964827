"""Neighbors within a radius by a grid of cells of that size: time and memory grow with the number of points alone."""

import itertools

import keras
from keras import ops

from keras_equivariant.ops import neighborhoods, periodic

LEAST = 1024  # points; for fewer a table of all pairs is as fast
_KEYS = 2.0e9  # cells of a batch that integers can number
_LAST = 2**31 - 1  # the cell of points that are not there


def within_cutoff(points, mask, k, radius, chunk_size=None, vectors=None, images=1):
    """For each point those within a radius, itself among them, and how much each counts: `smooth_cutoff`.

    Args:
        points: positions `(B, N, d)`.
        mask: `(B, N)` booleans, which points are there.
        k: how many there is place for. Where more are within the radius, it ends at the first without a place.
        radius: a number.
        chunk_size: as in `nearest`.
        vectors, images: the lattice vectors of a periodic cell, `(B, N, d d)`, and how many copies of it are looked at
            on each side, see `periodic.copies`; the radius ends where further ones would be needed.

    Returns:
        `(indices (B, N, k), offsets, weights (B, N, k))`, offsets the planes of x_j - x_i, `(B, N, k)` each.
    """
    number, reach = points.shape[1], radius
    if vectors is not None:
        points, mask, reach = periodic.copies(points, mask, vectors, images, radius)
        reach = ops.where(reach < radius, reach, radius)
    k = min(k, points.shape[1])
    count = min(k + 1, points.shape[1])
    queries = points[:, :number]
    if number * points.shape[1] < LEAST**2 or isinstance(
        points, keras.KerasTensor
    ):  # an exported graph has no branches
        found, there = _of_all_pairs(queries, points, mask, count, radius, chunk_size)
    else:
        found, there = nearest_within(points, mask, count, radius, chunk_size, number)
    centers = tuple(ops.expand_dims(queries[..., i], -1) for i in range(points.shape[2]))
    around = neighborhoods.take(points, found)
    offsets = tuple(around[..., i] - centers[i] for i in range(points.shape[2]))
    far = ops.where(there, neighborhoods.root(sum(x * x for x in offsets)), neighborhoods.FAR)
    edge = ops.minimum(far[..., k:], reach) if count > k else reach
    offsets = tuple(ops.where(there[..., :k], x[..., :k], 0.0) for x in offsets)
    found = found if vectors is None else ops.mod(found, number)  # copies come one cell after the other
    return found[..., :k], offsets, neighborhoods.smooth_cutoff(far[..., :k], edge)


def nearest_within(points, mask, k, radius, chunk_size=None, queries=None):
    """For each point the k nearest of those within a radius, itself among them.

    A point looks into its own cell and those around it, which lie in 3 or 9 runs along the last axis, and takes up to
    2 k + 16 points of each run. Where a run has more, or there are too many cells, all pairs are looked at instead.

    Args:
        points: positions `(B, N, d)`, d = 2 or 3.
        mask: `(B, N)` booleans, which points are there.
        k: number of neighbors, at most N.
        radius: a number.
        chunk_size: as in `neighborhoods.nearest`.
        queries: how many of the points, the first ones, need neighbors; None for all of them.

    Returns:
        `(indices, found)`, `(B, queries, k)` each, the nearest first.
    """
    points = ops.stop_gradient(points)
    first = points[:, :queries]
    grid = _Grid(points, mask, k, 1.02 * radius)

    def choose(queries, numbers):
        return grid.choose(queries, numbers, k, radius)

    indices, found, whole = neighborhoods.in_chunks(choose, first, points, chunk_size, grid.candidates)

    fits = ops.logical_and(ops.all(ops.logical_or(whole, ops.logical_not(mask[:, :queries]))), grid.fits)
    return ops.cond(fits, lambda: (indices, found), lambda: _of_all_pairs(first, points, mask, k, radius, chunk_size))


def _of_all_pairs(queries, points, mask, k, radius, chunk_size):
    within = radius, lambda _, distances: distances
    return neighborhoods.nearest(queries, points, mask, k, neighborhoods.euclidean, *within, chunk_size)[:2]


class _Grid:
    """Points sorted by the number of their cell."""

    def __init__(self, points, mask, k, side):
        self.mask, self.count, self.dimension = mask, points.shape[1], points.shape[2]
        self.width = 2 * k + 16
        there = ops.expand_dims(mask, -1)
        low = ops.min(ops.where(there, points, 1e30), axis=(0, 1))
        extent = ops.relu(ops.max(ops.where(there, points, -1e30), axis=(0, 1)) - low) / side
        one = ops.cast(ops.ones_like(mask[:, :1]), "int32")
        self.sample = ops.cumsum(one, axis=0) - 1
        number = ops.cast(ops.sum(one), extent.dtype)
        self.fits = number * ops.prod(extent + 4) < _KEYS
        extent = ops.where(self.fits, extent, 0.0)
        sizes = ops.cast(ops.floor(extent), "int32") + 3  # a border of empty cells at both ends
        cells = ops.floor(ops.where(there, points - low, 0.0) / side)
        cells = ops.cast(ops.where(self.fits, cells, 0.0), "int32") + 1
        self.strides = [ops.prod(sizes[axis + 1 :]) for axis in range(self.dimension - 1)] + [1]
        key = sum(cells[..., axis] * stride for axis, stride in enumerate(self.strides))
        key = key + self.sample * ops.prod(sizes)
        self.key = ops.where(mask, key, 0)
        flat = ops.reshape(ops.where(mask, key, _LAST), (-1,))
        self.order = ops.cast(ops.argsort(flat), "int32")
        self.sorted = ops.take(flat, self.order)
        self.points = ops.reshape(points, (-1, self.dimension))

    @property
    def candidates(self):
        """How many points each one looks at."""
        return 3 ** (self.dimension - 1) * self.width

    def choose(self, queries, numbers, k, radius):
        """`(indices, found, whole)` for a chunk of queries: whether each saw all points around it."""
        key = ops.take(self.key, ops.minimum(numbers, self.count - 1), axis=1)
        steps = [sum(s * a for s, a in zip(self.strides, at, strict=False)) for at in self._around()]
        runs = ops.stack([key + step for step in steps], axis=-1)
        first = self._search(runs - 1, "left")
        last = self._search(runs + 1, "right")
        slots = ops.expand_dims(first, -1) + ops.arange(self.width, dtype="int32")
        valid = slots < ops.expand_dims(last, -1)
        valid, slots = (ops.reshape(x, (-1, x.shape[1], self.candidates)) for x in (valid, slots))
        chosen = ops.take(self.order, ops.where(valid, slots, 0))
        around = ops.take(self.points, chosen, axis=0)
        pairs = [(around[..., i], ops.expand_dims(queries[..., i], -1)) for i in range(self.dimension)]
        far = neighborhoods.euclidean(*zip(*pairs, strict=True))
        inside = ops.logical_and(valid, neighborhoods.ball(far, radius) > 0)
        smallest, places = ops.top_k(-ops.where(inside, far, neighborhoods.FAR), k)
        own = chosen - ops.expand_dims(self.sample, -1) * self.count
        indices = ops.take_along_axis(ops.where(valid, own, 0), ops.cast(places, "int32"), axis=-1)
        found = -smallest < neighborhoods.FAR / 2
        return ops.cast(indices, "int32"), found, ops.all(last - first <= self.width, axis=-1)

    def _around(self):
        return itertools.product((-1, 0, 1), repeat=self.dimension - 1)

    def _search(self, keys, side):
        found = ops.searchsorted(self.sorted, ops.reshape(keys, (-1,)), side=side)
        return ops.reshape(ops.cast(found, "int32"), (-1, keys.shape[1], keys.shape[2]))
