"""What lifting and group convolutions share; not a layer of its own."""

from __future__ import annotations

import functools
import os
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.groups.layouts import Image, Regular, WrongFeatures, received
from keras_equivariant.kernels import (
    fast_fourier,
    full_basis_problem,
    natural_covariances,
    rotated_basis,
    rotated_coefficients,
    spectral_pays,
)
from keras_equivariant.layers.core.activations import activated
from keras_equivariant.layers.core.base import axis_names
from keras_equivariant.layers.core.law import check_regular
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
from keras_equivariant.layers.core.stored_basis import StoredBasis
from keras_equivariant.layers.core.windowed_conv import field_groups, symmetry_group
from keras_equivariant.ops import convolution, expansion, learned, spectral
from keras_equivariant.ops.compiled import fuses, on_accelerator
from keras_equivariant.stock.features import kind_of
from keras_equivariant.utils.checks import not_negative, positive


class RotatedConv(StoredBasis):
    """Convolution with kernels on a basis that a finite group moves; the subclasses say what comes in.

    Subclasses set `rank` (axes of space) and `lifting` (whether the input is an image or regular features).
    """

    lifting = False

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.filters = positive(filters, "filters")
        self.group = _finite(type(self).__name__, symmetry_group(group))
        self.groups = field_groups(groups, self.filters)
        self.basis = basis if isinstance(basis, str) else os.fspath(basis)
        self._basis = rotated_basis(self.group, self.kernel_size, self.basis)
        self.trainable_basis = bool(trainable_basis)
        self.equivariance_weight = not_negative(equivariance_weight, "equivariance_weight")
        if self.trainable_basis and self._basis.pixels is not None:
            raise ValueError(
                "An exact basis holds every kernel there is, so there is nothing to train in it. Received: "
                f'basis="{basis}", trainable_basis=True on "{self.group.name}"; use basis="learned" with C8 or C16'
            )
        if self.trainable_basis and self._basis.scales > 1:
            raise ValueError(
                "A basis is trained on one scale. "
                f"Received: basis={self.basis!r} of {self._basis.scales} scales, trainable_basis=True; learn it anew "
                "with learn_basis"
            )
        self.functions = None
        self._in_blocks = False, False  # while training, and at inference
        self._relative = _relative(self.group, self._basis.scales, self.lifting)

    @property
    def elements(self):
        """Length of the output's group axis: the order of the group, times the number of scales of the basis."""
        return self._basis.scales * self.group.order

    @property
    def elements_in(self):
        """Length of the input's group axis; 1 for an image."""
        return self._relative.shape[1]

    @property
    def _coefficients(self):
        """For how many relative orientations each kernel has coefficients."""
        return 1 if self.lifting else self.group.order

    def check_kernel(self, kernel_size):
        rotated_basis(self.group, kernel_size, self.basis)

    def build(self, input_shape):
        fields = self._input_fields(input_shape)
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        pointwise = not self.lifting and self.groups == 1 and np.prod(self.kernel_size) == 1
        if pointwise and not on_accelerator():
            pays = functools.partial(spectral_pays, self.group, fields, self.filters, dtype=self.compute_dtype)
            self._in_blocks = pays(fused=fuses()), pays()
        elements = () if self.lifting else (self._coefficients,)
        self._add_weights((*elements, fields // self.groups, self.filters), fields)

    def _add_weights(self, fiber_shape, fields):
        exact = self._basis.pixels is not None
        self._add_kernel((*(self.kernel_size if exact else (self._basis.size,)), *fiber_shape))
        self._add_bias(self.filters)
        if self.trainable_basis:
            representatives = self._basis.representatives
            self.functions = self.add_weight(
                name="functions",
                shape=representatives.shape,
                initializer=lambda shape, dtype=None: ops.convert_to_tensor(representatives, dtype=dtype),
                autocast=False,
            )
            self._covariances = natural_covariances(self.group, self.kernel_size)
        axes = {-1: fields} if self.lifting else {-1: fields, -2: self.elements_in}
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + (2 if self.lifting else 3), axes=axes)

    def call(self, inputs, training=None):
        if self.trainable_basis and training:
            functions = self._functions()
            loss = learned.equivariance_loss(functions, *self._covariances, self.group.cayley)
            self.add_loss(self.equivariance_weight * loss)
        if self._in_blocks[0 if training else 1]:
            x = convolution.subsample(inputs, self.strides) if max(self.strides) > 1 else inputs
            y = spectral.convolve_pointwise(x, self._fiber_kernel(), fast_fourier(self.group), training)
            return self._finish(self._flatten(y))
        x = self._flatten(inputs)
        x = expansion.to_field_groups(x, self.elements_in, self.groups)
        y = self._convolve(x, self._grouped_kernel())
        y = expansion.from_field_groups(y, self.elements, self.groups)
        return self._finish(y)

    def _flatten(self, inputs):
        """Regular features (B, *space, S, C) as (B, *space, S C)."""
        if self.lifting:
            return inputs
        shape = ops.shape(inputs)
        return ops.reshape(inputs, (*shape[:-2], inputs.shape[-2] * inputs.shape[-1]))

    def _finish(self, y):
        """Bias, group axis and activation on what the convolution gives, (B, *space, order F)."""
        if self.use_bias:
            y = ops.add(y, ops.tile(self.bias, self.elements))
        y = ops.reshape(y, (*ops.shape(y)[:-1], self.elements, self.filters))
        return activated(self.activation, y)

    def _grouped_kernel(self):
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.reshape(kernel, (self._basis.size, self._coefficients, *kernel.shape[-2:]))
        if self._basis.pixels is not None:
            kernel = expansion.expand_exact(kernel, self._basis.pixels, self._relative, self.groups)
        else:
            kernel = expansion.expand(kernel, self._functions(), self._relative, self.groups)
        return ops.reshape(kernel, (*self.kernel_size, *kernel.shape[-2:]))

    def _functions(self):
        """The functions of the basis for every element, a constant or, while it is trained, a tensor."""
        if self.functions is None:
            return self._basis.basis
        return learned.moved(ops.convert_to_tensor(self.functions), self._basis.source, self._basis.permuted)

    def check_features(self, layout, shapes):
        shape = tuple(shapes[0])
        if not self.lifting:
            check_regular(self, layout, shape)
        super().check_features(layout, shapes)
        if self.lifting and not isinstance(layout, Image):
            fix = f"use GroupConv{self.rank}D, or GroupPooling before LiftingConv{self.rank}D"
            raise WrongFeatures(
                f"takes features of shape (B, {', '.join(axis_names(self.rank))}, C), {kind_of(self.rank)}. "
                f"{received(layout, shape)}",
                fix if isinstance(layout, Regular) else "",
            )

    def law(self, layout, shapes):
        return Regular(self.group, self._basis.scales)

    def expected_layout(self, shape):
        return Image(self.group) if self.lifting else Regular(self.group, self._basis.scales)

    def symmetry_problems(self, input_shape):
        problems = super().symmetry_problems(input_shape)
        if self._basis.approximate:
            problems.append(full_basis_problem(self.basis, self.group, self.kernel_size))
        return problems

    def _fiber_kernel(self):
        """The kernel of a 1x1 convolution, (S, C, F)."""
        kernel = ops.convert_to_tensor(self.kernel)
        return ops.reshape(kernel, kernel.shape[-3:])

    def expanded_kernel(self):
        """The kernel of the equal stock convolution, (*kernel_size, S C, order F), group axes slowest."""
        return expansion.dense_over_groups(self._grouped_kernel(), self.groups, self.elements_in, self.elements)

    def coefficients(self, kernel):
        """The `kernel` weight whose expanded kernel is nearest to this array: the inverse of `expanded_kernel`."""
        kernel = np.asarray(kernel, dtype=np.float64).reshape(np.prod(self.kernel_size), *kernel.shape[-2:])
        functions = np.asarray(ops.convert_to_numpy(self._functions()), dtype=np.float64)
        found = rotated_coefficients(kernel, functions, self._relative, self._coefficients, self.groups)
        return found.reshape(self.kernel.shape)

    def expanded_bias(self):
        """The bias of the equal stock convolution, (order F,); zeros without `use_bias`."""
        if self.bias is None:
            return ops.zeros((self.elements * self.filters,), dtype=self.variable_dtype)
        return ops.tile(ops.convert_to_tensor(self.bias), self.elements)

    def compute_output_shape(self, input_shape):
        self._input_fields(input_shape)
        return (input_shape[0], *self._sizes_after(input_shape[1 : 1 + self.rank]), self.elements, self.filters)

    def _input_fields(self, input_shape):
        """Number of input fields; ValueError unless the shape is the layer's layout."""
        space = ", ".join(axis_names(self.rank))
        wanted = f"(B, {space}, C)" if self.lifting else f"(B, {space}, {self.elements_in}, C)"
        bad = len(input_shape) != self.rank + (2 if self.lifting else 3) or input_shape[-1] is None
        if bad or (not self.lifting and input_shape[-2] != self.elements_in):
            what = {2: "an image", 3: "a volume"}[self.rank]
            before = "" if self.lifting else f"; {what} becomes that by LiftingConv{self.rank}D"
            raise ValueError(
                f'{type(self).__name__} on "{self.group.name}" takes features of shape {wanted}. '
                f"Received: input_shape={tuple(input_shape)}{before}"
            )
        fields = input_shape[-1]
        if fields % self.groups:
            raise ValueError(
                f"The input fields must be divisible by `groups`. Received: {fields} fields, groups={self.groups}"
            )
        return fields


def _relative(group, scales, lifting):
    """relative[s', s] = s'^-1 s: which coefficient the kernel of orientation s' has for the input orientation s.

    With scales, elements are j |group| + s and kernels act within each scale: between two there is no coefficient,
    marked by the number of coefficients. Were there any, the largest scale would lack what lies above it, and no law
    would hold.
    """
    if lifting:
        return np.zeros((scales * group.order, 1), int)
    same = np.eye(scales, dtype=bool)[:, None, :, None]
    relative = np.where(same, group.cayley[group.inverses][None, :, None, :], group.order)
    return relative.reshape(scales * group.order, -1)


def _finite(layer, group):
    if not group.is_finite:
        raise ValueError(
            f"{layer} needs a finite group. Received: group={group.name!r}; use so many rotations, such as "
            f'"{group.finite.name}", or SteerableConv{group.dimension}D with field types of the continuous group'
        )
    return group
