"""Group convolutions with a window as 1x1 ones of patches.

    y(p, s) = sum_{z, h} K(s^-1 z, s^-1 h) x(p + z, h)

With z = h q, q over the pixels of the window, the numbers x(p + h q, h) of a patch are regular features, of as many
fields as the window has pixels times those of x: an element g sends (h, q) to (g h, q). So the whole convolution is one
matrix at every pixel that commutes with the group, and falls apart into blocks as that of a 1x1 convolution does.
"""

import dataclasses
import math

import keras
import numpy as np
from keras import layers

from keras_equivariant.groups import grid
from keras_equivariant.ops.windows import Sliding
from keras_equivariant.stock.traits import traits


@dataclasses.dataclass(frozen=True)
class Window:
    """The window of a stock convolution on the features in front of it.

    Attributes:
        axes: a `Sliding` for each axis of space.
        space: sizes of the features, None where open.
    """

    axes: tuple
    space: tuple

    @property
    def sizes(self):
        return tuple(axis.kernel for axis in self.axes)

    @property
    def strides(self):
        return tuple(axis.stride for axis in self.axes)

    @property
    def dilations(self):
        return tuple(axis.dilation for axis in self.axes)

    @property
    def taps(self):
        return math.prod(self.sizes)

    @property
    def trivial(self):
        return max(*self.sizes, *self.strides) == 1

    @property
    def pads(self):
        """Pixels of zeros at both ends of each axis; with stride 1 the same on all sizes."""
        totals = [axis.padded(size or axis.extent) for axis, size in zip(self.axes, self.space, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)

    @property
    def out(self):
        """Sizes of the output, None where open."""
        return tuple(size and axis.length(size) for axis, size in zip(self.axes, self.space, strict=True))

    def places(self, group):
        """`(order, taps)`: where in the window, pixels counted row by row, each element sends each of its pixels; None
        where some element does not map the window onto itself, or moves space of another dimension."""
        if group.dimension != len(self.sizes):
            return None
        middle = (np.array(self.sizes) - 1) / 2
        found = []
        for matrix in group.matrices:
            moved = grid.centered_points(self.sizes) @ grid.index_matrix(matrix).T + middle
            whole = np.round(moved).astype(int)
            inside = ((whole >= 0) & (whole < self.sizes)).all()
            if not inside or np.abs(moved - whole).max() > 1e-6:
                return None
            found.append(np.ravel_multi_index(whole.T, self.sizes))
        return np.stack(found)

    def pixels_read(self, place):
        """The slices of the padded features that the pixel of this number of each window reads."""
        found = []
        for axis, tap, out in zip(self.axes, np.unravel_index(place, self.sizes), self.out, strict=True):
            start = int(tap) * axis.dilation
            if out is None:
                found.append(slice(start, start + 1 - axis.extent or None))
            else:
                found.append(slice(start, start + (out - 1) * axis.stride + 1, axis.stride))
        return tuple(found)


def window_of(layer, shape):
    """The Window of a stock layer on features of this shape; None for a layer that is none, or on open sizes."""
    row = traits(layer)
    if row is None or row.kind != "convolution" or row.input_axis is None or row.transposed or layer.groups != 1:
        return None
    space = tuple(shape[1:-1])
    if layer.data_format != "channels_last" or layer.padding not in ("valid", "same") or len(space) not in (2, 3):
        return None
    sizes = zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True)
    axes = tuple(Sliding(*one, layer.padding) for one in sizes)
    if any(axis.stride > 1 if size is None else not axis.fits(size) for axis, size in zip(axes, space, strict=True)):
        return None
    return Window(axes, space)


def matrix_of(kernel, window, group):
    """The kernel as the matrix `(|G| taps C, outputs)` of a 1x1 convolution of patches; None where there is none."""
    places = window.places(group)
    inputs, outputs = kernel.shape[-2:]
    if places is None or inputs % group.order:
        return None
    cells = kernel.reshape(window.taps, group.order, inputs // group.order, outputs)
    return cells[places, np.arange(group.order)[:, None]].reshape(-1, outputs)


def patches(x, window, group, emitter, stem):
    """The numbers that each window reads, a tensor `(B, *out, taps C)` for every element.

    Args:
        x: features `(B, *space, |G| C)`.
        window: Window.
        group: the group.
        emitter: Emitter, which makes the layers.
        stem: of their names.
    """
    rank, order = len(window.sizes), group.order
    if any(sum(ends) for ends in window.pads):
        x = emitter.make({2: layers.ZeroPadding2D, 3: layers.ZeroPadding3D}[rank], f"{stem}_padding", window.pads)(x)
    cut = _by_convolutions if rank == 2 and max(window.strides) > 1 else _by_slices
    parts = cut(x, window, window.places(group), x.shape[-1] // order, emitter, stem)
    return [read[0] if len(read) == 1 else keras.ops.concatenate(read, axis=-1) for read in parts]


def _by_slices(x, window, places, fields, emitter, stem):
    found = []
    for element, row in enumerate(places):
        channels = slice(element * fields, (element + 1) * fields)
        found.append([x[(slice(None), *window.pixels_read(place), channels)] for place in row])
    return found


def _by_convolutions(x, window, places, fields, emitter, stem):
    """Depthwise convolutions whose kernels are 1 at one pixel: runtimes are slow at slices of every n-th pixel."""
    split = []
    for row in places.T:
        kernel = np.zeros((window.taps, len(row), fields, 1), "float32")
        kernel[row, np.arange(len(row))] = 1
        settings = {"strides": window.strides, "dilation_rate": window.dilations, "use_bias": False}
        one = emitter.make(layers.DepthwiseConv2D, f"{stem}_pixel", window.sizes, **settings)
        y = emitter.weighted(one, [kernel.reshape(*window.sizes, -1, 1)], x)
        split.append(keras.ops.split(y, len(row), axis=-1))
    return [list(parts) for parts in zip(*split, strict=True)]
