"""What all convolutions share: windows, weights' options and the fold to a stock layer; not a layer of its own."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant import groups
from keras_equivariant.layers.core.base import stock
from keras_equivariant.layers.core.options import DataFormat, Padding, PaddingMode, Size
from keras_equivariant.layers.core.weighted import Weighted
from keras_equivariant.ops import convolution, expansion
from keras_equivariant.ops.padding import PADDING_MODES, check_fits, pad
from keras_equivariant.ops.windows import Sliding
from keras_equivariant.utils.checks import check_choice, check_data_format, check_padding, positive, tuple_of

SYMMETRY_HINT = 'For grouped convolution use `groups=4`; `group` names a symmetry, e.g. group="C4"'


class WindowedConv(Weighted):
    """A window that slides over space with a kernel that is expanded from learned coefficients.

    Subclasses set `rank` (axes of space) and `group`, add the weights, and give `expanded_kernel()` and
    `expanded_bias()`, those of the equal stock convolution.
    """

    rank = 2

    def __init__(
        self,
        kernel_size: Size,
        strides: Size = 1,
        padding: Padding = "valid",
        data_format: DataFormat | None = None,
        dilation_rate: Size = 1,
        padding_mode: PaddingMode = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_data_format(data_format)
        self.kernel_size = tuple_of(kernel_size, self.rank, "kernel_size")
        self.strides = tuple_of(strides, self.rank, "strides")
        self.dilation_rate = tuple_of(dilation_rate, self.rank, "dilation_rate")
        self.padding = check_padding(padding)
        self.padding_mode = check_choice(padding_mode, "padding_mode", PADDING_MODES)
        if self.padding_mode != "zeros" and self.padding == "valid":
            raise ValueError(
                f'`padding_mode` only applies to padding="same". Received: padding="valid", '
                f'padding_mode="{padding_mode}"'
            )

    def _convolve(self, x, kernel):
        return convolution.convolve(
            x,
            ops.cast(kernel, self.compute_dtype),
            self.strides,
            self.padding,
            self.dilation_rate,
            self.padding_mode,
        )

    def window_arguments(self):
        return {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "padding": self.padding,
            "padding_mode": self.padding_mode,
        }

    @property
    def even_axes(self):
        """For each axis of space whether every kernel of the layer stays the same when the axis is reversed."""
        return (False,) * self.rank

    def check_kernel(self, kernel_size):
        """ValueError where the layer cannot have a kernel of this other size."""

    def windows(self, kernel_size, strides, dilation_rate, padding, padding_mode):
        if kernel_size != self.kernel_size:
            self.check_kernel(kernel_size)
        even = self.even_axes if kernel_size == self.kernel_size else (False,) * self.rank
        sliding = zip(kernel_size, strides, dilation_rate, even, strict=True)
        return tuple(Sliding(*one, padding, padding_mode, even=alike) for *one, alike in sliding)

    def _sizes_after(self, sizes):
        """Sizes of space after the layer; None stays None."""
        space = []
        for axis, (size, window) in enumerate(zip(sizes, self.windows(**self.window_arguments()), strict=True)):
            if self._pads:
                check_fits(size, window.extent, window.stride, self.padding_mode, axis + 1)
            if size is not None and not window.fits(size):
                raise ValueError(
                    f'The kernel must fit into the input with padding="valid". Received: axis {axis} of '
                    f'size {size}, a window of {window.extent} pixels; use padding="same" or a smaller kernel'
                )
            space.append(None if size is None else window.length(size))
        return tuple(space)

    @property
    def _pads(self):
        """Whether pixels are added first: stock convolutions have neither padding modes nor strides with dilation."""
        dilated = max(self.strides) > 1 and max(self.dilation_rate) > 1
        return self.padding == "same" and (dilated or self.padding_mode != "zeros")

    def fold(self, input_shape):
        kernel, dilation = self.expanded_kernel(), self.dilation_rate
        if self.rank == 3:  # TFLite has no dilated convolution of volumes: the zeros between the taps are written out
            kernel, dilation = expansion.dilate(kernel, dilation), (1,) * self.rank
        extents = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        dilated = max(self.strides) > 1 and max(dilation) > 1
        pads = self.padding == "same" and (dilated or self.padding_mode != "zeros")
        layer = stock("Conv", self.rank)(
            kernel.shape[-1],
            kernel.shape[: self.rank],
            strides=1 if dilated else self.strides,
            padding="valid" if pads else self.padding,
            dilation_rate=dilation,
            activation=self.activation,
            name=self.name,
        )
        steps = [(layer, [kernel, self.expanded_bias()])]
        if pads:
            steps.insert(0, (lambda x: pad(x, extents, self.strides, self.padding_mode), []))
        if dilated:
            steps.append((lambda y: convolution.subsample(y, self.strides), []))
        return steps


def symmetry_group(group):
    """The group of this name; a number gets the hint that `groups` is the other argument."""
    if isinstance(group, int):
        raise ValueError(f"{SYMMETRY_HINT}. Received: group={group!r}")
    return groups.orthogonal_group(group)


def field_groups(value, filters=None):
    """Checks Keras's `groups`."""
    if isinstance(value, str):
        raise ValueError(f"{SYMMETRY_HINT}. Received: groups={value!r}")
    value = positive(value, "groups")
    if filters is not None and filters % value:
        raise ValueError(f"`filters` must be divisible by `groups`. Received: filters={filters}, groups={value}")
    return value
