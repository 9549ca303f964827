"""Whether the windows and borders of stock layers treat alike what the group takes for alike."""

from keras_equivariant.groups import grid
from keras_equivariant.ops import convolution

moved_axes, keeps_shape = grid.moved_axes, grid.keeps_shape


def window_problem(group, sizes, window, strides, padding):
    """Why a window that slides over space is not symmetric under the group, or None."""
    moved = grid.moved_axes(group)
    for size, k, s, moves in zip(sizes, window, strides, moved, strict=True):
        if moves and not convolution.is_symmetric(size, k, s, 1, padding):
            return f'a window of {k} pixels with strides={s}, padding="{padding}" does not cover {size} symmetrically'
    for name, values in (("window", window), ("strides", strides)):
        if not grid.keeps_shape(group, values):
            return f"{group.name} swaps axes along which the {name} differs, {tuple(values)}"
    return None


def transposed_problem(group, window, strides, dilation, padding, output_padding):
    """Why a transposed convolution treats the ends of an axis differently, or None."""
    rank = len(window)
    output_padding = output_padding if isinstance(output_padding, tuple | list) else (output_padding,) * rank
    axes = zip(window, strides, dilation, output_padding, grid.moved_axes(group), strict=True)
    if any(moves and not convolution.is_symmetric_transpose(k, s, d, padding, p) for k, s, d, p, moves in axes):
        return f'strides={tuple(strides)} with padding="{padding}" put the pixels nearer to one end than to the other'
    if not grid.keeps_shape(group, strides):
        return f"{group.name} swaps axes along which strides={tuple(strides)} differ"
    return None


def border_problem(group, sides):
    """Whether what is added to or cut off the ends of the axes of space differs where the group takes it for alike.

    Args:
        sides: a pair of numbers of pixels for each axis of space.
    """
    moved = grid.moved_axes(group)
    uneven = any(moves and low != high for moves, (low, high) in zip(moved, sides, strict=True))
    return uneven or not grid.keeps_shape(group, [sum(side) for side in sides])


def is_closed(group, axes):
    """Whether the group maps this set of axes of space, numbered from 0, onto itself."""
    marks = [int(axis in axes) for axis in range(group.dimension)]
    return grid.keeps_shape(group, marks)
