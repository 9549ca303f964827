"""Harmonics of the directions between points as polynomials, smooth where two points meet."""

import math

import numpy as np
from keras import ops

SOFT = 0.05  # of a radius: the distance below which a direction fades


def softened(planes, radius):
    """Directions and distances that are smooth everywhere: x / s and s = sqrt(|x|^2 + (0.05 radius)^2).

    Args:
        planes: tuple of the coordinates of x.
        radius: a number, the length that "near" is measured by.

    Returns:
        `(direction, distance)`, a tuple of planes shorter than 1 and a plane.
    """
    distance = ops.sqrt(sum(p * p for p in planes) + (SOFT * radius) ** 2)
    return tuple(p / distance for p in planes), distance


def gaussian_rings(distance, count):
    """So many Gaussians of a distance from 0 to 1, `(..., count)`, scaled to the mean square 1: their squares add up to
    about sqrt(pi) at every distance."""
    centers = ops.convert_to_tensor(np.linspace(0.0, 1.0, count), distance.dtype)
    apart = (ops.expand_dims(distance, -1) - centers) / (1.0 / max(1, count - 1))
    return math.sqrt(count / math.sqrt(math.pi)) * ops.exp(-0.5 * apart * apart)


def solid_harmonics(planes, degree):
    """The harmonics of all degrees up to one, |x|^l Y_l(x / |x|), as polynomials of x: 0 at 0 for l > 0.

    They are those of `groups.spherical_harmonics`. In the plane they are (-sin m t, cos m t), t from the mirror axis of
    O(2), y, on, which the irrep m of O(2) moves; for m = 1 that is (x, y). Degree after degree.

    Args:
        planes: the coordinates (x, y) or (x, y, z).
        degree: the highest.

    Returns:
        A list of planes.
    """
    return _of_plane(*planes, degree) if len(planes) == 2 else _of_space(*planes, degree)


def _of_plane(x, y, degree):
    found, cosine, sine = [ops.ones_like(x)], y, -x
    for _ in range(degree):
        found += [-sine, cosine]
        cosine, sine = y * cosine + x * sine, y * sine - x * cosine
    return found


def _of_space(x, y, z, degree):
    square, orders = x * x + y * y + z * z, []
    cosine, sine, sectoral = ops.ones_like(y), ops.zeros_like(y), 1.0
    for m in range(degree + 1):
        orders.append((cosine, sine, _legendre(degree, m, sectoral, y, square)))
        cosine, sine = z * cosine - x * sine, x * cosine + z * sine
        sectoral = (2 * m + 1) * sectoral
    found = []
    for n in range(degree + 1):
        harmonics = {}
        for m in range(n + 1):
            norm = math.sqrt((2 if m else 1) * math.factorial(n - m) / math.factorial(n + m))
            cosine, sine, legendre = orders[m]
            polar = norm * legendre[n - m]
            harmonics[m] = polar * cosine
            if m:
                harmonics[-m] = polar * sine
        found += [harmonics[m] for m in range(-n, n + 1)]
    return found


def _legendre(degree, m, sectoral, y, square):
    """P_m of the degrees m to `degree` without sin^m theta, each times the power of |x| that makes it a polynomial."""
    found = [sectoral * ops.ones_like(y)]
    for n in range(m + 1, degree + 1):
        before = found[-2] if len(found) > 1 else 0.0
        found.append(((2 * n - 1) * y * found[-1] - (n + m - 1) * square * before) / (n - m))
    return found
