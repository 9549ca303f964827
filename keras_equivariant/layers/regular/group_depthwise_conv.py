from __future__ import annotations

import itertools
import os
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.groups.layouts import Regular
from keras_equivariant.kernels import full_basis_problem, rotated_basis, rotated_coefficients
from keras_equivariant.layers.core.activations import activated
from keras_equivariant.layers.core.base import axis_names, register
from keras_equivariant.layers.core.law import check_regular
from keras_equivariant.layers.core.options import (
    Activation,
    Basis,
    Constraint,
    Count,
    DataFormat,
    GroupLike,
    Initializer,
    Padding,
    PaddingMode,
    Regularizer,
    Size,
    passed_on,
)
from keras_equivariant.layers.core.stored_basis import StoredBasis
from keras_equivariant.layers.core.windowed_conv import symmetry_group
from keras_equivariant.ops import convolution, expansion
from keras_equivariant.ops.depthwise import depthwise_convolve
from keras_equivariant.ops.padding import pad
from keras_equivariant.stock import making
from keras_equivariant.utils.checks import positive


class GroupDepthwiseConv(StoredBasis):
    """What the depthwise group convolutions of the plane and of space share; subclasses set `rank`."""

    def __init__(
        self,
        kernel_size: Size,
        group: GroupLike,
        strides: Size = 1,
        padding: Padding = "valid",
        depth_multiplier: Count = 1,
        data_format: DataFormat | None = None,
        dilation_rate: Size = 1,
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
        padding_mode: PaddingMode = "zeros",
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.group = symmetry_group(group)
        self.depth_multiplier = positive(depth_multiplier, "depth_multiplier")
        self.basis = basis if isinstance(basis, str) else os.fspath(basis)
        if not self.group.is_finite or len(set(self.strides)) > 1:
            example = {2: "D4", 3: "O"}[self.rank]
            raise ValueError(
                "A depthwise group convolution needs a finite group and one stride for all axes. "
                f'Received: group="{self.group.name}", strides={self.strides}; use e.g. group="{example}", strides=2'
            )
        self._basis = rotated_basis(self.group, self.kernel_size, self.basis)
        if self._basis.scales > 1:
            raise ValueError(
                f"A depthwise group convolution takes a basis of one scale. Received: basis={self.basis!r} of "
                f'{self._basis.scales} scales; use basis="auto"'
            )

    def check_kernel(self, kernel_size):
        rotated_basis(self.group, kernel_size, self.basis)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        exact, fields = self._basis.pixels is not None, input_shape[-1]
        self._add_kernel((*(self.kernel_size if exact else (self._basis.size,)), fields, self.depth_multiplier))
        self._add_bias(fields * self.depth_multiplier)
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + 3, axes={-1: fields, -2: self.group.order})

    def call(self, inputs):
        shape = ops.shape(inputs)
        x = ops.reshape(inputs, (*shape[:-2], inputs.shape[-2] * inputs.shape[-1]))
        kernel = ops.cast(self.expanded_kernel(), self.compute_dtype)
        y = depthwise_convolve(x, kernel, self.strides, self.padding, self.dilation_rate, self.padding_mode)
        if self.use_bias:
            y = ops.add(y, ops.tile(self.bias, self.group.order))
        y = ops.reshape(y, (*ops.shape(y)[:-1], self.group.order, inputs.shape[-1] * self.depth_multiplier))
        return activated(self.activation, y)

    def expanded_kernel(self):
        """The kernel of the equal stock convolution, (*kernel_size, |group| C, depth_multiplier)."""
        kernel, order = ops.convert_to_tensor(self.kernel), self.group.order
        fields = kernel.shape[-2]
        kernel = ops.reshape(kernel, (self._basis.size, 1, *kernel.shape[-2:]))
        relative = np.zeros((order, 1), int)
        if self._basis.pixels is not None:
            kernel = expansion.expand_exact(kernel, self._basis.pixels, relative)
        else:
            kernel = expansion.expand(kernel, self._basis.basis, relative)
        kernel = ops.transpose(ops.reshape(kernel, (-1, fields, order, self.depth_multiplier)), (0, 2, 1, 3))
        return ops.reshape(kernel, (*self.kernel_size, order * fields, self.depth_multiplier))

    def coefficients(self, kernel):
        """The `kernel` weight whose expanded kernel is nearest to this array: the inverse of `expanded_kernel`."""
        kernel = np.asarray(kernel, dtype=np.float64).reshape(np.prod(self.kernel_size), 1, -1)
        found = rotated_coefficients(kernel, self._basis.basis, np.zeros((self.group.order, 1), int), 1)
        return found.reshape(self.kernel.shape)

    def expanded_bias(self):
        """The bias of the equal stock convolution; zeros without `use_bias`."""
        if self.bias is None:
            channels = self.group.order * self.kernel.shape[-2] * self.depth_multiplier
            return ops.zeros((channels,), dtype=self.variable_dtype)
        return ops.tile(ops.convert_to_tensor(self.bias), self.group.order)

    def check_features(self, layout, shapes):
        check_regular(self, layout, tuple(shapes[0]))
        super().check_features(layout, shapes)

    def law(self, layout, shapes):
        return Regular(self.group)

    def expected_layout(self, shape):
        return Regular(self.group)

    def symmetry_problems(self, input_shape):
        problems = super().symmetry_problems(input_shape)
        if self._basis.approximate:
            problems.append(full_basis_problem(self.basis, self.group, self.kernel_size))
        return problems

    def compute_output_shape(self, input_shape):
        order = self.group.order
        if len(input_shape) != self.rank + 3 or input_shape[-2] != order or input_shape[-1] is None:
            space, what = ", ".join(axis_names(self.rank)), {2: "an image", 3: "a volume"}[self.rank]
            raise ValueError(
                f'{type(self).__name__} on "{self.group.name}" takes features of shape (B, {space}, {order}, C). '
                f"Received: input_shape={tuple(input_shape)}; {what} becomes that by LiftingConv{self.rank}D or "
                "GroupRepeat"
            )
        space = self._sizes_after(input_shape[1 : 1 + self.rank])
        return (input_shape[0], *space, order, input_shape[-1] * self.depth_multiplier)


