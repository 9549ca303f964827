"""Real spherical harmonics, how they rotate, and how products of them decompose.

Points are (x, y, z). Of degree l there are 2 l + 1 harmonics, of order m = -l, ..., l, with y as the polar axis:

    Y_m = N cos(m phi) P_m(cos theta)  for m >= 0,    Y_-m = N sin(m phi) P_m(cos theta),    cos theta = y,
    tan phi = x / z

with P_m the associated Legendre functions without the sign (-1)^m, and N > 0 such that the squares of a degree add up
to 1 on the unit sphere. So the degree 1 is the unit vector (x, y, z) itself, and rotates as such.
"""

from __future__ import annotations

import fractions
import functools
import math

import numpy as np
from numpy.typing import ArrayLike

MAX_DEGREE = 20  # of irreps; harmonics and couplings of them go to the sum of two degrees


def spherical_harmonics(degree: int, points: ArrayLike) -> np.ndarray:
    """The real harmonics of a degree in the directions of points.

    Args:
        degree: l, from 0.
        points: `(..., 3)`, of any length.

    Returns:
        `(..., 2 l + 1)` float64, orders from -l to l. A point of length 0 has no direction: 0 for l > 0.

    Raises:
        ValueError: a degree that is negative or above 40, points with another number of coordinates.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.spherical_harmonics(1, [0.0, 0.0, 2.0]).tolist()
        [0.0, 0.0, 1.0]
    """
    points = np.asarray(points, dtype=np.float64)
    if not isinstance(degree, (int, np.integer)) or not 0 <= degree <= 2 * MAX_DEGREE:
        raise ValueError(f"`degree` must be an integer from 0 to {2 * MAX_DEGREE}. Received: degree={degree!r}")
    if points.shape[-1:] != (3,):
        raise ValueError(f"`points` must have the shape (..., 3). Received: shape {points.shape}")
    radius = np.sqrt(np.sum(points**2, axis=-1))
    if degree == 0:
        return np.ones((*radius.shape, 1))
    off = radius > 1e-9
    x, y, z = np.moveaxis(points / np.where(off, radius, 1.0)[..., None], -1, 0)
    values = np.zeros((*radius.shape, 2 * degree + 1))
    cosine, sine, sectoral = np.ones_like(y), np.zeros_like(y), np.ones_like(y)
    for m in range(degree + 1):
        polar = _legendre(degree, m, sectoral, y)
        norm = math.sqrt((2 if m else 1) * math.factorial(degree - m) / math.factorial(degree + m))
        values[..., degree + m] = norm * polar * cosine
        if m:
            values[..., degree - m] = norm * polar * sine
        cosine, sine = z * cosine - x * sine, x * cosine + z * sine  # sin^m theta (cos, sin)(m phi)
        sectoral = (2 * m + 1) * sectoral
    return np.where(off[..., None], values, 0.0)


def _legendre(degree, m, sectoral, y):
    """P_m of a degree without the factor sin^m theta, by the recursion that raises the degree."""
    before, now = np.zeros_like(y), sectoral
    for n in range(m + 1, degree + 1):
        before, now = now, ((2 * n - 1) * y * now - (n + m - 1) * before) / (n - m)
    return now


def wigner_d(degree: int, matrices: ArrayLike) -> np.ndarray:
    """How the harmonics of a degree move: Y(g x) = D(g) Y(x).

    Args:
        degree: l, from 0.
        matrices: `(n, 3, 3)` orthogonal matrices, reflections included.

    Returns:
        `(n, 2 l + 1, 2 l + 1)` float64, orthogonal. The inversion acts by (-1)^l.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant import groups
        >>> rotation = groups.rotation_matrix(30, axis=(1, 2, 3))
        >>> bool(np.allclose(groups.wigner_d(1, rotation[None])[0], rotation))
        True
    """
    matrices = np.ascontiguousarray(matrices, dtype=np.float64)
    if matrices.shape == (1, 3, 3):  # the elements of finite groups come one by one, and often
        return _wigner_of_one(degree, matrices.tobytes()).copy()
    return _wigner(degree, matrices)


def _wigner(degree, matrices):
    points, weights = gauss_sphere(2 * degree)
    here = spherical_harmonics(degree, points) * weights[:, None] * (2 * degree + 1)
    moved = spherical_harmonics(degree, points @ matrices.swapaxes(1, 2))
    return moved.swapaxes(1, 2) @ here


@functools.lru_cache(maxsize=4096)
def _wigner_of_one(degree, matrix):
    return _wigner(degree, np.frombuffer(matrix).reshape(1, 3, 3))


