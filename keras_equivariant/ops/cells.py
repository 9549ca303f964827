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
    exported = isinstance(points, keras.KerasTensor)  # such a graph has no branches
    if number * points.shape[1] < LEAST**2 or exported:
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
    first = points[:, :queries]
    return in_radius(first, points, mask, k, radius, by_distance, chunk_size, present=mask[:, :queries])[:2]


def by_distance(numbers, distances, chosen=None):
    """The order of the nearest."""
    return distances


def in_radius(queries, points, mask, k, radius, order, chunk_size=None, width=None, present=None):
    """What `neighborhoods.nearest` gives for a radius and distances of space, for queries among the points.

    A query looks into its own cell and those around it, which lie in 3 or 9 runs along the last axis, and takes up to
    `width` points of each run. Where a run has more, or there are too many cells, all pairs are looked at instead.

    Args:
        queries, points, mask, k, radius, chunk_size: as in `neighborhoods.nearest`, of positions `(B, N, d)`.
        order: as there, with a third argument: numbers `(B, rows, some)` of the points that the distances are to.
        width: `room(k)` where None.
        present: `(B, M)` booleans, which queries are there; None for all.
    """
    queries, points = ops.stop_gradient(queries), ops.stop_gradient(points)
    grid = Grid(points, mask, width or room(k), 1.02 * radius)

    def choose(queries, numbers):
        return grid.choose(queries, numbers, k, radius, order)

    *found, whole = neighborhoods.in_chunks(choose, queries, points, chunk_size, grid.candidates)
    if present is not None:
        whole = ops.logical_or(whole, ops.logical_not(present))
    fits = ops.logical_and(ops.all(whole), grid.fits)
    pairs = neighborhoods.euclidean, radius, order, chunk_size
    return ops.cond(fits, lambda: tuple(found), lambda: neighborhoods.nearest(queries, points, mask, k, *pairs))


def room(count):
    """Places of a run of three cells where so many points are within the radius: half of them at an even density."""
    return 2 * count + 16


def pays(count, dimension, width):
    """Whether so many points with runs of this width are fewer to look at by cells than by all pairs."""
    return count >= LEAST and 2 * 3 ** (dimension - 1) * width < count


def _of_all_pairs(queries, points, mask, k, radius, chunk_size):
    within = radius, by_distance
    return neighborhoods.nearest(queries, points, mask, k, neighborhoods.euclidean, *within, chunk_size)[:2]


class Grid:
    """Points sorted by the number of their cell."""

    def __init__(self, points, mask, width, side):
        self.count, self.dimension, self.width, self.side = points.shape[1], points.shape[2], width, side
        there = ops.expand_dims(mask, -1)
        self.low = ops.min(ops.where(there, points, 1e30), axis=(0, 1))
        extent = ops.relu(ops.max(ops.where(there, points, -1e30), axis=(0, 1)) - self.low) / side
        one = ops.cast(ops.ones_like(mask[:, :1]), "int32")
        self.sample = ops.cumsum(one, axis=0) - 1
        number = ops.cast(ops.sum(one), extent.dtype)
        self.fits = number * ops.prod(extent + 4) < _KEYS
        self.last = ops.floor(ops.where(self.fits, extent, 0.0))
        sizes = ops.cast(self.last, "int32") + 3  # a border of empty cells at both ends
        self.strides = [ops.prod(sizes[axis + 1 :]) for axis in range(self.dimension - 1)] + [1]
        self.cells = ops.prod(sizes)
        self.inside = ops.sum(ops.cast(mask, points.dtype), axis=1, keepdims=True)
        flat = ops.reshape(ops.where(mask, self.keys(ops.where(there, points, self.low)), _LAST), (-1,))
        self.order = ops.cast(ops.argsort(flat), "int32")
        self.sorted = ops.take(flat, self.order)
        self.points = ops.reshape(points, (-1, self.dimension))

    @property
    def candidates(self):
        """How many points each one looks at."""
        return 3 ** (self.dimension - 1) * self.width

    def keys(self, points):
        """The numbers of the cells that points among those of the grid lie in; others count as in the nearest one."""
        cells = ops.relu(ops.floor((points - self.low) / self.side))
        cells = ops.cast(ops.where(cells < self.last, cells, self.last), "int32") + 1
        return sum(cells[..., axis] * stride for axis, stride in enumerate(self.strides)) + self.sample * self.cells

    def choose(self, queries, numbers, k, radius, order):
        """What `in_radius` gives for a chunk of queries, and whether each saw all points around it."""
        key = self.keys(queries)
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
        own = ops.where(valid, chosen - ops.expand_dims(self.sample, -1) * self.count, 0)
        smallest, places = ops.top_k(-ops.where(inside, order(numbers, far, own), neighborhoods.FAR), k)
        indices = ops.take_along_axis(own, ops.cast(places, "int32"), axis=-1)
        within = ops.cast(ops.logical_and(valid, far < radius), far.dtype)
        share = ops.sum(within, axis=-1) / ops.where(self.inside > 0, self.inside, 1.0)
        found = -smallest < neighborhoods.FAR / 2
        return ops.cast(indices, "int32"), found, share, -smallest, ops.all(last - first <= self.width, axis=-1)

    def _around(self):
        return itertools.product((-1, 0, 1), repeat=self.dimension - 1)

    def _search(self, keys, side):
        found = ops.searchsorted(self.sorted, ops.reshape(keys, (-1,)), side=side)
        return ops.reshape(ops.cast(found, "int32"), (-1, keys.shape[1], keys.shape[2]))
