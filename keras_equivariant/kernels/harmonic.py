"""Band-limited circular harmonics: R(r) cos(m phi), R(r) sin(m phi) on rings around the kernel's centre."""

import numpy as np

from keras_equivariant.groups import grid
from keras_equivariant.kernels.rings import Rings


def planar_functions(matrices, kernel_size):
    """The harmonics moved by each matrix: B_s^d(x) = B^d(s^-1 x).

    Args:
        matrices: `(elements, 2, 2)` orthogonal matrices.
        kernel_size: (rows, columns).

    Returns:
        `(elements, D, pixels)` float64, not normalised. Functions of frequency m > 0 are 0 at the centre.
    """
    points = _points(kernel_size)
    return np.stack([_at(points @ grid.index_matrix(matrix), kernel_size) for matrix in matrices])


def ring_harmonics(kernel_size, rings):
    """Every harmonic of every ring as a vector field, ring by ring, frequencies ascending.

    Yields:
        `(m, Y)`: Y is `(1, pixels)` for m = 0, else `(2, pixels)`, and moves as the irrep m of O(2):
        Y(g^-1 x) = psi_m(g)^T Y(x). For m = 1 it points outwards.
    """
    rows, columns = _points(kernel_size).T
    radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns) - np.pi / 2
    for ring, width, limit in rings(kernel_size):
        profile = rings.profile(radius, ring, width)
        yield 0, profile[None]
        for m in range(1, limit + 1):
            yield m, profile * (radius > 1e-9) * np.stack([-np.sin(m * angle), np.cos(m * angle)])


def _points(kernel_size):
    if len(kernel_size) != 2:
        raise ValueError(
            'basis="steerable" is made of circular harmonics of the plane. '
            f'Received: kernel_size={tuple(kernel_size)}; use basis="exact"'
        )
    return grid.centred_points(kernel_size)


def _at(points, kernel_size):
    rows, columns = points.T
    radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns)
    values, rings = [], Rings()
    for ring, width, limit in rings(kernel_size):
        profile = rings.profile(radius, ring, width)
        values.append(profile)
        off_centre = profile * (radius > 1e-9)
        for m in range(1, limit + 1):
            values += [off_centre * np.cos(m * angle), off_centre * np.sin(m * angle)]
    return np.stack(values)