@register
class GroupDepthwiseConv2D(GroupDepthwiseConv):
    """Convolves every field over space alone, each orientation with the kernel in that orientation.

    y_cm(x, s) = sum over pixels p of f_c(p, s) psi_cm(s^-1 (p - x)) + bias

    As many multiplications as `keras.layers.DepthwiseConv2D` on the same channels, and |group| times fewer numbers to
    learn; `GroupConv2D` of one pixel behind it mixes fields and orientations.

    Args:
        kernel_size: integer or two integers.
        group: symmetry: `"C4"`, `"D4"`, `"C8"`, `"p4m"`, ... or a `groups.FiniteGroup` of the plane.
        strides, padding, dilation_rate: as in `keras.layers.DepthwiseConv2D`; one stride for both axes.
        depth_multiplier: number of output fields for each input field.
        data_format: `"channels_last"` only.
        activation, use_bias: as in Keras. The bias is shared over the group axis.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: as in `GroupConv2D`; they apply to the coefficients.
        basis: as in `LiftingConv2D`, of one scale.
        padding_mode: what `padding="same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, |group|, C)`

    Output shape:
        `(B, H', W', |group|, depth_multiplier C)`

    Equivariance: y(L_g f) = L_g y(f), where [L_g f](x, s) = f(g^-1 x, g^-1 s). Exact for the elements that map the
    pixel grid onto itself, on sizes that the window covers symmetrically; approximate for the others.

    Raises:
        ValueError: sizes that break the exact symmetry, a kernel or basis that the group does not allow, strides that
            differ.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupDepthwiseConv2D(3, group="D4", padding="same")
        >>> layer(np.zeros((1, 9, 9, 8, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 8, 16]), 160)

    Reference: Lengyel & van Gemert, Exploiting Learned Symmetries in Group Equivariant Convolutions, arXiv 2106.04914.
    """

    def fold(self, input_shape):
        extents = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        dilated = max(self.strides) > 1 and max(self.dilation_rate) > 1
        layer = making.make(
            keras.layers.DepthwiseConv2D,
            self.kernel_size,
            strides=1 if dilated else self.strides,
            padding="valid" if self._pads else self.padding,
            depth_multiplier=self.depth_multiplier,
            dilation_rate=self.dilation_rate,
            activation=self.activation,
            name=self.name,
        )
        steps = [(layer, [self.expanded_kernel(), self.expanded_bias()])]
        if self._pads:
            steps.insert(0, (lambda x: pad(x, extents, self.strides, self.padding_mode), []))
        if dilated:
            steps.append((lambda y: convolution.subsample(y, self.strides), []))
        return steps


