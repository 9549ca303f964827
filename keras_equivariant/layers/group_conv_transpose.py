import keras
from keras import ops

from keras_equivariant.layers.base import axis_names, moved_axes, register
from keras_equivariant.layers.rotated_conv import RotatedConv
from keras_equivariant.ops import convolution, expansion


@register
class GroupConv2DTranspose(RotatedConv):
    """The transposed group convolution: the adjoint of `GroupConv2D`, for upsampling.

    y(p, t) = sum over x, s and fields c of f_c(x, s) psi_c(s^-1 (p - strides x), s^-1 t) + bias

    Args:
        filters, kernel_size, group, strides, padding, dilation_rate, activation, use_bias, basis, *_initializer,
        *_regularizer, *_constraint: as in `GroupConv2D`.
        output_padding: None, 0 or what `keras.layers.Conv2DTranspose` takes; only 0 keeps the exact symmetry.
        groups: 1 only, as in `keras.layers.Conv2DTranspose`.
        padding_mode: `"zeros"` only.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, |group|, C)`

    Output shape:
        `(B, H', W', |group|, filters)`

    Equivariance: y(L_g f) = L_g y(f), exact for the elements that map the pixel grid onto itself where both ends of an
    axis are treated alike, whatever its size: `padding="valid"` with a kernel of at least `strides` pixels, or
    `padding="same"` with kernel - strides even and not negative, e.g. a kernel of 4 for strides of 2.

    Raises:
        ValueError: a window that breaks the exact symmetry, options that it does not have.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupConv2DTranspose(16, 4, group="D4", strides=2, padding="same")
        >>> layer(np.zeros((1, 14, 14, 8, 32), "float32")).shape
        TensorShape([1, 28, 28, 8, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6 (the backward pass, equation 21, is this map).
    """

    def __init__(self, filters, kernel_size, group, *args, output_padding=None, **kwargs):
        super().__init__(filters, kernel_size, group, *args, **kwargs)
        if self.groups != 1:
            raise ValueError(
                "A transposed convolution has no field groups. "
                f"Received: groups={self.groups}; use UpSampling2D and GroupConv2D(groups=...)"
            )
        if self.padding_mode != "zeros":
            raise ValueError(
                "A transposed convolution pads with zeros. Received: padding_mode="
                f'"{self.padding_mode}"; use UpSampling2D and GroupConv2D(padding_mode=...)'
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

    def build(self, input_shape):
        fields = self._input_fields(input_shape)
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        self._add_weights((self.elements_in, self.filters, fields), fields)

    def call(self, inputs):
        y = ops.conv_transpose(
            self._flatten(inputs),
            ops.cast(self.expanded_kernel(), self.compute_dtype),
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            data_format="channels_last",
        )
        return self._finish(y)

    def expanded_kernel(self):
        """The kernel of the equal stock transposed convolution, (*window, |G| filters, |G| C).

        Dilation is written out as zeros between the taps: TensorFlow has no dilated transposed convolution on CPU.
        """
        return expansion.dilate(self._grouped_kernel(), self.dilation_rate)

    def symmetry_problems(self, input_shape):
        paddings = self.output_padding or (None,) * self.rank
        windows = zip(self.kernel_size, self.strides, self.dilation_rate, paddings, strict=True)
        broken = {}
        for axis, (window, moved) in enumerate(zip(windows, moved_axes(self.group), strict=True)):
            kernel, stride, dilation, output_padding = window
            if moved and not convolution.is_symmetric_transpose(kernel, stride, dilation, self.padding, output_padding):
                broken.setdefault(window, []).append(axis_names(self.rank)[axis])
        return [_problem(" and ".join(names), *window, self.padding) for window, names in broken.items()]

    def compute_output_shape(self, input_shape):
        self._input_fields(input_shape)
        paddings = self.output_padding or (None,) * self.rank
        space = [
            None if n is None else _transposed_size(n, k, s, d, self.padding, p)
            for n, k, s, d, p in zip(
                input_shape[1 : 1 + self.rank],
                self.kernel_size,
                self.strides,
                self.dilation_rate,
                paddings,
                strict=True,
            )
        ]
        return (input_shape[0], *space, self.group.order, self.filters)

    def fold(self, input_shape):
        stock = {2: keras.layers.Conv2DTranspose, 3: keras.layers.Conv3DTranspose}[self.rank]
        kernel = self.expanded_kernel()
        layer = stock(
            self.group.order * self.filters,
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
