"""Normalization by batch statistics with a nonlinearity, in as few passes over memory as there can be.

Forward: one pass for the statistics, one for the result. Backward: one pass for two sums, one for the gradient. Left
to automatic differentiation, the compiler makes several more. Each pass is compiled by itself and takes its few
numbers per field as a vector as long as a row: repeated inside, they would cost an index division per pixel.
"""

import functools
import math

import keras
from keras import ops

from keras_equivariant.ops.compiled import compiled
from keras_equivariant.ops.fields import combine
from keras_equivariant.ops.precision import at_least_float32


def normalize_with_statistics(x, gamma, beta, epsilon, activation, means=None):
    """activation(gamma (x - mean) / sqrt(variance + epsilon) + beta) over all axes but the last.

    Args:
        x: `(..., C)`.
        gamma, beta: `(C,)`.
        epsilon: number added to the variance.
        activation: function of a tensor.
        means: FieldMeans of channels that have their statistics in common; None for each by itself.

    Returns:
        `(y, mean, variance)`; the statistics are `(C,)`, float32 at least, and carry no gradient.
    """
    fields, width = x.shape[-1], _width(x.shape)
    repeats = width // fields
    apply, sums, input_gradient = _passes(activation)

    # The passes see rows only: over the axes of x their loops would run along a few fields.
    def rows_of(x):
        return ops.reshape(x, (-1, width))

    def widen(vector):
        return ops.tile(vector, repeats)

    def narrow(vector):
        return ops.reshape(vector, (repeats, fields))

    def forward(rows, gamma, beta):
        mean, variance = _combine(*map(narrow, _moments(rows)))
        if means is not None:
            mean, variance = combine(mean, variance, means)
        gamma, beta = ops.cast(gamma, mean.dtype), ops.cast(beta, mean.dtype)
        inverse = ops.rsqrt(variance + epsilon)
        slope = gamma * inverse
        row = widen(slope), widen(beta - mean * slope)
        return apply(rows, *row), mean, variance, inverse, slope, row

    if sums is None:
        y, mean, variance = forward(rows_of(x), gamma, beta)[:3]
        return ops.reshape(y, ops.shape(x)), ops.stop_gradient(mean), ops.stop_gradient(variance)

    @ops.custom_gradient
    def with_gradient(rows, gamma, beta):
        y, mean, variance, inverse, slope, row = forward(rows, gamma, beta)

        def gradient(*upstream):
            total, product = (ops.sum(narrow(s), axis=0) for s in sums(rows, upstream[0], *row))
            d_gamma = (product - mean * total) * inverse
            count = ops.cast(ops.shape(rows)[0] * repeats, mean.dtype)
            average, shared = (d_gamma, total) if means is None else (means.average(d_gamma), means.project(total))
            along = -slope * inverse * average / count
            offset = -slope * shared / count - along * mean
            return input_gradient(rows, upstream[0], *row, widen(along), widen(offset)), d_gamma, total

        return (y, mean, variance), gradient

    # The reshapes turn variables into tensors, which is all that a custom gradient takes.
    y, mean, variance = with_gradient(rows_of(x), ops.reshape(gamma, (-1,)), ops.reshape(beta, (-1,)))
    return ops.reshape(y, ops.shape(x)), mean, variance


@compiled
def _moments(rows):
    """First and second moments of each column about a pivot, so that nothing cancels, and the pivot."""
    rows = at_least_float32(rows)
    pivot = ops.stop_gradient(rows[0])
    centered = rows - pivot
    return ops.mean(centered, axis=0), ops.mean(centered * centered, axis=0), pivot


def _combine(first, second, pivot):
    """Mean and variance of all columns of a field together, from `(repeats, C)` each."""
    means = first + pivot
    mean = ops.mean(means, axis=0)
    return mean, ops.mean(second - first * first + ops.square(means - mean), axis=0)


@functools.lru_cache(maxsize=64)
def _passes(activation):
    """The compiled passes for an activation; only the first where its derivative is left to the backend."""

    def apply(rows, slope, shift):
        return ops.cast(activation(at_least_float32(rows) * slope + shift), rows.dtype)

    derivative = _DERIVATIVES.get(activation)
    if derivative is None:
        return compiled(apply), None, None

    def sums(rows, upstream, slope, shift):
        rows = at_least_float32(rows)
        dz = derivative(rows * slope + shift, at_least_float32(upstream))
        return ops.sum(dz, axis=0), ops.sum(dz * rows, axis=0)

    def input_gradient(rows, upstream, slope, shift, along, offset):
        wide = at_least_float32(rows)
        dz = derivative(wide * slope + shift, at_least_float32(upstream))
        return ops.cast(dz * slope + wide * along + offset, rows.dtype)

    return compiled(apply), compiled(sums), compiled(input_gradient)


def _width(shape):
    """Numbers in a row: sums over long rows are vectorized and shared between cores, those over few fields are not."""
    return math.prod(shape[2:]) if len(shape) > 2 and None not in shape[2:] else shape[-1]


_DERIVATIVES = {
    keras.activations.linear: lambda z, dy: dy,
    keras.activations.relu: lambda z, dy: ops.where(z > 0, dy, ops.zeros_like(dy)),
}
