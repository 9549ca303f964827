"""Complex features of rotation orders 0..M as real tensors (..., M+1, 2, C): filters, magnitudes, nonlinearities."""

import functools

from keras import ops

from keras_equivariant.ops import activations
from keras_equivariant.ops.compiled import compiled
from keras_equivariant.ops.precision import at_least_float32

LEAST_SQUARE = activations.LEAST_SQUARE  # of a magnitude


def expand(coefficients, phases, functions, filters, signs):
    """The real kernel that does the complex arithmetic of all pairs of orders in one convolution.

    The filter from order m to order n is W_{n-m} = e^{i beta} sum_j R_j B_j^{n-m}, and W_{-m} is the conjugate of W_m.
    On real and imaginary parts (a, b): real part a W_re - b W_im, imaginary part a W_im + b W_re.

    Args:
        coefficients: `(D, C, F)`, the radial profiles R of all orders.
        phases: `(orders, C, F)`, the phases beta; None for none.
        functions: `(orders, 2, pixels, D)` NumPy array, the functions B.
        filters: `(I, O)` integers: which of the filters `(order, part)`, counted as 2 order + part, leads from entry i
            of the input's (order, part) to entry o of the output's.
        signs: `(I, O)` numbers -1, 0 or 1 by which it is multiplied.

    Returns:
        `(pixels, I C, O F)`.
    """
    size, fields, outputs = coefficients.shape
    orders, _, pixels, _ = functions.shape
    rows = ops.reshape(coefficients, (size, fields * outputs))
    basis = ops.convert_to_tensor(functions.reshape(-1, size), dtype=coefficients.dtype)
    parts = ops.reshape(basis @ rows, (orders, 2, pixels, fields * outputs))
    if phases is not None:
        beta = ops.reshape(phases, (orders, 1, fields * outputs))
        cos, sin, real, imaginary = ops.cos(beta), ops.sin(beta), parts[:, 0], parts[:, 1]
        parts = ops.stack([cos * real - sin * imaginary, sin * real + cos * imaginary], axis=1)
    parts = ops.reshape(parts, (orders * 2, pixels * fields * outputs))
    kernel = ops.take(parts, filters.ravel().astype("int32"), axis=0)
    kernel = kernel * ops.convert_to_tensor(signs.reshape(-1, 1), dtype=kernel.dtype)
    kernel = ops.reshape(kernel, (*filters.shape, pixels, fields, outputs))
    kernel = ops.transpose(kernel, (2, 0, 3, 1, 4))
    return ops.reshape(kernel, (pixels, filters.shape[0] * fields, filters.shape[1] * outputs))


def magnitude(x, epsilon=LEAST_SQUARE):
    """|X| = sqrt(max(Re^2 + Im^2, epsilon)) of (..., 2, C), as `activations.norm`."""
    return activations.norm([x[..., 0, :], x[..., 1, :]], epsilon)


def with_magnitude(x, old, new):
    """X new / old: the features (..., 2, C) with new magnitudes (..., C) and their own phases."""
    factor = ops.cast(new, old.dtype) / old
    return ops.cast(at_least_float32(x) * ops.expand_dims(factor, -2), x.dtype)


def activate(x, bias, epsilon, activation, training=False):
    """X activation(|X| + bias) / |X| on (..., M+1, 2, C), bias (M+1, C); compiled while training."""
    if training:
        return _compiled_activate(activation, epsilon)(x, bias)
    return _activate(x, bias, epsilon, activation)


def planes(x, orders):
    """Lists of real and of imaginary parts (..., C) of features (..., orders 2 C), one entry per order."""
    parts = ops.split(x, 2 * orders, axis=-1)
    return parts[::2], parts[1::2]


def plane_magnitudes(x, orders, epsilon):
    """Magnitudes of features (..., orders 2 C), a list of `(..., C)`, one per order."""
    return [activations.norm(parts, epsilon) for parts in zip(*planes(x, orders), strict=True)]


def exceed(magnitudes, least):
    """The larger of both; `ops.maximum` rounds float64 on some backends."""
    return magnitudes + ops.relu(ops.subtract(least, magnitudes))


def split_phases(x, orders, epsilon, least=None):
    """(..., orders 2 C) as X / |X| and, behind them on the last axis, the magnitudes |X|: (..., orders 3 C).

    Args:
        epsilon: least square of the magnitudes.
        least: NumPy array `(orders, C)`, the least magnitudes that X is divided by; None for these magnitudes.
    """
    magnitudes = divisors = plane_magnitudes(x, orders, epsilon)
    if least is not None:
        divisors = [exceed(r, activations.like(row, r)) for r, row in zip(magnitudes, least, strict=True)]
    units = [p / r for a, b, r in zip(*planes(x, orders), divisors, strict=True) for p in (a, b)]
    return ops.concatenate([*units, *magnitudes], axis=-1)


def join_phases(x, orders, activation, together=False):
    """The inverse of `split_phases`, with an activation of each order's magnitudes, or of those of all together."""
    parts = ops.split(x, 3 * orders, axis=-1)
    old = parts[2 * orders :]
    if together:
        new = ops.split(activation(ops.concatenate(old, axis=-1)), orders, axis=-1)
    else:
        new = [activation(r) for r in old]
    return ops.concatenate([parts[2 * m + part] * new[m] for m in range(orders) for part in (0, 1)], axis=-1)


def _activate(x, bias, epsilon, activation):
    old = magnitude(x, epsilon)
    return with_magnitude(x, old, activation(old + ops.cast(bias, old.dtype)))


@functools.lru_cache(maxsize=64)
def _compiled_activate(activation, epsilon):
    return compiled(lambda x, bias: _activate(x, bias, epsilon, activation))


def with_safe_magnitude(x, old, new, least):
    """X new / max(old, least), with least `(M+1, C)`."""
    return with_magnitude(x, exceed(old, ops.cast(least, old.dtype)), new)


compiled_magnitude = compiled(lambda x: magnitude(x, 0.0))
compiled_with_safe_magnitude = compiled(with_safe_magnitude)
