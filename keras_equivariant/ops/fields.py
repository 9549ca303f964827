"""Arithmetic of whole fields on features `(..., D)`: means over them, values spread over their components."""

import itertools
import math

import numpy as np
from keras import ops


class FieldMeans:
    """Means over groups of fields of one block, spread over the channels again: orthogonal projections.

    Args:
        blocks: objects with `dim`, `multiplicity` and `invariants`, as `FieldType.blocks`.
        groups: into how many groups the fields of each block are split; None for each field apart.

    Attributes:
        centers: whether there is any vector that no element of the group moves, so that a mean can be subtracted.
    """

    def __init__(self, blocks, groups=None):
        self._sizes = [(b.multiplicity, groups or b.multiplicity) for b in blocks]
        self._ones = [np.ones((1, b.dim)) for b in blocks]
        self._invariants = [np.asarray(b.invariants) for b in blocks]
        self._ends = list(itertools.accumulate(b.dim * b.multiplicity for b in blocks))[:-1]
        self.centers = any(len(vectors) for vectors in self._invariants)

    def average(self, x):
        """The mean over the components and fields of each group.

        Features `(..., D)` where each block is one group, else `(D,)` or `(B, D)`.
        """
        return self._along(x, self._ones)

    def project(self, x):
        """The mean over the fields of each group of the part that nothing moves; 0 where everything is moved."""
        return self._along(x, self._invariants)

    def _along(self, x, vectors):
        parts = ops.split(x, self._ends, axis=-1) if self._ends else [x]
        found = [_project(*block) for block in zip(parts, vectors, self._sizes, strict=True)]
        return found[0] if len(found) == 1 else ops.concatenate(found, axis=-1)


def _project(part, vectors, sizes):
    """The part of a block `(..., dim * multiplicity)` along orthogonal vectors, averaged over groups of fields."""
    total = None
    for vector in vectors:
        along = _project_on(part, vector, *sizes)
        total = along if total is None else total + along
    return ops.zeros_like(part) if total is None else total


def _project_on(part, vector, multiplicity, groups):
    each = multiplicity // groups
    weights = np.broadcast_to(vector[:, None, None], (len(vector), groups, each))
    length = float(vector @ vector) * each
    if groups == 1:  # no axes of its own, so that features of any rank and of unknown sizes will do
        weights = weights.ravel()
    # As tensors: torch multiplies none that carries gradients by an array.
    factors, shares = (ops.convert_to_tensor(w, dtype=part.dtype) for w in (weights, weights / length))
    if groups == 1:
        return ops.sum(part * factors, axis=-1, keepdims=True) * shares
    lead = (-1,) * (len(part.shape) - 1)
    apart = ops.reshape(part, (*lead, *weights.shape))
    mean = ops.sum(apart * factors, axis=(-3, -1), keepdims=True)
    return ops.reshape(mean * shares, (*lead, weights.size))


def spread(values, layout):
    """A number per field, `(..., fields)`, as channels `(..., D)`: the same for all components of a field.

    Args:
        layout: tuple of `(dim, multiplicity)`, one per block.
    """
    ends = list(itertools.accumulate(multiplicity for _, multiplicity in layout))[:-1]
    parts = ops.split(values, ends, axis=-1) if ends else [values]
    repeated = [part for (dim, _), part in zip(layout, parts, strict=True) for _ in range(dim)]
    return repeated[0] if len(repeated) == 1 else ops.concatenate(repeated, axis=-1)


def normalize(x, means, epsilon, over_space=True):
    """x minus what `means.project` finds, divided by sqrt(`means.average` of the squares of the rest + epsilon).

    Args:
        x: `(B, ..., D)`.
        means: FieldMeans.
        epsilon: number added to the mean square.
        over_space: both means also over all axes between the batch and the channels; else position by position.

    Returns:
        `(slope, shift)` with slope x + shift the result, `(B, 1, ..., 1, D)` or of the shape of `x`.
    """
    axes = tuple(range(1, len(x.shape) - 1))
    if not over_space or not axes:
        mean = means.project(x) if means.centers else None
        rest = x if mean is None else x - mean
        slope = ops.rsqrt(means.average(rest * rest) + epsilon)
        return slope, None if mean is None else -mean * slope
    moment = _mean(x, axes, keepdims=True)
    centered = x - moment
    variance = _mean(centered * centered, axes)
    moment = ops.reshape(moment, (-1, x.shape[-1]))
    mean = means.project(moment)
    rest = moment - mean
    slope = ops.rsqrt(means.average(variance + rest * rest) + epsilon)
    wide = (-1, *(1,) * len(axes), x.shape[-1])
    return ops.reshape(slope, wide), ops.reshape(-mean * slope, wide) if means.centers else None


def _mean(x, axes, keepdims=False):
    sizes = [x.shape[axis] for axis in axes]
    if None in sizes:
        return ops.mean(x, axis=axes, keepdims=keepdims)
    # JAX and torch would take the mean of float64 in float32.
    return ops.sum(x, axis=axes, keepdims=keepdims) * (1 / math.prod(sizes))


def batch_moments(x, means, synchronized=False, there=None):
    """Per channel the mean that is subtracted and the mean square of the rest, over all axes but the last.

    With `synchronized`, over the replicas of tf.distribute too; with `there`, `(..., 1)` of 0 and 1, over the ones.
    """
    axes = tuple(range(len(x.shape) - 1))
    if synchronized:
        return combine(*ops.moments(x, axes, synchronized=True), means)
    x = _where(there, x)
    moment = _mean_where(there, x, axes)
    centered = x - moment
    return combine(moment, _mean_where(there, centered * centered, axes), means)


def batch_maxima(x, means, synchronized=False, there=None):
    """`batch_moments` with the maximum over space of the squares of each field, averaged over the batch.

    Images of which nothing is there do not count.
    """
    axes, x = tuple(range(len(x.shape) - 1)), _where(there, x)
    moment = ops.moments(x, axes, synchronized=True)[0] if synchronized else _mean_where(there, x, axes)
    mean = means.project(moment)
    rest = ops.reshape(_where(there, x - mean), (-1, x.shape[-1]))
    squares = ops.reshape(means.average(rest * rest), ops.shape(x))
    longest = ops.max(squares, axis=axes[1:]) if axes[1:] else squares
    if synchronized:
        return mean, ops.moments(longest, (0,), synchronized=True)[0]
    return mean, _mean_where(there if there is None or not axes[1:] else ops.max(there, axis=axes[1:]), longest, (0,))


def _mean_where(there, x, axes):
    """The mean where `there` is 1, or everywhere where it is None; 0 where it is 1 nowhere."""
    if there is None:
        return _mean(x, axes)
    return ops.sum(_where(there, x), axis=axes) / ops.maximum(ops.sum(there), ops.ones((), there.dtype))


def _where(there, x):
    """x, and 0 where `there` is 0: no product, for what is left out may not be a number."""
    return x if there is None else ops.where(there > 0, x, ops.zeros_like(x))


def combine(mean, variance, means):
    """The same from the mean and variance of each channel by itself, `(D,)`."""
    own, mean = mean, means.project(mean)
    rest = own - mean
    return mean, means.average(variance + rest * rest)
