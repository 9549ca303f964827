from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import numpy as np
from keras import ops

from keras_equivariant.groups import FieldType, grid
from keras_equivariant.kernels import Derivatives, Rings, steerable_basis, steerable_coefficients
from keras_equivariant.kernels.orbits import shared_over_orbits
from keras_equivariant.kernels.steerable import basis_name
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
from keras_equivariant.layers.core.steerable_weights import bias_size, expand_bias, per_pair, scaled
from keras_equivariant.layers.core.typed import Typed, as_type, check_activation
from keras_equivariant.layers.core.windowed_conv import WindowedConv, field_groups
from keras_equivariant.ops import pooling, steerable
from keras_equivariant.utils.checks import check_choice


class SteerableConv(Typed, WindowedConv):
    """Convolution from one field type to another, of any rank of space; not a layer of its own."""

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
        ring_radii: NameOrNumbers | None = None,
        maximum_order: Whole | None = None,
        discretization: Literal["fd", "gauss"] = "fd",
        accuracy: Count | None = None,
        smoothing: float | None = None,
        unreached: Unreached = "error",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.in_type = as_type(in_type, group, "in_type")
        self.out_type = as_type(out_type, group or self.in_type.group, "out_type")
        if self.group.dimension != self.rank:
            other = {2: 'of the plane, such as "SO2" or "D4"', 3: 'of space, such as "SO3", "O3" or "O"'}
            namesake = f", or the layer's namesake in {self.group.dimension}D" if self.group.dimension in other else ""
            raise ValueError(
                f"{type(self).__name__} needs a group {other[self.rank]}. Received: group={self.group.name!r}; "
                f"use it{namesake}"
            )
        self.groups = field_groups(groups)
        self.basis = basis
        self.rings = Rings(num_rings, ring_width, radial_profile, frequency_cutoff, voxel_size, ring_radii)
        self.derivatives = Derivatives(maximum_order, discretization, accuracy, smoothing, self.rings.voxel_size)
        for sampling in (self.rings, self.derivatives):
            for option in dataclasses.fields(sampling):
                setattr(self, option.name, getattr(sampling, option.name))
        self.antialias = bool(antialias)
        check_activation(self.activation, self.out_type)
        self.unreached = check_choice(unreached, "unreached", ("error", "zeros"))
        self._part_in = _part(self.in_type, self.groups, "in_type")
        _part(self.out_type, self.groups, "out_type")
        self._basis = scaled(self._kernels(self.kernel_size, self.rings))
        self._order_in = _by_field_group(self.in_type, self.groups)
        self._order_out = _by_field_group(self.out_type, self.groups)

    def _kernels(self, kernel_size, rings):
        """The basis of kernels of a size, not scaled."""
        words = {"basis": self.basis, "rings": rings, "derivatives": self.derivatives, "unreached": self.unreached}
        return steerable_basis(self._part_in, self.out_type, kernel_size, **words)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        shapes = list(self._basis.shapes.values())
        self._add_kernel((self._basis.size,), per_pair(self.kernel_initializer, shapes))
        self._add_bias(bias_size(self.out_type))

    @functools.cached_property
    def even_axes(self):
        functions = [pair.reshape(-1, *self.kernel_size, *pair.shape[2:]) for pair in self._basis.pairs.values()]
        return tuple(
            all(np.allclose(one, np.flip(one, axis), atol=1e-12) for one in functions)
            for axis in range(1, 1 + self.rank)
        )

    def rotation_problem(self):
        # Operators have no frequency that a smooth image could not rotate: stencils are accurate to some order.
        if self.group.on_grid == self.group or basis_name(self.group, self.kernel_size, self.basis) != "steerable":
            return None
        highest = np.inf if self.group.is_finite else self.in_type.frequency + self.out_type.frequency
        found = self.rings.excess(self.kernel_size, highest)
        if not found:
            return None
        rings = ", ".join(f"{asked} at radius {radius:g} (at most {limit})" for radius, asked, limit in found)
        return (
            f"has frequencies that the pixels cannot rotate by any angle: {rings}. Received: "
            f"frequency_cutoff={self.frequency_cutoff!r}, kernel_size={self.kernel_size}; use {self._wider()}"
        )

    def _wider(self):
        """What has no such frequencies: the default cut-off, on the least kernel that leads to every field."""
        rings = dataclasses.replace(self.rings, frequency_cutoff=None)
        for more in range(0, 8, 2):
            size = tuple(n + more for n in self.kernel_size)
            try:
                self._kernels(size, rings)
            except ValueError:
                continue
            return "frequency_cutoff=None" + (f" and kernel_size={size}" if more else "")
        return "fields of lower frequencies"

    def check_kernel(self, kernel_size):
        if any(new < old for new, old in zip(kernel_size, self.kernel_size, strict=True)):
            raise ValueError(f"A smaller kernel may not reach every field. Received: kernel_size={kernel_size}")
        self._kernels(kernel_size, self.rings)  # a larger one may not, either: its rings can miss its pixels

    def windows(self, **arguments):
        found = super().windows(**arguments)
        return tuple(dataclasses.replace(window, low_pass=True) for window in found) if self.antialias else found

    def axis_moves(self):
        return grid.axis_moves(self.group, self.rings.scales(self.rank))

    def call(self, inputs):
        if self.antialias:
            inputs = pooling.low_pass(inputs, self.strides)
        if self.groups == 1:
            y = self._convolve(inputs, self._part_kernel())
        else:
            y = self._convolve(ops.take(inputs, self._order_in, axis=-1), self._grouped_kernel())
            y = ops.take(y, np.argsort(self._order_out), axis=-1)
        if self.bias is not None:
            y = ops.add(y, expand_bias(ops.convert_to_tensor(self.bias), self.out_type))
        return self.activation(y)

    def _part_kernel(self):
        """`(*kernel_size, channels in of a field group, all channels out)`."""
        kernel = steerable.expand(ops.convert_to_tensor(self.kernel), self._basis)
        return ops.reshape(kernel, (*self.kernel_size, *kernel.shape[1:]))

    def _grouped_kernel(self):
        return ops.take(self._part_kernel(), self._order_out, axis=-1)

    def expanded_kernel(self):
        """The kernel of the equal stock convolution, `(*kernel_size, channels in, channels out)`."""
        kernel = self._part_kernel()
        if self.groups == 1:
            return kernel
        inside = np.argsort(self._order_in) // self._part_in.size
        outside = np.argsort(self._order_out) // (self.out_type.size // self.groups)
        mask = ops.convert_to_tensor(inside[:, None] == outside[None], dtype=kernel.dtype)
        rows = np.argsort(self._order_in) % self._part_in.size
        return ops.take(kernel, rows, axis=-2) * mask

    def coefficients(self, kernel):
        """The `kernel` weight whose expanded kernel is nearest to this array: the inverse of `expanded_kernel`."""
        kernel = np.asarray(kernel, dtype=np.float64).reshape(-1, *kernel.shape[-2:])
        if self.groups > 1:
            outside = np.argsort(self._order_out) // (self.out_type.size // self.groups)
            rows = self._order_in.reshape(self.groups, -1)[outside].T
            kernel = kernel[:, rows, np.arange(self.out_type.size)]
        return steerable_coefficients(kernel, self._basis)

    def expanded_bias(self):
        """The bias of the equal stock convolution, `(channels out,)`; zeros without `use_bias`."""
        if self.bias is None:
            return ops.zeros((self.out_type.size,), dtype=self.variable_dtype)
        return expand_bias(ops.convert_to_tensor(self.bias), self.out_type)

    def fold(self, input_shape):
        strides = self.strides
        steps = [(step, self._shared(weights)) for step, weights in super().fold(input_shape)]
        return [(lambda x: pooling.low_pass(x, strides), []), *steps] if self.antialias else steps

    def _shared(self, weights):
        """Kernel and bias of a folded convolution with equal bits wherever the group makes numbers equal."""
        if not weights:
            return weights
        rho_in, rho_out = (_matrix_of(field_type) for field_type in (self.in_type, self.out_type))
        return [shared_over_orbits(ops.convert_to_numpy(weights[0]), self.group, rho_in, rho_out), *weights[1:]]

    def compute_output_shape(self, input_shape):
        self._check_channels(input_shape, self.rank + 2)
        return (input_shape[0], *self._sizes_after(input_shape[1 : 1 + self.rank]), self.out_type.size)


