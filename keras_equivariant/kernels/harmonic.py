"""Band-limited circular harmonics: R(r) cos(m phi), R(r) sin(m phi) on rings around the kernel's centre."""

import numpy as np

from keras_equivariant.groups import grid

RING_WIDTH = 0.6  # standard deviation of the Gaussian rings, in pixels (1711.07289, 1911.08251)
OUTER_RING_WIDTH = 0.4


def rings(kernel_size):
    """Radii (pixels), widths and highest angular frequencies of the rings of a kernel.

    Radii are one pixel apart from the centre (odd kernels) or half a pixel from it (even ones). The frequency limit
    keeps 2 pi r / m above two pixels, lower still at the rim, where the square cuts the ring off.
    """
    size = min(kernel_size)
    radii = np.arange((size + 1) // 2) + (0.5 if size % 2 == 0 else 0.0)
    widths = np.full(len(radii), RING_WIDTH)
    widths[-1] = OUTER_RING_WIDTH if len(radii) > 1 else RING_WIDTH
    limits = [0 if r == 0 else 2 if i == len(radii) - 1 else int(2 * r - (r + 1) % 2) for i, r in enumerate(radii)]
    limits = [min(limit, int(np.floor(2 * r))) for limit, r in zip(limits, radii, strict=True)]
    return list(zip(radii, widths, limits, strict=True))


def planar_functions(matrices, kernel_size):
    """The harmonics moved by each matrix: B_s^d(x) = B^d(s^-1 x).

    Args:
        matrices: `(elements, 2, 2)` orthogonal matrices.
        kernel_size: (rows, columns).

    Returns:
        `(elements, D, pixels)` float64, not normalised. Functions of frequency m > 0 are 0 at the centre.
    """
    if len(kernel_size) != 2:
        raise ValueError(
            'basis="steerable" is made of circular harmonics of the plane. '
            f'Received: kernel_size={tuple(kernel_size)}; use basis="exact"'
        )
    points = grid.centred_points(kernel_size)
    functions = []
    for matrix in matrices:
        rows, columns = (points @ grid.index_matrix(matrix)).T
        radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns)
        functions.append(_at(radius, angle, kernel_size))
    return np.stack(functions)


def _at(radius, angle, kernel_size):
    values = []
    for ring, width, limit in rings(kernel_size):
        profile = np.exp(-((radius - ring) ** 2) / (2 * width**2))
        values.append(profile)
        off_centre = profile * (radius > 1e-9)
        for m in range(1, limit + 1):
            values += [off_centre * np.cos(m * angle), off_centre * np.sin(m * angle)]
    return np.stack(values)