@functools.lru_cache(maxsize=64)
def gauss_sphere(degree):
    """Points and weights of a mean over the unit sphere that is exact up to a degree, `(n, 3)` and `(n,)`."""
    heights, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    angles = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    flat = np.sqrt(1 - heights**2)[:, None]
    x, z = flat * np.sin(angles), flat * np.cos(angles)
    points = np.stack([x, np.broadcast_to(heights[:, None], x.shape), z], axis=-1).reshape(-1, 3)
    return points, np.repeat(weights / 2, degree + 1) / (degree + 1)


@functools.lru_cache(maxsize=64)
def gauss_rotations(degree):
    """Rotations and weights of a mean over SO(3) that is exact for Wigner matrices up to a degree."""
    points, weights = gauss_sphere(degree)
    angles = 2 * np.pi * np.arange(degree + 1) / (degree + 1)
    about_y = np.zeros((len(angles), 3, 3))
    about_y[:, 0, 0] = about_y[:, 2, 2] = np.cos(angles)
    about_y[:, 0, 2], about_y[:, 2, 0], about_y[:, 1, 1] = np.sin(angles), -np.sin(angles), 1.0
    return (frames(points)[:, None] @ about_y).reshape(-1, 3, 3), np.repeat(weights, len(angles)) / len(angles)


def frames(points):
    """Rotations that take (0, 1, 0) to the points of the unit sphere, `(n, 3, 3)`."""
    x = np.cross(points, np.eye(3)[np.argmin(np.abs(points), axis=1)])
    x = x / np.sqrt(np.sum(x**2, axis=1, keepdims=True))
    return np.stack([x, points, np.cross(x, points)], axis=2)


@functools.lru_cache(maxsize=4096)
def wigner_3j(first, second, third):
    """The invariant of three degrees: the tensor W with (D x D x D)(g) W = W for every rotation g.

    Args:
        first, second, third: degrees.

    Returns:
        `(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)` float64, read only, sum of squares 1; zeros unless the degrees form a
        triangle. Cyclic permutations of the degrees permute its axes, others multiply it by (-1)^(l1 + l2 + l3)
        as well. The signs are those of the complex 3j symbols of Condon and Shortley.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.wigner_3j(1, 1, 1)[0, 1, 2].round(6)
        np.float64(0.408248)
    """
    symbol = np.zeros((2 * first + 1, 2 * second + 1, 2 * third + 1))
    if abs(first - second) <= third <= first + second:
        for m1 in range(-first, first + 1):
            for m2 in range(max(-second, -third - m1), min(second, third - m1) + 1):
                symbol[first + m1, second + m2, third - m1 - m2] = _racah(first, second, third, m1, m2)
    changes = [_to_real(degree).conj() for degree in (first, second, third)]
    real = np.einsum("abc,xa,yb,zc->xyz", symbol, *changes, optimize=True)
    real = real.real if (first + second + third) % 2 == 0 else real.imag
    real = np.where(np.abs(real) < 1e-14, 0.0, real)
    real.setflags(write=False)
    return real


def _racah(j1, j2, j3, m1, m2):
    """The complex 3j symbol with m3 = -m1 - m2, by Racah's formula in whole numbers, rounded once."""
    m3, f = -m1 - m2, math.factorial
    total = fractions.Fraction(0)
    for k in range(max(0, j2 - j3 - m1, j1 - j3 + m2), min(j1 + j2 - j3, j1 - m1, j2 + m2) + 1):
        below = f(k) * f(j3 - j2 + k + m1) * f(j3 - j1 + k - m2) * f(j1 + j2 - j3 - k) * f(j1 - k - m1) * f(j2 - k + m2)
        total += fractions.Fraction((-1) ** k, below)
    triangle = fractions.Fraction(f(j1 + j2 - j3) * f(j1 - j2 + j3) * f(-j1 + j2 + j3), f(j1 + j2 + j3 + 1))
    orders = f(j1 + m1) * f(j1 - m1) * f(j2 + m2) * f(j2 - m2) * f(j3 + m3) * f(j3 - m3)
    size = math.sqrt(total**2 * triangle * orders)
    return size if (total < 0) == ((j1 - j2 - m3) % 2 == 1) else -size


@functools.cache
def _to_real(degree):
    """The real harmonics in terms of the complex ones with the sign of Condon and Shortley, `(orders, orders)`."""
    change, root = np.zeros((2 * degree + 1, 2 * degree + 1), dtype=complex), math.sqrt(0.5)
    change[degree, degree] = 1.0
    for m in range(1, degree + 1):
        sign = (-1) ** m
        change[degree + m, [degree + m, degree - m]] = root * sign, root
        change[degree - m, [degree + m, degree - m]] = -1j * root * sign, 1j * root
    return change
