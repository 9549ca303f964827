from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.rotated_conv import RotatedConv


@register
class GroupConv2D(RotatedConv):
    """Convolves functions on space x group with every rotated copy of each kernel: from the group to the group.

    y(x, s) = sum over pixels p, elements t and fields c of f_c(p, t) psi_c(s^-1 (p - x), s^-1 t) + bias

    The kernel has one plane per group element; moving it by s rotates the planes and permutes them. It lies on a basis,
    psi_s(x, t) = sum_d coefficients_d(s^-1 t) B_s^d(x); `basis` says which.

    Args:
        filters: number of output fields; each has one channel per group element.
        kernel_size: integer or two integers.
        group: symmetry of the input: `"C4"`, `"D4"`, `"C8"`, `"p4m"`, ... or a `groups.FiniteGroup`.
        strides, padding, dilation_rate, groups, activation, use_bias: as in `keras.layers.Conv2D`, `groups` counted in
            fields (`groups=filters` is depthwise). The bias is shared over the group axis.
        data_format: `"channels_last"` only.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: as in `keras.layers.Conv2D`; they apply to the coefficients.
        basis: `"exact"` (all pixels, permuted; C1, C2, C4, D1, D2, D4), `"bilinear"`, `"gaussian"`, `"steerable"`
            (band-limited circular harmonics, any group), `"pdo"` (finite differences for all partial derivatives
            that the kernel's size allows, any group), `"learned"` (packaged; 3x3, 5x5, 7x7 on C8, C16 and their
            subgroups and mirrors), the path of an .npz file that `learn_basis` wrote, or `"auto"`:
            exact where that exists, else steerable. `"learned_full"` is learned for quarter turns, too, hence
            approximate there.
        trainable_basis: train the functions of the basis as well, with a loss that keeps their rotated copies alike.
        equivariance_weight: of that loss, the relative squared error of the law on images of spectrum 1/frequency^2.
        padding_mode: what `padding="same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, |group|, C)`

    Output shape:
        `(B, H', W', |group|, filters)`

    Equivariance: y(L_g f) = L_g y(f) for every g of `group`, where [L_g f](x, s) = f(g^-1 x, g^-1 s). Exact for the
    elements that map the pixel grid onto itself, on sizes that the window covers symmetrically; approximate for the
    others, and for all with `"learned_full"`. With a learned basis of several scales, entry |group| j + s of the group
    axis is s on scale j; approximate under enlargement, and kernels act within each scale.

    Raises:
        ValueError: sizes that break the exact symmetry, a kernel or basis that the group does not allow, a
            damaged basis file, an exact basis to train.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupConv2D(32, 3, group="D4", padding="same")
        >>> layer(np.zeros((1, 28, 28, 8, 16), "float32")).shape
        TensorShape([1, 28, 28, 8, 32])

    Reference: Cohen & Welling, Group Equivariant Convolutional Networks, arXiv 1602.07576, equation 11; learned and
    other bases: Diaconu & Worrall, Learning to Convolve, arXiv 1905.04663; differential operators: Jenner &
    Weiler, arXiv 2106.10163.
    """


@register
class GroupConv3D(RotatedConv):
    """Convolves functions on space x group with every rotated copy of each kernel: from the group to the group.

    y(x, s) = sum over voxels p, elements t and fields c of f_c(p, t) psi_c(s^-1 (p - x), s^-1 t) + bias

    Args:
        filters: number of output fields; each has one channel per group element.
        kernel_size: integer or three integers.
        group: symmetry of the input: `"O"`, `"Oh"`, `"T"`, `"C4h"`, `"D4h"`, `"C4z"`, ... or a `groups.FiniteGroup`.
        strides, padding, data_format, dilation_rate, groups, activation, use_bias,
            initializers, regularizers, constraints, padding_mode, strict: as in `GroupConv2D`.
        basis: as in `LiftingConv3D`.
        trainable_basis, equivariance_weight: as in `GroupConv2D`.

    Input shape:
        `(B, D, H, W, |group|, C)`

    Output shape:
        `(B, D', H', W', |group|, filters)`

    Equivariance: y(L_g f) = L_g y(f) for every g of `group`, where [L_g f](x, s) = f(g^-1 x, g^-1 s). Exact for the
    elements that map the voxel grid onto itself, on sizes that the window covers symmetrically; approximate for the
    others.

    Raises:
        ValueError: sizes that break the exact symmetry, a kernel or basis that the group does not allow, a group of
            the plane.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupConv3D(4, 3, group="T", padding="same")
        >>> layer(np.zeros((1, 5, 5, 5, 12, 2), "float32")).shape
        TensorShape([1, 5, 5, 5, 12, 4])

    Reference: Cohen & Welling, arXiv 1602.07576, equation 11; in space: Winkels & Cohen, arXiv 1804.04656.
    """

    rank = 3
