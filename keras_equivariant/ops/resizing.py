"""Space resampled to other sizes, symmetric about its middle: by matrices along each axis, or maxima of windows."""

import dataclasses
import fractions
import math
from collections.abc import Callable

import numpy as np
from keras import ops

from keras_equivariant.ops.pooling import pool
from keras_equivariant.ops.windows import WEIGHTS, Border

SHARPNESS = -0.75  # of the cubic, as in torch and OpenCV


@dataclasses.dataclass(frozen=True)
class Resampled:
    """An axis that is resampled to a number of pixels by a matrix that knows both sizes.

    Args:
        length: number of outputs, or None where `factor` gives it.
        factor: outputs for each pixel, where `length` is None.
        matrix: function of the sizes before and after that gives the weights, `(after, before)`.
        enlarges: whether there may be more outputs than pixels.
    """

    length: int | None
    factor: fractions.Fraction | None
    matrix: Callable
    enlarges: bool = True

    extent = period = 1
    label = ()
    differs = "that are resampled to different sizes"
    even = True  # weights stay what they are on the reversed axis

    def after(self, size):
        """Number of outputs; None where it is no whole one."""
        if self.length is not None:
            return self.length
        return int(size * self.factor) if (size * self.factor).denominator == 1 else None

    def fits(self, size):
        return size > 0 and bool(self.after(size)) and (self.enlarges or self.after(size) <= size)

    def steps(self, size):
        weights = self.matrix(size, self.after(size))
        outputs, pixels = np.nonzero(weights)
        relative = np.rint(weights[outputs, pixels] * WEIGHTS).astype(np.int64)
        return [(size, self.after(size), np.stack([outputs, pixels, relative], axis=1))]

    def rule(self, names, size):
        return f"{names} must be resampled alike"


@dataclasses.dataclass(frozen=True)
class Centered:
    """An axis cut, or bordered, to a number of pixels about its middle; of an odd rest the end loses more."""

    length: int

    period = 2
    label = ()
    differs = "that are cut to different sizes"

    @property
    def extent(self):
        return self.length

    def border(self, size):
        """The Border that an axis of this size gets."""
        rest = size - self.length
        return Border(-(rest // 2), rest // 2 - rest)

    def fits(self, size):
        return size > 0

    def steps(self, size):
        return self.border(size).steps(size)

    def rule(self, names, size):
        return f"{names} must differ from their size by an even number"


def spans(size, length):
    """The windows of adaptive pooling, `[(first pixel, pixel behind the last)]`: together they cover everything."""
    return [(i * size // length, -(-(i + 1) * size // length)) for i in range(length)]


def mean_matrix(size, length):
    """The means over `spans`, `(length, size)`."""
    matrix = np.zeros((length, size))
    for row, (start, stop) in zip(matrix, spans(size, length), strict=True):
        row[start:stop] = 1.0 / (stop - start)
    return matrix


def interpolation_matrix(size, length, cubic=False, align_corners=False):
    """The weights of pixels at `length` places that lie evenly over `size` pixels, `(length, size)`.

    Args:
        size, length: pixels before and after.
        cubic: cubic convolution instead of the linear mixture of two neighbors.
        align_corners: the outermost places are the centers of the outermost pixels; else their edges coincide.
    """
    if align_corners:
        places = np.arange(length) * ((size - 1) / max(length - 1, 1)) + (0.5 * (size - 1) if length == 1 else 0.0)
    else:
        places = (np.arange(length) + 0.5) * size / length - 0.5
    if not cubic:
        places = places.clip(0, size - 1)
    matrix, reach = np.zeros((length, size)), 2 if cubic else 1
    for row, place in zip(matrix, places, strict=True):
        for pixel in range(math.floor(place) - reach + 1, math.floor(place) + reach + 1):
            distance = abs(place - pixel)
            row[min(max(pixel, 0), size - 1)] += _cubic(distance) if cubic else max(1.0 - distance, 0.0)
    return (matrix + matrix[::-1, ::-1]) / 2  # equal but for rounding


def _cubic(t):
    if t <= 1:
        return (SHARPNESS + 2) * t**3 - (SHARPNESS + 3) * t**2 + 1
    return SHARPNESS * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def resample(x, matrices):
    """Features (B, *space, C) with a matrix applied along each axis of space; None leaves an axis as it is."""
    for axis, matrix in enumerate(matrices, start=1):
        if matrix is None:
            continue
        before, after = list(x.shape[1:axis]), list(x.shape[axis + 1 :])
        rows = ops.reshape(x, (-1, matrix.shape[1], math.prod(after)))
        rows = ops.convert_to_tensor(matrix, dtype=x.dtype) @ rows  # ops.matmul rounds float64 on torch
        x = ops.reshape(rows, (-1, *before, matrix.shape[0], *after))
    return x


def resample_alike(x, matrix):
    """Features (B, N, N, C) with a matrix applied along both axes: the mean of both orders.

    Where numbers are rounded between the two products, as integers are, a single order tells the axes apart.
    """
    across = (0, 2, 1, 3)
    both = resample(ops.concatenate([x, ops.transpose(x, across)], axis=0), [matrix, matrix])
    orders = ops.reshape(both, (2, -1, *both.shape[1:]))
    return ops.sum(ops.stack([orders[0], ops.transpose(orders[1], across)], axis=0), axis=0) / 2


def even_windows(size, length):
    """The pixels of `spans`, each span with as many, some of them twice: `(pixels, pixels of a span)`.

    The first and the last ones of every span, as many as the smallest has: spans differ by one pixel at most, and the
    list reads the same from the other end.
    """
    if size % length == 0:
        return np.arange(size), size // length
    found = spans(size, length)
    part = min(stop - start for start, stop in found)
    pixels = [np.r_[start : start + part, stop - part : stop] for start, stop in found]
    return np.concatenate(pixels), 2 * part


def adaptive_max(x, lengths):
    """The maxima over `spans` along each axis of space of features (B, *space, C)."""
    sizes = []
    for axis, length in enumerate(lengths, start=1):
        pixels, size = even_windows(x.shape[axis], length)
        if len(pixels) != x.shape[axis]:
            x = ops.take(x, pixels, axis=axis)
        sizes.append(size)
    return pool(x, "max", tuple(sizes), tuple(sizes), "valid")


def adaptive_mean(x, lengths):
    """The means over `spans` along each axis of space; of a square the same to integers that are rounded between."""
    sizes = x.shape[1:-1]
    if len(sizes) == 2 and len(set(sizes)) == len(set(lengths)) == 1:
        return resample_alike(x, mean_matrix(sizes[0], lengths[0]))
    return resample(x, [mean_matrix(*pair) for pair in zip(sizes, lengths, strict=True)])


def radial_mask(sizes, margin, sigma):
    """1 within the ball that the space holds, falling off as a Gaussian outside, `(*sizes)`.

    Args:
        sizes: of the axes of space.
        margin: part of the radius by which the ball is smaller.
        sigma: width of the fall, in pixels.
    """
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in sizes), indexing="ij")
    squares = sum(axis**2 for axis in axes)
    edge = ((min(sizes) - 1) / 2 * (1 - margin)) ** 2
    return np.exp(np.minimum(edge - squares, 0.0) / sigma**2)
