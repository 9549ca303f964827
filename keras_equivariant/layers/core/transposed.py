"""What turns a convolution into the transposed one: the window, its symmetry and the fold; not a layer of its own."""

from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant.layers.core.base import stock
from keras_equivariant.layers.core.options import Size
from keras_equivariant.ops import expansion
from keras_equivariant.ops.windows import Spreading
from keras_equivariant.utils.checks import tuple_of


class Transposed:
    """Mixin of the transposed convolutions, before a `WindowedConv` with kernels `(*kernel_size, out, in)`.

    Args:
        output_padding: None, 0 or what Keras's transposed convolutions take.
    """

    def __init__(self, output_padding: Size | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.groups != 1:
            raise ValueError(
                "A transposed convolution has no field groups. "
                f"Received: groups={self.groups}; use UpSampling{self.rank}D and {self._straight()}(groups=...)"
            )
        if self.padding_mode != "zeros":
            raise ValueError(
                "A transposed convolution pads with zeros. Received: padding_mode="
                f'"{self.padding_mode}"; use UpSampling{self.rank}D and {self._straight()}(padding_mode=...)'
            )
        self.output_padding = output_padding
        if output_padding is not None:
            self.output_padding = tuple_of(output_padding, self.rank, "output_padding", minimum=0)
            self.windows(**self.window_arguments())

    def _straight(self):
        return type(self).__name__.removesuffix("Transpose")

    def _dilated(self, kernel):
        # Written out as zeros between the taps: TensorFlow has no dilated transposed convolution on CPU.
        return expansion.dilate(kernel, self.dilation_rate)

    def _undilated(self, kernel):
        return kernel[tuple(slice(None, None, rate) for rate in self.dilation_rate)]

    def _convolve(self, x, kernel):
        return ops.conv_transpose(
            x,
            ops.cast(self._dilated(kernel), self.compute_dtype),
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            data_format="channels_last",
        )

    def window_arguments(self):
        arguments = super().window_arguments()
        del arguments["padding_mode"]
        return {**arguments, "output_padding": self.output_padding}

    def windows(self, kernel_size, strides, dilation_rate, padding, output_padding):
        if kernel_size != self.kernel_size:
            self.check_kernel(kernel_size)
        if output_padding is not None:
            _check_output_padding(kernel_size, strides, dilation_rate, padding, output_padding)
        added = output_padding or (None,) * self.rank
        even = self.even_axes if kernel_size == self.kernel_size else (False,) * self.rank
        spreading = zip(kernel_size, strides, dilation_rate, added, even, strict=True)
        return tuple(Spreading(k, s, d, padding, p, alike) for k, s, d, p, alike in spreading)

    def _sizes_after(self, sizes):
        windows = zip(sizes, self.windows(**self.window_arguments()), strict=True)
        return tuple(None if size is None else window.length(size) for size, window in windows)

    def fold(self, input_shape):
        kernel = self.expanded_kernel()
        layer = stock("ConvTranspose", self.rank)(
            kernel.shape[-2],
            tuple(kernel.shape[: self.rank]),
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            name=self.name,
            activation=self.activation,
        )
        return [(layer, [kernel, self.expanded_bias()])]


def _check_output_padding(kernel_size, strides, dilation_rate, padding, output_padding):
    if any(p >= s for p, s in zip(output_padding, strides, strict=True)):
        raise ValueError(
            "`output_padding` must be smaller than `strides`. "
            f"Received: output_padding={output_padding}, strides={strides}"
        )
    extents = [(k - 1) * d + 1 for k, d in zip(kernel_size, dilation_rate, strict=True)]
    # A backend would have to crop more than there is.
    if padding == "same" and any(e % 2 == 0 and p == 0 for e, p in zip(extents, output_padding, strict=True)):
        raise ValueError(
            'With padding="same" a window of an even number of pixels needs an `output_padding` of '
            f"at least 1. Received: output_padding={output_padding}; leave it at None"
        )