@register
class SteerableConv2D(SteerableConv):
    """Convolution between fields of any types: kernels that satisfy the steerability constraint.

    y(x) = activation(sum over offsets z of K(z) f(x + z) + bias),   K(g z) = rho_out(g) K(z) rho_in(g)^-1

    K = sum_d w_d K_d over a basis of all such kernels, the w_d are learned. On regular types and with the exact basis
    it is a group convolution.

    Args:
        in_type, out_type: field types, such as `"8x0 + 4x1"` on SO(2) or `"8xregular"` on D4.
        kernel_size, strides, padding, dilation_rate, use_bias, the initializers, regularizers and constraints: as
            in `keras.layers.Conv2D`. The kernel is the flat list of coefficients w; the initializer is applied to
            those of each pair of irreps, with their own fan-in: it keeps the variance of white features, independent
            from pixel to pixel; smooth ones grow, at most, where they are constant, to about three times the mean
            square by a layer of 5x5 pixels. The bias is one number for each field with a direction that no element
            moves: scalars, regular and quotient fields.
        group: group name; may be left out where the types are FieldTypes.
        data_format: `"channels_last"` only.
        groups: as in Keras, in fields: the fields of every block are split into so many groups.
        activation: only on types that permute their components, see `PointwiseActivation`.
        basis: `"exact"`: all kernels on the pixels (C1, C2, C4, D1, D2, D4). `"steerable"`: band-limited, on rings.
            `"pdo"`: all partial differential operators up to an order. `"auto"`: exact where that exists, else
            steerable.
        num_rings, ring_width, radial_profile, frequency_cutoff: of the band-limited basis: number of rings (one per
            pixel of radius), their width in pixels (0.6, 0.4 at the rim; a list for one a ring), `"gaussian"` or
            `"linear"`, and the highest angular frequency of a ring of radius r: `"conservative"` (the default),
            `"nyquist"` (pi r), a number c (c r), or a list with one for each ring.
        voxel_size: sizes of a pixel along the axes, where they differ; only their ratios matter.
        antialias: a Gaussian low-pass before the strides, of deviation sqrt(strides^2 - 1) / 2 pixels.
        padding_mode: what `padding="same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        strict: raise where the sizes break the exact symmetry; with False warn once.
        ring_radii: the radii of the rings in pixels, a list instead of `num_rings`; `"escnn"` for that library's
            radii, widths and frequencies.
        maximum_order: of `basis="pdo"`: the highest order of the derivatives; None for the highest that the kernel
            allows, its size minus 1.
        discretization: of the derivatives: `"fd"`: central finite differences; `"gauss"`: derivatives of a Gaussian.
        accuracy: of finite differences: the order p of their error in the pixel's size, on no more pixels than that
            takes; None for the most accurate ones, on all pixels of the kernel.
        smoothing: standard deviation of the Gaussian in pixels; None for a quarter of the kernel's size.
        unreached: what a field of the output is to which no kernel leads: an `"error"`, or `"zeros"`, but for its bias.

    Input shape:
        `(B, H, W, D_in)`, channels component-major, see `FieldType`.

    Output shape:
        `(B, H', W', D_out)`

    Equivariance: y(L_g f) = L_g y(f). Exact for the elements that map the pixel grid onto itself, on sizes that the
    window covers evenly; else as good as the rings are sampled, better with larger kernels, and as accurate as the
    derivatives are on smooth images.

    Raises:
        ValueError: malformed or unknown types, an output field to which no kernel leads, sizes that break the exact
            symmetry.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableConv2D("3x0", "8x0 + 8x1", 5, group="SO2", padding="same")
        >>> layer(np.zeros((1, 9, 9, 3), "float32")).shape
        TensorShape([1, 9, 9, 24])

    Reference: Cohen & Welling, arXiv 1612.08498, sections 2-3 (exact basis); Weiler & Cesa, arXiv 1911.08251,
    section 2 (band-limited); Jenner & Weiler, Steerable Partial Differential Operators, arXiv 2106.10163, sections 3-4
    (differential operators).
    """


