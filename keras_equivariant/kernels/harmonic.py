"""The filters of Harmonic Networks: R(r) e^{i m phi} with R sampled on rings around the kernel's center."""

import dataclasses
import functools
import math

import numpy as np

from keras_equivariant.groups import grid
from keras_equivariant.utils.deprecation import renamed

RING_WIDTH = 0.5  # standard deviation, in pixels, of the Gaussian that spreads a ring over the pixels (1612.04642)
_LEAST_SAMPLES = 100


@dataclasses.dataclass(frozen=True)
class RingBasis:
    """The functions B_j^m that the filters of all orders 0..M are made of; order -m has the conjugates of order m.

    Attributes:
        orders: tuple of the orders that have functions; the others do not fit into the kernel.
        radii: tuple of tuples of ring radii in pixels, one per order of `orders`.
        basis: `(len(orders), 2, pixels, size)` float64, real and imaginary parts; row `d` of the coefficients
            belongs to one order, and is 0 for the others.
    """

    orders: tuple
    radii: tuple
    basis: np.ndarray

    functions = renamed("basis")

    @property
    def size(self):
        """Number of functions, the radial coefficients of one pair of channels."""
        return self.basis.shape[-1]


def ring_radii(kernel_size, order, num_rings):
    """Radii of the rings of one order, in pixels; fewer than `num_rings` where these would coincide.

    The first is 0 for order 0, else 1 pixel, and half the order for high orders, so that a period on the ring is
    longer than three pixels. The last is num_rings - 1/2, but never beyond the outermost pixel centers: a ring that
    the window cuts off would not rotate.
    """
    half = (kernel_size - 1) / 2
    inner = max(min(1.0, half), order / 2) if order else 0.0
    if inner > half or (order and half == 0):
        return ()
    outer = max(inner, min(num_rings - 0.5, half))
    return tuple(dict.fromkeys(np.linspace(inner, outer, min(num_rings, _distances(kernel_size))).tolist()))


@functools.lru_cache(maxsize=64)
def ring_basis(kernel_size, max_order, num_rings, width=RING_WIDTH):
    """The `RingBasis` of the orders 0..max_order on a square kernel.

    N equi-angular points of a ring are spread over the pixels by a Gaussian, and their discrete Fourier transform is

    B_j^m(p) = c sum_n e^{2 pi i m n / N} w_jn(p),  w_jn(p) = exp(-|p - r_j (cos, sin)(2 pi n / N)|^2 / (2 width^2))

    with sum_p w_jn(p) = 1 and c such that sum_p |B_j^m(p)|^2 = 1. N is divisible by 4: exact under quarter turns.

    Args:
        kernel_size: side of the kernel in pixels.
        max_order: the highest order.
        num_rings: number of rings of each order, fewer where they would coincide (`ring_radii`).
        width: standard deviation of the Gaussian, in pixels.
    """
    found = [(m, ring_radii(kernel_size, m, num_rings)) for m in range(max_order + 1)]
    found = [(m, radii) for m, radii in found if radii]
    size = sum(len(radii) for _, radii in found)
    functions, row = np.zeros((len(found), 2, kernel_size**2, size)), 0
    for i, (m, radii) in enumerate(found):
        for radius in radii:
            ring = _ring(kernel_size, m, radius, width)
            functions[i, 0, :, row], functions[i, 1, :, row] = ring.real, ring.imag
            row += 1
    functions.setflags(write=False)
    return RingBasis(tuple(m for m, _ in found), tuple(radii for _, radii in found), functions)


def _ring(kernel_size, order, radius, width):
    samples = 4 * math.ceil(max(math.pi * kernel_size, _LEAST_SAMPLES, 2 * order + 1) / 4)
    angles = 2 * np.pi * np.arange(samples) / samples
    rows, columns = grid.centered_points((kernel_size, kernel_size)).T
    x = columns - radius * np.cos(angles)[:, None]
    y = -rows - radius * np.sin(angles)[:, None]
    exponents = -(x**2 + y**2) / (2 * width**2)
    weights = np.exp(exponents - exponents.max(axis=1, keepdims=True))  # a narrow Gaussian must not be 0 everywhere
    weights /= weights.sum(axis=1, keepdims=True)
    ring = np.exp(1j * order * angles) @ weights
    return ring / np.linalg.norm(ring)


def _distances(kernel_size):
    """Number of different distances of pixels from the center: more rings than that are not independent."""
    points = grid.centered_points((kernel_size, kernel_size))
    return len(np.unique(np.round((points**2).sum(axis=1), 6)))
