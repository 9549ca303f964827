"""Well-spread subsets of points: whole shells of equals, whatever the order of the points."""

from keras import ops

from keras_equivariant.ops.neighborhoods import FAR, TIE, sums
from keras_equivariant.ops.sums import plus


def spread(points, mask, count, distance, measure=None, chunk_size=None):
    """At most `count` points far from each other: each next one is the farthest from those chosen before.

    The first is the one with the smallest sum of measures from all others, and of equally far ones the one with the
    largest. Points that are equal in both are images of each other in a symmetry of all points, as a rule: they are
    chosen together, or left out together where they are more than still wanted. So the subset depends neither on the
    order of the points nor on a motion that keeps both measures, and may have less than `count` points: none of a
    square where two are wanted.

    Args:
        points: `(B, N, width)`.
        mask: `(B, N)` booleans.
        count: how many, at most N.
        distance: function of two tuples of planes.
        measure: another such function, by which equally far points are told apart; the distance where None.
        chunk_size: as in `neighborhoods.nearest`.

    Returns:
        `(indices, found)`, `(B, count)` integers and booleans.

    Reference: Finzi et al., arXiv 2002.12880, appendix (farthest-point sampling in a left-invariant distance).
    """
    points = ops.stop_gradient(points)
    total = points.shape[1]
    places = ops.arange(total, dtype="int32")[None]
    slots = ops.arange(count, dtype="int32")[None]
    rank = sums(points, mask, measure or distance, chunk_size)
    # -1: not in question any more.
    score = ops.where(mask, ops.cast(FAR, points.dtype), ops.cast(-1.0, points.dtype))
    score = plus(score, 0 * points[..., 0])
    pending = ops.logical_and(mask, score < 0)
    chosen = plus(ops.zeros_like(ops.cast(score[:, :1], "int32")), ops.zeros_like(slots))
    taken = ops.zeros_like(chosen[:, :1])

    def step(points, rank, score, pending, chosen, taken):
        waiting = ops.any(pending, axis=1, keepdims=True)
        equals = _first(score, ops.where(taken > 0, rank, -rank))
        number = ops.sum(ops.cast(equals, "int32"), axis=1, keepdims=True)
        fits = ops.logical_and(number > 0, taken + number <= count)
        # Those that do not fit are out of the question from now on.
        out = ops.logical_and(equals, ops.logical_not(ops.logical_or(waiting, fits)))
        score = ops.where(out, ops.cast(-1.0, score.dtype), score)
        pending = ops.logical_or(pending, ops.logical_and(equals, ops.logical_and(fits, ops.logical_not(waiting))))
        best = ops.min(ops.where(pending, places, total), axis=1, keepdims=True)
        here = ops.equal(places, best)
        some = best < total
        # A sum with one term: converters to ONNX lose the shape of a gather within a loop.
        planes = tuple(points[..., axis] for axis in range(points.shape[-1]))
        new = tuple(ops.sum(ops.where(here, plane, 0), axis=1, keepdims=True) for plane in planes)
        nearer = ops.where(some, distance(planes, new), score)
        score = ops.where(ops.logical_or(score < 0, nearer > score), score, nearer)
        score = ops.where(here, ops.cast(-1.0, score.dtype), score)
        chosen = ops.where(ops.logical_and(some, ops.equal(slots, taken)), best, chosen)
        taken = plus(taken, ops.cast(some, "int32"))
        return points, rank, score, ops.logical_and(pending, ops.logical_not(here)), chosen, taken

    def goes_on(points, rank, score, pending, chosen, taken):
        open_ = ops.logical_and(taken < count, ops.any(ops.logical_or(score >= 0, pending), axis=1, keepdims=True))
        return ops.any(open_)

    # A graph of stock operations has no loop that sees tensors outside it: all of them go along.
    start = points, rank, score, pending, chosen, taken
    *_, chosen, taken = ops.while_loop(goes_on, step, start, maximum_iterations=total)
    return chosen, ops.less(slots, taken)


def _first(score, rank):
    """Which points have the largest score and, of these, the largest rank, up to rounding."""
    open_ = score >= 0
    highest = ops.max(score, axis=1, keepdims=True)
    level = ops.logical_and(open_, score >= highest * (1 - TIE))
    rank = ops.where(level, rank, -2 * FAR)
    top = ops.max(rank, axis=1, keepdims=True)
    return ops.logical_and(level, rank >= top - TIE * ops.abs(top))