@register
class SteerableConv3D(SteerableConv):
    """Convolution between fields of any types in space: kernels that satisfy the steerability constraint.

    y(x) = activation(sum over offsets z of K(z) f(x + z) + bias),   K(g z) = rho_out(g) K(z) rho_in(g)^-1

    K = sum_d w_d K_d, the w_d are learned. From degree l to degree l' of SO(3) the K_d are a spherical shell times the
    harmonics of degree J = |l - l'|, ..., l + l', coupled by a Wigner 3j tensor; values at the center are 0 for J > 0.

    Args:
        in_type, out_type: field types, such as `"8x0 + 4x1"` on SO(3), `"4x0e + 2x1o"` on O(3), `"8x0+ + 4x1"` on
            Cinfv or `"8xregular"` on O.
        kernel_size, strides, padding, dilation_rate, use_bias, the initializers, regularizers and constraints: as
            in `keras.layers.Conv3D`; the kernel is the flat list of coefficients w, see `SteerableConv2D`.
        group: group name; may be left out where the types are FieldTypes.
        data_format: `"channels_last"` only.
        groups: as in Keras, in fields: the fields of every block are split into so many groups.
        activation: only on types that permute their components, see `PointwiseActivation`.
        basis: `"exact"`: all kernels on the voxels (groups of the cube). `"steerable"`: band-limited, on shells.
            `"pdo"`: all partial differential operators up to an order. `"auto"`: exact where that exists, else
            steerable.
        num_rings, ring_width, radial_profile, frequency_cutoff: of the band-limited basis: number of shells (one per
            voxel of radius), their width in voxels (0.6; a list for one a shell), `"gaussian"` or `"linear"`, and the
            highest degree of harmonics on the shell of radius r > 0: `"conservative"` 2 r, `"compromise"` (the
            default) 2 r + 1, `"sfcnn"` 2 r + 2, `"nyquist"` (pi r), a number c (c r), or a list with one for each
            shell.
        voxel_size: sizes of a voxel along the axes, where they differ, such as `(1, 1, 2)`; only their ratios matter.
            Radii are then in units of the smallest.
        antialias: a Gaussian low-pass before the strides, of deviation sqrt(strides^2 - 1) / 2 voxels.
        padding_mode: what `padding="same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        strict: raise where the sizes break the exact symmetry; with False warn once.
        ring_radii: the radii of the shells in voxels, a list instead of `num_rings`; `"escnn"` for that library's
            radii, widths and degrees.
        maximum_order, discretization, accuracy, smoothing: of `basis="pdo"`, as in `SteerableConv2D`.
        unreached: as in `SteerableConv2D`.

    Input shape:
        `(B, D, H, W, D_in)`, channels component-major, see `FieldType`

    Output shape:
        `(B, D', H', W', D_out)`

    Equivariance: y(L_g f) = L_g y(f). Exact for the elements that map the voxel grid onto itself, on sizes that the
    window covers evenly; else as good as the shells are sampled, better on smooth volumes and with larger kernels.

    Raises:
        ValueError: malformed or unknown types, an output field to which no kernel leads, sizes that break the exact
            symmetry.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableConv3D("1x0", "1x1", 5, group="SO3", padding="same", use_bias=False)
        >>> layer(np.zeros((1, 9, 9, 9, 1), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 9, 3]), 2)

    Reference: Weiler et al., 3D Steerable CNNs, arXiv 1807.02547, sections 3-4; Jenner & Weiler, arXiv 2106.10163
    (differential operators).
    """

    rank = 3


def _part(field_type, groups, argument):
    """The type of one of the field groups."""
    if any(block.multiplicity % groups for block in field_type.blocks):
        raise ValueError(
            f"The fields of every block of `{argument}` must be divisible by `groups`. "
            f'Received: {argument}="{field_type}", groups={groups}'
        )
    return FieldType(field_type.group, tuple((n // groups, name) for n, name in field_type.terms))


def _by_field_group(field_type, groups):
    """The channels in the order that a grouped convolution wants: field group after field group."""
    parts = []
    for block in field_type.blocks:
        channels = np.arange(block.start, block.stop).reshape(block.dim, groups, -1)
        parts.append(channels.transpose(1, 0, 2).reshape(groups, -1))
    return np.concatenate(parts, axis=1).ravel().astype("int32")


def _matrix_of(field_type):
    """The function from an element's matrix to how it mixes the channels of a type, `(D, D)`."""
    identity = np.eye(field_type.size)
    return lambda matrix: field_type.transform(identity, matrix).T
