from __future__ import annotations

from typing import Any, Literal

from keras import ops

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Activation,
    Basis,
    Constraint,
    Count,
    DataFormat,
    FieldGroups,
    FieldsLike,
    GroupLike,
    Initializer,
    NameOrNumbers,
    Numbers,
    Padding,
    PaddingMode,
    Regularizer,
    Size,
    Unreached,
    Whole,
    passed_on,
)
from keras_equivariant.layers.core.transposed import Transposed
from keras_equivariant.layers.steerable.steerable_conv import SteerableConv


class SteerableConvTranspose(Transposed, SteerableConv):
    """The transposed convolution of any rank of space; not a layer of its own."""

    def __init__(
        self,
        in_type: FieldsLike,
        out_type: FieldsLike,
        kernel_size: Size,
        group: GroupLike | None = None,
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
        num_rings: Count | None = None,
        ring_width: Numbers | None = None,
        radial_profile: Literal["gaussian", "linear"] = "gaussian",
        frequency_cutoff: NameOrNumbers | None = None,
        voxel_size: Numbers | None = None,
        antialias: bool = False,
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        *,
        output_padding: Size | None = None,
        ring_radii: NameOrNumbers | None = None,
        maximum_order: Whole | None = None,
        discretization: Literal["fd", "gauss"] = "fd",
        accuracy: Count | None = None,
        smoothing: float | None = None,
        unreached: Unreached = "error",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if self.antialias:
            raise ValueError(
                "A transposed convolution has no `antialias`. Received: antialias=True; use "
                f"UpSampling{self.rank}D before a {self._straight()}"
            )

    def _part_kernel(self):
        """`(*kernel_size, channels out, channels in)`: stock transposed convolutions have the output first."""
        return ops.swapaxes(super()._part_kernel(), -1, -2)

    def expanded_kernel(self):
        """The kernel of the equal stock transposed convolution, `(*window, channels out, channels in)`."""
        return self._dilated(self._part_kernel())

    def coefficients(self, kernel):
        return super().coefficients(self._undilated(kernel).swapaxes(-1, -2))


@register
class SteerableConv2DTranspose(SteerableConvTranspose):
    """The transposed convolution between field types: the adjoint of a `SteerableConv2D`, for upsampling.

    y(p) = activation(sum over x of K(p - strides x) f(x) + bias),   K(g z) = rho_out(g) K(z) rho_in(g)^-1

    The kernels are those of the convolution from `in_type` to `out_type`: representations are orthogonal, so that the
    transpose of a steerable kernel is steerable the other way.

    Args:
        in_type, out_type, kernel_size, group, strides, padding, dilation_rate, activation, use_bias, basis,
            num_rings, ring_width, radial_profile, frequency_cutoff, ring_radii, maximum_order, discretization,
            accuracy, smoothing, unreached, initializers, regularizers, constraints: as in `SteerableConv2D`.
        data_format: `"channels_last"` only.
        output_padding: None, 0 or what `keras.layers.Conv2DTranspose` takes. Even numbers keep the exact symmetry with
            `padding="same"`, only 0 does with `"valid"`.
        voxel_size: as in `SteerableConv2D`.
        groups: 1 only, as in `keras.layers.Conv2DTranspose`.
        antialias: False only.
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


@register
class SteerableConv3DTranspose(SteerableConvTranspose):
    """The transposed convolution between field types in space: the adjoint of a `SteerableConv3D`, for upsampling.

    y(p) = activation(sum over x of K(p - strides x) f(x) + bias),   K(g z) = rho_out(g) K(z) rho_in(g)^-1

    Args:
        in_type, out_type, kernel_size, group, strides, padding, dilation_rate, activation, use_bias, basis,
            num_rings, ring_width, radial_profile, frequency_cutoff, ring_radii, voxel_size, maximum_order,
            discretization, accuracy, smoothing, unreached, initializers, regularizers, constraints: as in
            `SteerableConv3D`.
        data_format: `"channels_last"` only.
        output_padding: None, 0 or what `keras.layers.Conv3DTranspose` takes. Even numbers keep the exact symmetry with
            `padding="same"`, only 0 does with `"valid"`.
        groups: 1 only, as in `keras.layers.Conv3DTranspose`.
        antialias: False only.
        padding_mode: `"zeros"` only.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, D, H, W, D_in)`, channels component-major, see `FieldType`

    Output shape:
        `(B, D', H', W', D_out)`

    Equivariance: y(L_g f) = L_g y(f), exact for the elements that map the voxel grid onto itself, on the windows that
    `SteerableConv2DTranspose` names; else approximate.

    Raises:
        ValueError: malformed or unknown types, an output field to which no kernel leads, a window that breaks the
            exact symmetry, options that it does not have.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableConv3DTranspose("2x0 + 1x1", "2x0", 4, "SO3", strides=2, padding="same")
        >>> layer(np.zeros((1, 3, 3, 3, 5), "float32")).shape
        TensorShape([1, 6, 6, 6, 2])

    Reference: Weiler et al., arXiv 1807.02547, section 3 (the constraint); the adjoint of an intertwiner of orthogonal
    representations is an intertwiner.
    """

    rank = 3
