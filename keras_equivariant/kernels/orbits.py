"""Kernels whose rotated copies are equal bit for bit, not to rounding only."""

import numpy as np

from keras_equivariant.groups import grid

_ROUNDING = 1e-4  # of the largest entry; more is no rounding, and then the law is not that of the given matrices


def shared_over_orbits(kernel, group, channels_in, channels_out):
    """The kernel with one number for all entries that the law makes equal up to sign.

    (g K)(z) = rho_out(g) K(g^-1 z) rho_in(g)^-1 = K(z)

    holds for every element g, but a kernel that is summed from a basis has it to rounding. Wherever g maps the pixel
    grid onto itself and only permutes and negates channels, g K is K with its entries exchanged; the mean of the
    smallest and the largest value that an entry takes over all such g does not depend on their order.

    Args:
        kernel: array `(*kernel_size, channels in, channels out)`.
        group: a group with `matrices`.
        channels_in, channels_out: functions from an element's matrix to rho, `(channels, channels)`.

    Returns:
        An array of the same shape and dtype.
    """
    kernel = np.asarray(kernel)
    size = kernel.shape[:-2]
    low, high = kernel.copy(), kernel.copy()
    for matrix in group.matrices:
        swapped = np.abs(grid.index_matrix(matrix)) @ np.array(size)
        if not grid.is_signed_permutation(matrix) or not np.allclose(swapped, size):
            continue
        before, after = _signed(channels_in(matrix)), _signed(channels_out(matrix))
        if before is None or after is None:
            continue
        moved = grid.permute_pixels(kernel, np.round(matrix), first_axis=0)
        moved = moved[..., before[0][:, None], after[0]]
        moved *= (before[1][:, None] * after[1]).astype(kernel.dtype)
        np.minimum(low, moved, out=low)
        np.maximum(high, moved, out=high)
    if not np.abs(high - low).max(initial=0) <= _ROUNDING * np.abs(kernel).max(initial=0):
        return kernel
    return low / 2 + high / 2


def _signed(matrix):
    """For each row the column and sign of its one entry; None where it is no signed permutation."""
    matrix = np.asarray(matrix)
    rounded = np.round(matrix)
    if not np.allclose(matrix, rounded, atol=1e-6) or not (np.abs(rounded).sum(axis=1) == 1).all():
        return None
    columns = np.argmax(np.abs(rounded), axis=1)
    return columns, rounded[np.arange(len(rounded)), columns]
