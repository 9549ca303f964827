"""Normalisation by batch statistics with a nonlinearity, in one compiled pass."""

import functools

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
        `(y, mean, variance)`; the statistics are `(C,)`, float32 at least.
    """
    return _compiled(float(epsilon), activation)(x, gamma, beta)


@functools.lru_cache(maxsize=256)
def _compiled(epsilon, activation):
    def normalize(x, gamma, beta):
        dtype = "float32" if x.dtype in ("float16", "bfloat16") else x.dtype
        wide = ops.cast(x, dtype)
        mean = _mean_over_all_but_last(wide)
        centred = wide - mean
        variance = _mean_over_all_but_last(centred * centred)
        scale = ops.cast(gamma, dtype) * ops.rsqrt(variance + epsilon)
        y = activation(ops.cast(centred * scale + ops.cast(beta, dtype), x.dtype))
        return y, ops.stop_gradient(mean), ops.stop_gradient(variance)

    return compiled(normalize)


def _mean_over_all_but_last(x):
    # Rows of (group, fields) are long enough for vector units; fields alone often are not.
    if len(x.shape) > 3:
        x = ops.mean(ops.reshape(x, (-1, x.shape[-2], x.shape[-1])), axis=0)
    return ops.mean(x, axis=tuple(range(len(x.shape) - 1)))
