"""The nearest points of many by grids of cells, ever coarser ones for those in ever emptier places."""

import math

from keras import ops

from keras_equivariant.ops import cells, neighborhoods

_GRIDS = 8  # at most; who is left then looks at all points
_SAMPLE = 1024  # queries that look at all points to tell how far neighbors are; so few may do so in the end
_LEAST = 16384  # points; for fewer a table of all pairs is as fast
_GATHERED = 12  # times as long a candidate takes that is gathered


def pays(queries, count, dimension, k):
    """Whether the nearest of so many points are found sooner by cells than by all pairs."""
    looked_at = 2 * queries * 3 ** (dimension - 1) * _room(k)
    return count >= _LEAST and _GATHERED * looked_at + 2 * _SAMPLE * count < queries * count


def nearest_in_cells(queries, points, mask, k, chunk_size=None):
    """What `neighborhoods.nearest` gives for distances of space.

    A query is done on the first grid on which its k nearest are within the radius and none of the runs of cells around
    it holds more points than there is place for. The radius of a grid is that of the densest places that are left.

    Args:
        queries, points, mask, k, chunk_size: as in `neighborhoods.nearest`, of positions `(B, N, d)`, d = 2 or 3.
    """
    queries, points = ops.stop_gradient(queries), ops.stop_gradient(points)
    distances = _Distances(queries, points, mask, k, chunk_size)

    def on_a_grid(indices, keys, left):
        radius = distances.radius(left)
        grid = cells.Grid(points, mask, _room(k), 1.02 * radius)

        def in_cells(some, numbers):
            indices, _, _, keys, whole = grid.choose(some, numbers, k, radius, cells.by_distance)
            return indices, keys, ops.logical_and(whole, keys[..., -1] < radius)

        rows = _Rows(left)
        *new, done = rows.each(in_cells, queries, points, k, chunk_size, grid.candidates, grid.fits)
        return *_merged(new, (indices, keys), done), ops.logical_and(left, ops.logical_not(done))

    def many(indices, keys, left):
        return ops.max(ops.sum(ops.cast(left, "int32"), axis=1)) > _SAMPLE

    zero = ops.zeros_like(queries[..., :1])
    start = ops.cast(_times(zero, k), "int32"), _times(zero, k), zero[..., 0] == 0
    *found, left = ops.while_loop(many, on_a_grid, start, maximum_iterations=_GRIDS)

    def in_pairs(some, numbers):
        indices, _, _, keys = neighborhoods.nearest(some, points, mask, k, neighborhoods.euclidean)
        return indices, keys, keys[..., 0] >= 0

    rows = _Rows(left)
    indices, keys = _merged(rows.each(in_pairs, queries, points, k, chunk_size)[:2], found, left)
    return indices, keys < neighborhoods.FAR / 2, ops.ones_like(keys[..., 0]), keys


class _Distances:
    """How far the k-th neighbors of a sample of the queries are, `(B, some)`."""

    def __init__(self, queries, points, mask, k, chunk_size):
        count = queries.shape[1]
        size = min(_SAMPLE, count)
        self.numbers = ops.convert_to_tensor([i * count // size for i in range(size)], dtype="int32")
        some = ops.take(queries, self.numbers, axis=1)
        found = neighborhoods.nearest(some, points, mask, k, neighborhoods.euclidean, chunk_size=chunk_size)
        self.far = found[3][..., -1]

    def radius(self, left):
        """In which most have k neighbors of those that are left in the densest places of all samples."""
        left = ops.take(left, self.numbers, axis=1)
        far = ops.sort(ops.where(left, self.far, neighborhoods.FAR), axis=1)
        number = ops.sum(ops.cast(left, "int32"), axis=1, keepdims=True)
        dense, middle = (ops.take_along_axis(far, number // part, axis=1) for part in (50, 2))
        return ops.min(ops.minimum(1.35 * dense, 1.15 * middle))


class _Rows:
    """Some of the rows `(B, M)`."""

    def __init__(self, chosen):
        self._chosen, ones = chosen, ops.cast(chosen, "int32")
        self.count = chosen.shape[1]
        self._rank = ops.where(chosen, ops.cumsum(ones, axis=1) - 1, 0)
        self.number = ops.max(ops.sum(ones, axis=1))
        order = ops.arange(self.count, dtype="int32")
        self._first = ops.cast(ops.argsort(order - ones * self.count, axis=1), "int32")

    def each(self, choose, queries, points, k, chunk_size, candidates=None, wanted=True):
        """`choose` of these rows, where they are wanted, and nothing of the others: `(indices, keys, done)`."""
        number = ops.where(wanted, self.number, 0)

        def some(chunk, numbers):
            zero = ops.zeros_like(chunk[..., :1])
            nothing = ops.cast(_times(zero, k), "int32"), _times(zero, k), zero[..., 0] > 0
            return ops.cond(numbers[0] < number, lambda: tuple(choose(chunk, numbers)), lambda: nothing)

        first = neighborhoods.take(queries, self._first)
        indices, keys, done = map(self._back, neighborhoods.in_chunks(some, first, points, chunk_size, candidates))
        return indices, keys, ops.logical_and(self._chosen, done)

    def _back(self, x):
        """Rows in the order of the first as they were."""
        flat = ops.reshape(x, (-1, self.count, math.prod(x.shape[2:])))
        return ops.reshape(neighborhoods.take(flat, self._rank), (-1, self.count, *x.shape[2:]))


def _merged(new, old, taken):
    """`old` with those rows of `new` that are taken."""
    return [ops.where(ops.expand_dims(taken, -1), a, b) for a, b in zip(new, old, strict=True)]


def _times(x, k):
    """k copies along the last axis."""
    return x * ops.ones((k,), x.dtype)


def _room(k):
    """Places of a run of three cells: thrice as many as it holds where the radius is that of the k-th neighbor."""
    return 4 * k + 24
