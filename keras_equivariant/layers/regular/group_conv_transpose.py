from __future__ import annotations

from typing import Any

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Activation,
    Basis,
    Constraint,
    Count,
    DataFormat,
    FieldGroups,
    GroupLike,
    Initializer,
    Padding,
    PaddingMode,
    Regularizer,
    Size,
    passed_on,
)
from keras_equivariant.layers.core.rotated_conv import RotatedConv
from keras_equivariant.layers.core.transposed import Transposed


class GroupConvTranspose(Transposed, RotatedConv):
    """The transposed group convolution of any rank of space; not a layer of its own."""

    def __init__(
        self,
        filters: Count,
        kernel_size: Size,
        group: GroupLike,
        strides: Size = 1,
        padding: Padding = "valid",
        data_format: DataFormat | None = None,
        dilation_rate: Size = 1,
        groups: FieldGroups = 1,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        activity_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        basis: Basis = "auto",
        trainable_basis: bool = False,
        equivariance_weight: float = 1.0,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        *,
        output_padding: Size | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))

    def build(self, input_shape):
        fields = self._input_fields(input_shape)
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        self._add_weights((self._coefficients, self.filters, fields), fields)

    def expanded_kernel(self):
        """The kernel of the equal stock transposed convolution, (*window, |G| filters, |G| C)."""
        return self._dilated(self._grouped_kernel())

    def coefficients(self, kernel):
        return super().coefficients(self._undilated(kernel))


@register
class GroupConv2DTranspose(GroupConvTranspose):
    """The transposed group convolution: the adjoint of `GroupConv2D`, for upsampling.

    y(p, t) = sum over x, s and fields c of f_c(x, s) psi_c(s^-1 (p - strides x), s^-1 t) + bias

    Args:
        filters, kernel_size, group, strides, padding, dilation_rate, activation, use_bias, basis, trainable_basis,
            equivariance_weight, and the initializers, regularizers and constraints: as in `GroupConv2D`.
        data_format: `"channels_last"` only.
        output_padding: None, 0 or what `keras.layers.Conv2DTranspose` takes. Even numbers keep the exact symmetry with
            `padding="same"`, only 0 does with `"valid"`.
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


@register
class GroupConv3DTranspose(GroupConvTranspose):
    """The transposed group convolution: the adjoint of `GroupConv3D`, for upsampling.

    y(p, t) = sum over x, s and fields c of f_c(x, s) psi_c(s^-1 (p - strides x), s^-1 t) + bias

    Args:
        filters, kernel_size, group, basis, trainable_basis, equivariance_weight: as in `GroupConv3D`.
        strides, padding, output_padding, data_format, dilation_rate, groups, activation, use_bias,
            initializers, regularizers, constraints, padding_mode, strict: as in `GroupConv2DTranspose`.

    Input shape:
        `(B, D, H, W, |group|, C)`

    Output shape:
        `(B, D', H', W', |group|, filters)`

    Equivariance: y(L_g f) = L_g y(f), exact for the elements that map the voxel grid onto itself where both ends of an
    axis are treated alike, whatever its size, as in `GroupConv2DTranspose`.

    Raises:
        ValueError: a window that breaks the exact symmetry, options that it does not have.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupConv3DTranspose(2, 4, group="T", strides=2, padding="same")
        >>> layer(np.zeros((1, 4, 4, 4, 12, 3), "float32")).shape
        TensorShape([1, 8, 8, 8, 12, 2])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6 (the backward pass, equation 21, is this map).
    """

    rank = 3
