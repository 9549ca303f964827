"""What Keras's Resizing, CenterCrop, adaptive pooling and keras.ops.image.resize do to space, step by step."""

import keras
import numpy as np

from keras_equivariant.groups.layouts import BreaksSymmetry
from keras_equivariant.ops.resizing import Centered, Resampled, interpolation_matrix, mean_matrix
from keras_equivariant.stock.traits import has


def steps(layer, space):
    """`[(windows, sizes)]`: a window for each axis of space and the sizes that it meets; None for any other layer.

    Args:
        layer: the layer or operation.
        space: sizes of its input; None where unknown, for which no aspect ratio is cut.
    """
    if isinstance(layer, keras.layers.CenterCrop):
        sizes = wanted(layer)
        if None in space or all(n >= m for n, m in zip(space, sizes, strict=True)):
            return [(tuple(map(Centered, sizes)), tuple(space))]
        return _at_ratio(sizes, space, _cut(sizes, space), "bilinear")  # so it enlarges what is too small
    if has(layer, "adaptive"):
        sizes = wanted(layer)[: len(space)]
        return [(tuple(Resampled(length, None, mean_matrix, enlarges=False) for length in sizes), tuple(space))]
    if not hasattr(layer, "crop_to_aspect_ratio"):
        return None
    sizes = wanted(layer)
    if None not in space and layer.crop_to_aspect_ratio:
        return _at_ratio(sizes, space, _cut(sizes, space), layer.interpolation)
    if None not in space and layer.pad_to_aspect_ratio:
        return _at_ratio(sizes, space, _padded(sizes, space), layer.interpolation)
    return [_scaled(sizes, tuple(space), layer.interpolation)]


def wanted(layer):
    """The sizes behind such a layer or operation."""
    if hasattr(layer, "output_size"):
        return tuple(layer.output_size)
    return tuple(layer.size) if hasattr(layer, "size") else (layer.height, layer.width)


def uneven(layer, space):
    """The error of a layer that does not keep what a group does to images of these sizes."""
    return BreaksSymmetry(
        f"does not treat all sides of {tuple(space)} pixels alike on the way to {wanted(layer)}",
        "use equal sizes that differ from it by even numbers, or Resizing2D",
    )


def _cut(sizes, space):
    """The pixels that are left where images are cut to the aspect ratio of `sizes`."""
    (height, width), (m, n) = space, sizes
    return max(min(height, int(width * m / n)), 1), max(min(width, int(height * n / m)), 1)


def _padded(sizes, space):
    """And the pixels of those that are padded to it, by as much at both ends."""
    (height, width), (m, n) = space, sizes
    larger = max(height, int(width * m / n)), max(width, int(height * n / m))
    return tuple(size + (big - size) // 2 * 2 for big, size in zip(larger, space, strict=True))


def _at_ratio(sizes, space, kept, interpolation):
    first = [(tuple(map(Centered, kept)), tuple(space))] if kept != tuple(space) else []
    return [*first, _scaled(sizes, kept, interpolation)]


def _scaled(sizes, space, interpolation):
    """All of Keras's kernels but that of "nearest" are even about the places that they are read at."""
    matrix = nearest_matrix if interpolation == "nearest" else interpolation_matrix
    return tuple(Resampled(length, None, matrix) for length in sizes), space


def nearest_matrix(size, length):
    """The pixel that holds each of `length` places over `size` pixels, `(length, size)`; the upper one of two."""
    pixels = np.minimum((2 * np.arange(length) + 1) * size // (2 * length), size - 1)
    return np.eye(size)[pixels]
