"""Normalisation by batch statistics with a nonlinearity, in as few passes over memory as there can be.

Forward: one pass for the statistics, one for the result. Backward: one pass for two sums, one for the gradient. Left
to automatic differentiation, the compiler makes several more.
"""

import functools

import keras
from keras import ops

from keras_equivariant.ops.compiled import compiled


def normalize_with_statistics(x, gamma, beta, epsilon, activation):
    """activation(gamma (x - mean) / sqrt(variance + epsilon) + beta) over all axes but the last.

    Args:
        x: `(..., C)`.
        gamma, beta: `(C,)`.
        epsilon: number added to the variance.
        activation: function of a tensor.

    Returns:
        `(y, mean, variance)`; the statistics are `(C,)`, float32 at least, and carry no gradient.
    """
    return _compiled(float(epsilon), activation)(x, gamma, beta)


@functools.lru_cache(maxsize=256)
def _compiled(epsilon, activation):
    derivative = _DERIVATIVES.get(activation)

    def normalize(x, gamma, beta):
        dtype = "float32" if x.dtype in ("float16", "bfloat16") else x.dtype
        gamma, beta = ops.cast(gamma, dtype), ops.cast(beta, dtype)
        # Rows of (group, field) fill vector units, rows of fields alone often do not.
        repeats = x.shape[-2] if len(x.shape) > 3 else 1
        fields = x.shape[-1]

        def widen(vector):
            return ops.tile(vector, repeats)

        def narrow(vector):
            return ops.sum(ops.reshape(vector, (repeats, fields)), axis=0)

        def forward(rows, gamma, beta):
            wide = ops.cast(rows, dtype)
            mean, variance = _statistics(wide, repeats)
            inverse = ops.rsqrt(variance + epsilon)
            slope = gamma * inverse
            shift = beta - mean * slope
            z = wide * widen(slope) + widen(shift)
            return wide, z, mean, variance, inverse, slope

        if derivative is None:
            rows = ops.reshape(x, (-1, repeats * fields))
            _, z, mean, variance, _, _ = forward(rows, gamma, beta)
            y = ops.reshape(ops.cast(activation(z), x.dtype), ops.shape(x))
            return y, ops.stop_gradient(mean), ops.stop_gradient(variance)

        @ops.custom_gradient
        def with_gradient(x, gamma, beta):
            rows = ops.reshape(x, (-1, repeats * fields))
            wide, z, mean, variance, inverse, slope = forward(rows, gamma, beta)
            count = ops.cast(ops.shape(rows)[0] * repeats, dtype)

            def gradient(*upstream):
                dy = ops.cast(ops.reshape(upstream[0], ops.shape(rows)), dtype)
                dz = derivative(z, dy)
                d_beta = narrow(ops.sum(dz, axis=0))
                d_gamma = (narrow(ops.sum(dz * wide, axis=0)) - mean * d_beta) * inverse
                along = -slope * inverse * d_gamma / count
                offset = -slope * d_beta / count - along * mean
                dx = dz * widen(slope) + wide * widen(along) + widen(offset)
                return ops.reshape(ops.cast(dx, x.dtype), ops.shape(x)), d_gamma, d_beta

            y = ops.reshape(ops.cast(activation(z), x.dtype), ops.shape(x))
            return (y, mean, variance), gradient

        return with_gradient(x, gamma, beta)

    return compiled(normalize)


def _statistics(rows, repeats):
    """Mean and variance per field of `(N, repeats C)` in one pass, about a pivot so that nothing cancels."""
    pivot = ops.stop_gradient(rows[0])
    centred = rows - pivot
    first = ops.mean(centred, axis=0)
    second = ops.mean(centred * centred, axis=0)
    means = ops.reshape(first + pivot, (repeats, -1))
    spreads = ops.reshape(second - first * first, (repeats, -1))
    mean = ops.mean(means, axis=0)
    return mean, ops.mean(spreads + ops.square(means - mean), axis=0)


_DERIVATIVES = {
    keras.activations.linear: lambda z, dy: dy,
    keras.activations.relu: lambda z, dy: ops.where(z > 0, dy, ops.zeros_like(dy)),
}
