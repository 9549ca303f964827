"""What turns a convolution into the transposed one: the window, its symmetry and the fold; not a layer of its own."""

import keras
from keras import ops

from keras_equivariant.groups import grid
from keras_equivariant.layers.core.base import alike, stock
from keras_equivariant.ops import convolution, expansion


class Transposed:
    """Mixin of the transposed convolutions, before a `WindowedConv` with kernels `(*kernel_size, out, in)`.

    Args:
        output_padding: None, 0 or what Keras's transposed convolutions take.
    """

    def __init__(self, *args, output_padding=None, **kwargs):
        super().__init__(*args, **kwargs)
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
            output_padding = (output_padding,) * self.rank if isinstance(output_padding, int) else tuple(output_padding)
            if any(p >= s for p, s in zip(output_padding, self.strides, strict=True)):
                raise ValueError(
                    "`output_padding` must be smaller than `strides`. "
                    f"Received: output_padding={output_padding}, strides={self.strides}"
                )
            self.output_padding = output_padding
            if _padding_is_short(self.kernel_size, self.dilation_rate, self.padding, output_padding):
                raise ValueError(
                    'With padding="same" a window of an even number of pixels needs an `output_padding` of '
                    f"at least 1. Received: output_padding={output_padding}; leave it at None"
                )

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

    def symmetry_problems(self, input_shape):
        paddings = self.output_padding or (None,) * self.rank
        windows = zip(self.kernel_size, self.strides, self.dilation_rate, paddings, strict=True)
        axes = [w if moved else None for w, moved in zip(windows, grid.moved_axes(self.group), strict=True)]
        problems = []
        for window, names in alike(axes).items():
            if not convolution.is_symmetric_transpose(*window[:3], self.padding, window[3]):
                problems.append(_problem(names, *window, self.padding))
        return problems

    def _sizes_after(self, sizes):
        paddings = self.output_padding or (None,) * self.rank
        windows = zip(self.kernel_size, self.strides, self.dilation_rate, paddings, strict=True)
        return tuple(
            None if n is None else _transposed_size(n, k, s, d, self.padding, p)
            for n, (k, s, d, p) in zip(sizes, windows, strict=True)
        )

    def fold(self, input_shape):
        kernel = self.expanded_kernel()
        layer = stock("ConvTranspose", self.rank)(
            kernel.shape[-2],
            tuple(kernel.shape[: self.rank]),
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            name=self.name,
            activation=keras.activations.serialize(self.activation),
        )
        return [(layer, [kernel, self.expanded_bias()])]

    def get_config(self):
        padding = self.output_padding
        return {**super().get_config(), "output_padding": None if padding is None else list(padding)}


def _problem(names, kernel, stride, dilation, output_padding, padding):
    """The sentence that says why a window treats the ends of these axes differently, and what would not."""

    def works(kernel, padding):
        return convolution.is_symmetric_transpose(kernel, stride, dilation, padding)

    fixes = ["output_padding=None"] if output_padding is not None and works(kernel, padding) else []
    near = [k for k in range(1, kernel + 2 * stride + 1) if works(k, padding)]
    fixes += [f"kernel_size={min(near, key=lambda k: (abs(k - kernel), -k))}"] if near and not fixes else []
    fixes += ['padding="valid"'] if padding == "same" and works(kernel, "valid") else []
    dilated = f", dilation_rate={dilation}" if dilation > 1 else ""
    kept = f", output_padding={output_padding}" if output_padding is not None else ""
    return (
        f'a window of {kernel} pixels with strides={stride}{dilated}{kept}, padding="{padding}" treats the two ends of '
        f"{names} differently; use " + ", or ".join(fixes)
    )


def _padding_is_short(kernel_size, dilation_rate, padding, output_padding):
    """Whether a backend would have to crop more than there is."""
    even = [((k - 1) * d + 1) % 2 == 0 for k, d in zip(kernel_size, dilation_rate, strict=True)]
    return padding == "same" and any(e and p == 0 for e, p in zip(even, output_padding, strict=True))


def _transposed_size(size, kernel, stride, dilation, padding, output_padding):
    extent = (kernel - 1) * dilation + 1
    if output_padding is None:
        return size * stride + (max(extent - stride, 0) if padding == "valid" else 0)
    total = (size - 1) * stride + extent + output_padding
    return total if padding == "valid" else total - 2 * (extent // 2)
