from keras import ops

from keras_equivariant.layers.base import register
from keras_equivariant.layers.steerable_conv import SteerableConv
from keras_equivariant.layers.transposed import Transposed


@register
class SteerableConv2DTranspose(Transposed, SteerableConv):
    """The transposed convolution between field types: the adjoint of a `SteerableConv2D`, for upsampling.

    y(p) = activation(sum over x of K(p - strides x) f(x) + bias),   K(g z) = rho_out(g) K(z) rho_in(g)^-1

    The kernels are those of the convolution from `in_type` to `out_type`: representations are orthogonal, so that the
    transpose of a steerable kernel is steerable the other way.

    Args:
        in_type, out_type, kernel_size, group, strides, padding, dilation_rate, activation, use_bias, basis, the
            options of the rings, *_initializer, *_regularizer, *_constraint: as in `SteerableConv2D`.
        output_padding: None, 0 or what `keras.layers.Conv2DTranspose` takes; only 0 keeps the exact symmetry.
        groups: 1 only, as in `keras.layers.Conv2DTranspose`.
        padding_mode: `"zeros"` only.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, D_in)`, channels component-major, see `FieldType`.

    Output shape:
        `(B, H', W', D_out)`

    Equivariance: y(L_g f) = L_g y(f), exact for the elements that map the pixel grid onto itself where both ends of an
    axis are treated alike, whatever its size: `padding="valid"` with a kernel of at least `strides` pixels, or
    `padding="same"` with kernel - strides even and not negative, e.g. a kernel of 4 for strides of 2.

    Raises:
        ValueError: malformed or unknown types, an output field to which no kernel leads, a window that breaks the
            exact symmetry, options that it does not have.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableConv2DTranspose("4x0 + 2x1", "8x0", 4, "SO2", strides=2, padding="same")
        >>> layer(np.zeros((1, 7, 7, 8), "float32")).shape
        TensorShape([1, 14, 14, 8])

    Reference: Cohen & Welling, arXiv 1612.08498, section 2 (the constraint); the adjoint of an intertwiner of
    orthogonal representations is an intertwiner.
    """

    def _part_kernel(self):
        """`(*kernel_size, channels out, channels in)`: stock transposed convolutions have the output first."""
        return ops.swapaxes(super()._part_kernel(), -1, -2)

    def expanded_kernel(self):
        """The kernel of the equal stock transposed convolution, `(*window, channels out, channels in)`."""
        return self._dilated(self._part_kernel())
