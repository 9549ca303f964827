"""Band-limited harmonics on rings around the kernel's center: R(r) cos(m phi), R(r) sin(m phi), in space R(r) Y_m."""

import numpy as np

from keras_equivariant.groups import grid, spherical_harmonics
from keras_equivariant.kernels.rings import Rings


def moved_functions(matrices, kernel_size):
    """The harmonics moved by each matrix: B_s^d(x) = B^d(s^-1 x).

    Args:
        matrices: `(elements, d, d)` orthogonal matrices.
        kernel_size: tuple of integers, one per axis of space.

    Returns:
        `(elements, D, pixels)` float64, not normalized. Functions of frequency m > 0 are 0 at the center.
    """
    return moved_harmonics(matrices, kernel_size, Rings(frequency_cutoff="conservative"))


def moved_harmonics(matrices, kernel_size, rings):
    """`moved_functions` of any rings."""
    points = grid.centered_points(kernel_size) * rings.scales(len(kernel_size))
    harmonics = _waves if len(kernel_size) == 2 else _shells
    moved = (points @ grid.index_matrix(matrix) for matrix in matrices)
    return np.stack([np.concatenate([found for _, found in harmonics(p, kernel_size, rings)]) for p in moved])


def ring_harmonics(kernel_size, rings):
    """Every harmonic of every ring as a vector field, ring by ring, frequencies ascending.

    Yields:
        `(m, Y)`: Y is `(1, pixels)` for m = 0, else `(2, pixels)`, and moves as the irrep m of O(2):
        Y(g^-1 x) = psi_m(g)^T Y(x). For m = 1 it points outwards. In space Y is `(2 m + 1, pixels)`, the spherical
        harmonics of degree m. But for m = 0 it is 0 at the center.
    """
    if len(kernel_size) == 3:
        yield from _shells(grid.centered_points(kernel_size) * rings.scales(3), kernel_size, rings)
        return
    # From the mirror axis of O(2), y, on: the cosine keeps its sign under the mirror, the sine changes it.
    points = grid.centered_points(kernel_size) * rings.scales(2)
    for m, waves in _waves(points, kernel_size, rings, start=np.pi / 2):
        yield m, np.stack([-waves[1], waves[0]]) if m else waves


def _shells(points, kernel_size, rings):
    """`(degree, R Y)` at the points for every shell and degree."""
    for radius, width, limit in rings(kernel_size):
        profile = rings.profile(np.sqrt(np.sum(points**2, axis=1)), radius, width)
        for degree in range(limit + 1):
            yield degree, profile * spherical_harmonics(degree, points).T


def _waves(points, kernel_size, rings, start=0.0):
    """`(m, (R, ) or (R cos m phi, R sin m phi))` at the points for every ring and frequency, phi from `start` on."""
    rows, columns = points.T
    radius, angle = np.hypot(rows, columns), np.arctan2(-rows, columns) - start
    for ring, width, limit in rings(kernel_size):
        profile = rings.profile(radius, ring, width)
        yield 0, profile[None]
        for m in range(1, limit + 1):
            yield m, profile * (radius > 1e-9) * np.stack([np.cos(m * angle), np.sin(m * angle)])
