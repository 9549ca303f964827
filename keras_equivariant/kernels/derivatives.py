"""Stencils of partial differential operators P(D), P a polynomial in the derivatives D = (d/dx_1, d/dx_2, ...).

An operator moves as its polynomial does: where sum over z of w(z) f(z) is P(D) f, w(g^-1 z) gives that of P(g^-1 .).
So harmonic polynomials times powers of |x|^2, that is harmonic operators after powers of the Laplacian, take the place
of the harmonics on rings. Every stencil is made of products of one-dimensional ones, the same along all axes: flips
and quarter turns move them exactly.

Reference: Jenner & Weiler, Steerable Partial Differential Operators, arXiv 2106.10163.
"""

import dataclasses
import functools
import itertools
import math

import numpy as np

from keras_equivariant.groups import grid, spherical_harmonics
from keras_equivariant.groups.linalg import gram_schmidt, without_noise
from keras_equivariant.kernels.rings import voxel_scales

DISCRETIZATIONS = ("fd", "gauss")
DEPENDENT = 1e-3  # of its length, what a stencil must have of its own beside those before: less would lose digits


@dataclasses.dataclass(frozen=True)
class Derivatives:
    """Which differential operators there are, and how they are discretized.

    Attributes:
        maximum_order: highest order of a derivative; None for the highest that the kernel's size allows.
        discretization: `"fd"`: central finite differences. `"gauss"`: derivatives of a Gaussian.
        accuracy: p, of finite differences: on polynomials of degree below the order plus p they are exact, on no more
            pixels than that takes. None for all pixels of the kernel.
        smoothing: standard deviation of the Gaussian in pixels; None for a quarter of the kernel's size.
        voxel_size: as in Rings.
    """

    maximum_order: int | None = None
    discretization: str = "fd"
    accuracy: int | None = None
    smoothing: float | None = None
    voxel_size: tuple | None = None

    def __post_init__(self):
        if self.discretization not in DISCRETIZATIONS:
            raise ValueError(
                f"`discretization` must be one of {DISCRETIZATIONS}. Received: discretization={self.discretization!r}"
            )
        for name, least in (("maximum_order", 0), ("accuracy", 1)):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
                raise ValueError(f"`{name}` must be an integer of at least {least} or None. Received: {name}={value!r}")
        number = isinstance(self.smoothing, int | float) and not isinstance(self.smoothing, bool)
        if self.smoothing is not None and not (number and self.smoothing > 0):
            raise ValueError(f"`smoothing` must be a positive number or None. Received: smoothing={self.smoothing!r}")
        other = {"fd": "smoothing", "gauss": "accuracy"}[self.discretization]
        if getattr(self, other) is not None:
            fitting = next(name for name in DISCRETIZATIONS if name != self.discretization)
            raise ValueError(
                f'`{other}` is of discretization="{fitting}". Received: {other}={getattr(self, other)!r} with '
                f'discretization="{self.discretization}"; leave it out, or use discretization="{fitting}"'
            )

    def order(self, kernel_size):
        """The highest order of a derivative in a kernel of this size."""
        size = min(kernel_size)
        possible = max((n for n in range(size) if self._width(n, size) <= size), default=-1)
        if possible < (self.maximum_order or 0):
            asked = self.maximum_order or 0
            needed = next(k for k in range(size, 99, 2) if self._fits(asked, k))
            raise ValueError(
                "The kernel must hold the stencils of all derivatives, and one of order n takes more than n pixels. "
                f"Received: kernel_size={tuple(kernel_size)} with maximum_order={self.maximum_order}, "
                f"accuracy={self.accuracy}; use kernel_size={needed}"
            )
        return possible if self.maximum_order is None else self.maximum_order

    def _fits(self, order, size):
        return order < size and self._width(order, size) <= size

    def _width(self, order, size):
        """Pixels of the one-dimensional stencil of this order: as the kernel's size even or odd, centered."""
        if self.accuracy is None:
            return size
        width = order + 1 + (size - order - 1) % 2
        # A centered stencil is one order more accurate than its pixels where their number minus the order is odd.
        while width - order + (width - order) % 2 < self.accuracy and (order or size % 2 == 0):
            width += 2
        return width

    def stencils(self, size, scale, order):
        """The one-dimensional stencils of the orders 0, 1, ..., `(order + 1, size)`."""
        points = (np.arange(size) - (size - 1) / 2) * scale
        if self.discretization == "gauss":
            deviation = size / 4 if self.smoothing is None else self.smoothing
            reduced = points / deviation
            found = [np.polynomial.hermite_e.hermeval(reduced, np.eye(order + 1)[n]) for n in range(order + 1)]
            return np.stack(found) * np.exp(-(reduced**2) / 2) / deviation ** np.arange(order + 1.0)[:, None]
        found = np.zeros((order + 1, size))
        for n in range(order + 1):
            width = self._width(n, size)
            inside = slice((size - width) // 2, (size + width) // 2)
            powers = np.vander(points[inside], increasing=True).T
            weights = np.linalg.solve(powers, math.factorial(n) * np.eye(width)[n])
            found[n, inside] = (weights + (-1) ** n * weights[::-1]) / 2
        return without_noise(found)


def operator_harmonics(kernel_size, derivatives):
    """The stencils of all harmonic operators after powers of the Laplacian, in ascending order of the derivatives.

    Yields:
        `(m, Y)`, as `band_limited.ring_harmonics` does: Y is `(1, pixels)` for m = 0, else `(2, pixels)`, in space
        `(2 m + 1, pixels)`.
    """
    dimension = len(kernel_size)
    for degree, stencils in enumerate(_stencils(tuple(kernel_size), derivatives)):
        points = _points(dimension, degree)
        for m in range(degree % 2, degree + 1, 2):
            values = np.sum(points**2, axis=1) ** ((degree - m) // 2) * _solid_harmonics(m, points)
            functions = _coefficients(values, points, degree) @ stencils
            yield m, functions / np.sqrt(np.max(np.sum(functions**2, axis=1)))


def moved_operators(matrices, kernel_size, derivatives):
    """All operators up to the highest order moved by each matrix, those of the identity orthonormal.

    Args:
        matrices: `(elements, d, d)` orthogonal matrices.
        kernel_size: tuple of integers, one per axis of space.
        derivatives: Derivatives.

    Returns:
        `(elements, D, pixels)` float64.
    """
    stencils = _stencils(tuple(kernel_size), derivatives)
    rows = np.concatenate(stencils)
    # Lower orders first, so that the triangular matrix mixes into each operator only lower ones.
    mixed = np.linalg.inv(np.linalg.qr(rows.T, mode="r")).T
    found = []
    for matrix in matrices:
        moved = []
        for degree, functions in enumerate(stencils):
            points = _points(len(kernel_size), degree)
            values = _monomials(points @ grid.index_matrix(matrix), degree)
            moved.append(_coefficients(values, points, degree) @ functions)
        found.append(mixed @ np.concatenate(moved))
    return np.stack(found)


@functools.lru_cache(maxsize=64)
def _stencils(kernel_size, derivatives):
    """For each order the stencils of all its partial derivatives, `(derivatives, pixels)`, not normalized."""
    order, dimension = derivatives.order(kernel_size), len(kernel_size)
    scales = voxel_scales(derivatives.voxel_size, dimension)
    along = [derivatives.stencils(size, scale, order) for size, scale in zip(kernel_size, scales, strict=True)]
    found = []
    for degree in range(order + 1):
        rows = []
        for powers in _powers(dimension, degree):
            parts = [one[n] for one, n in zip(along, powers, strict=True)]
            rows.append(functools.reduce(np.multiply.outer, parts).ravel())
        found.append(np.stack(rows))
    highest = _independent(found)
    if highest < order:
        raise ValueError(
            "The stencils of all derivatives must be independent on the pixels. Received: "
            f"kernel_size={kernel_size} with maximum_order={derivatives.maximum_order}, "
            f'discretization="{derivatives.discretization}", smoothing={derivatives.smoothing}; use '
            f"maximum_order={highest}"
        )
    return tuple(found)


def _independent(stencils):
    """The highest order up to which all stencils are independent."""
    rows = np.concatenate([one / np.linalg.norm(one, axis=1, keepdims=True) for one in stencils])
    count = 0
    for order, one in enumerate(stencils):
        count += len(one)
        if len(gram_schmidt(rows[:count], tolerance=DEPENDENT)) < count:
            return order - 1
    return len(stencils) - 1


def _powers(dimension, degree):
    """The powers of the coordinates in all monomials of a degree."""
    return [p for p in itertools.product(range(degree, -1, -1), repeat=dimension) if sum(p) == degree]


def _monomials(points, degree):
    """All monomials of a degree at points `(n, d)`, `(monomials, n)`."""
    return np.stack([np.prod(points**p, axis=1) for p in np.array(_powers(points.shape[1], degree))])


@functools.lru_cache(maxsize=64)
def _points(dimension, degree):
    """Points on the unit sphere from whose values the coefficients of a polynomial of this degree follow."""
    points = np.random.default_rng(0).normal(size=(4 * len(_powers(dimension, degree)), dimension))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def _coefficients(values, points, degree):
    """The coefficients on the monomials of homogeneous polynomials with these values, `(polynomials, monomials)`."""
    found = np.linalg.lstsq(_monomials(points, degree).T, values.T, rcond=None)[0]
    return without_noise(found.T)


def _solid_harmonics(m, points):
    """The harmonic polynomials of a degree at points in array coordinates, in the order of `ring_harmonics`."""
    if points.shape[1] == 3:
        return np.linalg.norm(points, axis=1) ** m * spherical_harmonics(m, points).T
    rows, columns = points.T
    wave = (-(rows + 1j * columns)) ** m
    return np.stack([-wave.imag, wave.real]) if m else np.ones((1, len(points)))
