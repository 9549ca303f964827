from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.rotated_conv import RotatedConv


@register
class LiftingConv2D(RotatedConv):
    """Convolves an image with every rotated copy of each kernel: from the plane to the group.

    y(x, s) = sum over pixels p and channels c of f_c(p) psi_c(s^-1 (p - x)) + bias

    where s runs over the elements of `group` and psi(s^-1 x) is the kernel moved by s. The kernel lies on a basis,
    psi_s = sum_d coefficients_d B_s^d; `basis` says which.

    Args:
        filters: number of output fields; each has one channel per group element.
        kernel_size: integer or two integers.
        group: symmetry: `"C4"`, `"D4"`, `"C8"`, `"p4m"`, ... or a `groups.FiniteGroup`.
        strides, padding, dilation_rate, groups, activation, use_bias: as in `keras.layers.Conv2D`. The bias is shared
            over the group axis.
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
        `(B, H, W, C)`

    Output shape:
        `(B, H', W', |group|, filters)`

    Equivariance: y(L_g f) = L_g y(f) for every g of `group`, where L_g moves the pixels and permutes the group axis,
    [L_g y](x, s) = y(g^-1 x, g^-1 s). Exact for the elements that map the pixel grid onto itself (flips and quarter
    turns), on sizes that the window covers symmetrically; approximate for the others, and for all with
    `"learned_full"`. With a learned basis of several scales, entry |group| j + s of the group axis is s on scale j;
    approximate under enlargement.

    Raises:
        ValueError: sizes that break the exact symmetry, a kernel or basis that the group does not allow, a
            damaged basis file, an exact basis to train.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.LiftingConv2D(16, 3, group="D4", padding="same")
        >>> layer(np.zeros((1, 28, 28, 3), "float32")).shape
        TensorShape([1, 28, 28, 8, 16])

    Reference: Cohen & Welling, Group Equivariant Convolutional Networks, arXiv 1602.07576, equation 10; learned
    and other bases: Diaconu & Worrall, Learning to Convolve, arXiv 1905.04663; differential operators: Jenner &
    Weiler, arXiv 2106.10163.
    """

    lifting = True


@register
class LiftingConv3D(RotatedConv):
    """Convolves a volume with every rotated copy of each kernel: from space to the group.

    y(x, s) = sum over voxels p and channels c of f_c(p) psi_c(s^-1 (p - x)) + bias

    where s runs over the elements of `group` and psi(s^-1 x) is the kernel moved by s.

    Args:
        filters: number of output fields; each has one channel per group element.
        kernel_size: integer or three integers.
        group: symmetry of space: `"O"`, `"Oh"`, `"T"`, `"C4h"`, `"D4h"`, `"C4z"`, ... or a `groups.FiniteGroup`.
        strides, padding, data_format, dilation_rate, groups, activation, use_bias,
            initializers, regularizers, constraints, padding_mode, strict: as in `LiftingConv2D`.
        basis: `"exact"` (all voxels, permuted; the groups of the cube), `"steerable"` (band-limited spherical harmonics
            on shells, any group), `"pdo"` (as in `LiftingConv2D`), `"bilinear"` (in space trilinear) or `"gaussian"`
            interpolation, or `"auto"`: exact where that exists, else steerable.
        trainable_basis, equivariance_weight: as in `LiftingConv2D`.

    Input shape:
        `(B, D, H, W, C)`

    Output shape:
        `(B, D', H', W', |group|, filters)`

    Equivariance: y(L_g f) = L_g y(f) for every g of `group`, where [L_g y](x, s) = y(g^-1 x, g^-1 s). Exact for the
    elements that map the voxel grid onto itself (the rotations and reflections of the cube), on sizes that the window
    covers symmetrically; approximate for the others.

    Raises:
        ValueError: sizes that break the exact symmetry, a kernel or basis that the group does not allow, a group of
            the plane.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.LiftingConv3D(4, 3, group="O", padding="same")
        >>> layer(np.zeros((1, 9, 9, 9, 1), "float32")).shape
        TensorShape([1, 9, 9, 9, 24, 4])

    Reference: Cohen & Welling, arXiv 1602.07576, equation 10; in space: Winkels & Cohen, 3D G-CNNs for Pulmonary Nodule
    Detection, arXiv 1804.04656.
    """

    rank = 3
    lifting = True