@register
class GroupDepthwiseConv3D(GroupDepthwiseConv):
    """Convolves every field over space alone, each orientation with the kernel in that orientation.

    y_cm(x, s) = sum over voxels p of f_c(p, s) psi_cm(s^-1 (p - x)) + bias

    Computed plane by plane, once for each tap along the first axis, for TensorFlow has no depthwise convolution of
    volumes; folded it is so many stock `DepthwiseConv2D`.

    Args:
        kernel_size: integer or three integers.
        group: symmetry: `"O"`, `"Oh"`, `"T"`, `"C4h"`, ... or a `groups.FiniteGroup` of space.
        strides, padding, depth_multiplier, data_format, dilation_rate, activation, use_bias, initializers,
            regularizers, constraints, padding_mode, strict: as in `GroupDepthwiseConv2D`.
        basis: as in `LiftingConv3D`, of one scale.

    Input shape:
        `(B, D, H, W, |group|, C)`

    Output shape:
        `(B, D', H', W', |group|, depth_multiplier C)`

    Equivariance: y(L_g f) = L_g y(f), where [L_g f](x, s) = f(g^-1 x, g^-1 s). Exact for the elements that map the
    voxel grid onto itself, on sizes that the window covers symmetrically; approximate for the others.

    Raises:
        ValueError: sizes that break the exact symmetry, a kernel or basis that the group does not allow, strides that
            differ.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupDepthwiseConv3D(3, group="O", padding="same")
        >>> layer(np.zeros((1, 5, 5, 5, 24, 4), "float32")).shape, layer.count_params()
        (TensorShape([1, 5, 5, 5, 24, 4]), 112)

    Reference: Lengyel & van Gemert, Exploiting Learned Symmetries in Group Equivariant Convolutions, arXiv 2106.04914.
    """

    rank = 3

    def fold_call(self, apply, inputs):
        x = inputs
        if any(size is None for size in x.shape[1:4]):
            raise ValueError(
                "A depthwise convolution of volumes is folded for a known size. "
                f'Received: "{self.name}" on inputs of shape {tuple(x.shape)}; give the input a shape without None'
            )
        shape = self.compute_output_shape(tuple(x.shape))
        x = ops.reshape(x, (-1, *x.shape[1:4], x.shape[-2] * x.shape[-1]))
        kernel, taps = ops.convert_to_numpy(self.expanded_kernel()), itertools.count()

        def planes(flat, tap_kernel, strides, padding, data_format, dilation_rate):
            tap = next(taps)
            layer = making.make(
                keras.layers.DepthwiseConv2D,
                self.kernel_size[1:],
                strides=strides,
                padding=padding,
                depth_multiplier=self.depth_multiplier,
                dilation_rate=dilation_rate,
                use_bias=False,
                name=f"{self.name}_{tap}",
            )
            return apply(tap, layer, [tap_kernel], flat)

        y = depthwise_convolve(x, kernel, self.strides, self.padding, self.dilation_rate, self.padding_mode, planes)
        if self.use_bias:
            y = ops.add(y, ops.convert_to_numpy(self.expanded_bias()))
        return activated(self.activation, ops.reshape(y, (-1, *shape[1:])))
