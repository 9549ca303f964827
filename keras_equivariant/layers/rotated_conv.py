"""What lifting and group convolutions share; not a layer of its own."""

import keras
import numpy as np
from keras import ops

from keras_equivariant import groups
from keras_equivariant.kernels import fourier_basis, rotated_basis, spectral_pays
from keras_equivariant.layers.base import (
    EquivariantLayer,
    axis_names,
    check_data_format,
    moved_axes,
    tuple_of,
    window_problems,
)
from keras_equivariant.ops import convolution, expansion, spectral
from keras_equivariant.ops.padding import PADDING_MODES, pad

SYMMETRY_HINT = 'For grouped convolution use `groups=4`; `group` names a symmetry, e.g. group="C4"'


class RotatedConv(EquivariantLayer):
    """Convolution with kernels on a basis that a finite group moves; the subclasses say what comes in.

    Subclasses set `rank` (axes of space) and `lifting` (whether the input is an image or regular features).
    """

    rank = 2
    lifting = False

    def __init__(
        self,
        filters,
        kernel_size,
        group,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        basis="auto",
        padding_mode="zeros",
        strict=True,
        **kwargs,
    ):
        super().__init__(strict=strict, activity_regularizer=activity_regularizer, **kwargs)
        check_data_format(data_format)
        self.filters = _positive(filters, "filters")
        self.group = _group(group)
        self.kernel_size = tuple_of(kernel_size, self.rank, "kernel_size")
        self.strides = tuple_of(strides, self.rank, "strides")
        self.dilation_rate = tuple_of(dilation_rate, self.rank, "dilation_rate")
        self.groups = _field_groups(groups, self.filters)
        self.padding = _choice(padding, convolution.PADDINGS, "padding")
        self.padding_mode = _choice(padding_mode, PADDING_MODES, "padding_mode")
        if self.padding_mode != "zeros" and self.padding == "valid":
            raise ValueError(
                f'`padding_mode` only applies to padding="same". Received: padding="valid", '
                f'padding_mode="{padding_mode}"'
            )
        self.activation = keras.activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.basis = basis
        self._basis = rotated_basis(self.group, self.kernel_size, basis)
        self._fourier = None
        order = self.group.order
        # relative[s', s] = s'^-1 s: which coefficient the kernel of orientation s' has for the input orientation s.
        self._relative = np.zeros((order, 1), int) if self.lifting else self.group.cayley[self.group.inverses]

    @property
    def elements_in(self):
        """Length of the input's group axis; 1 for an image."""
        return self._relative.shape[1]

    def build(self, input_shape):
        fields = self._input_fields(input_shape)
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        pointwise = not self.lifting and self.groups == 1 and np.prod(self.kernel_size) == 1
        if pointwise and spectral_pays(self.group, fields, self.filters):
            self._fourier = fourier_basis(self.group)
        elements = () if self.lifting else (self.elements_in,)
        self._add_weights((*elements, fields // self.groups, self.filters), fields)

    def _add_weights(self, fibre_shape, fields):
        exact = self._basis.pixels is not None
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*(self.kernel_size if exact else (self._basis.size,)), *fibre_shape),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            autocast=False,  # expanded in full precision, cast once
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        axes = {-1: fields} if self.lifting else {-1: fields, -2: self.elements_in}
        self.input_spec = keras.layers.InputSpec(ndim=self.rank + (2 if self.lifting else 3), axes=axes)

    def call(self, inputs):
        if self._fourier is not None:
            x = convolution.subsample(inputs, self.strides) if max(self.strides) > 1 else inputs
            y = spectral.convolve_pointwise(x, self._fibre_kernel(), *self._fourier.arrays)
            return self._finish(self._flatten(y))
        x = self._flatten(inputs)
        x = expansion.to_field_groups(x, self.elements_in, self.groups)
        y = convolution.convolve(
            x,
            ops.cast(self._grouped_kernel(), self.compute_dtype),
            self.strides,
            self.padding,
            self.dilation_rate,
            self.padding_mode,
        )
        y = expansion.from_field_groups(y, self.group.order, self.groups)
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
            y = ops.add(y, ops.tile(self.bias, self.group.order))
        y = ops.reshape(y, (*ops.shape(y)[:-1], self.group.order, self.filters))
        return self.activation(y)

    def _grouped_kernel(self):
        kernel = ops.convert_to_tensor(self.kernel)
        kernel = ops.reshape(kernel, (self._basis.size, self.elements_in, *kernel.shape[-2:]))
        if self._basis.pixels is not None:
            kernel = expansion.expand_exact(kernel, self._basis.pixels, self._relative, self.groups)
        else:
            kernel = expansion.expand(kernel, self._basis.functions, self._relative, self.groups)
        return ops.reshape(kernel, (*self.kernel_size, *kernel.shape[-2:]))

    def _fibre_kernel(self):
        """The kernel of a 1x1 convolution, (S, C, F)."""
        kernel = ops.convert_to_tensor(self.kernel)
        return ops.reshape(kernel, kernel.shape[-3:])

    def expanded_kernel(self):
        """The kernel of the equal stock convolution, (*kernel_size, S C, order F), group axes slowest."""
        return expansion.dense_over_groups(self._grouped_kernel(), self.groups, self.elements_in, self.group.order)

    def expanded_bias(self):
        """The bias of the equal stock convolution, (order F,); zeros without `use_bias`."""
        if self.bias is None:
            return ops.zeros((self.group.order * self.filters,), dtype=self.variable_dtype)
        return ops.tile(ops.convert_to_tensor(self.bias), self.group.order)

    def symmetry_problems(self, input_shape):
        sizes = input_shape[1 : 1 + self.rank]
        windows = zip(sizes, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        axes = [w if moved else None for w, moved in zip(windows, moved_axes(self.group), strict=True)]
        return window_problems(axes, "kernel_size", self.padding)

    def compute_output_shape(self, input_shape):
        self._input_fields(input_shape)
        space = []
        for axis, size in enumerate(input_shape[1 : 1 + self.rank]):
            if size is None:
                space.append(None)
                continue
            extent = (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1
            covered = size if self.padding == "same" else size - extent + 1
            if covered < 1:
                raise ValueError(
                    f'The kernel must fit into the input with padding="valid". Received: axis {axis} of '
                    f'size {size}, a window of {extent} pixels; use padding="same" or a smaller kernel'
                )
            space.append(-(-covered // self.strides[axis]))
        return (input_shape[0], *space, self.group.order, self.filters)

    def fold(self, input_shape):
        conv = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[self.rank]
        extents = [(k - 1) * d + 1 for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        # Stock convolutions have neither other padding modes nor strides together with dilation.
        dilated = max(self.strides) > 1 and max(self.dilation_rate) > 1
        pads = self.padding == "same" and (dilated or self.padding_mode != "zeros")
        layer = conv(
            self.group.order * self.filters,
            self.kernel_size,
            strides=1 if dilated else self.strides,
            padding="valid" if pads else self.padding,
            dilation_rate=self.dilation_rate,
            activation=keras.activations.serialize(self.activation),
            name=self.name,
        )
        steps = [(layer, [self.expanded_kernel(), self.expanded_bias()])]
        if pads:
            steps.insert(0, (lambda x: pad(x, extents, self.strides, self.padding_mode), []))
        if dilated:
            steps.append((lambda y: convolution.subsample(y, self.strides), []))
        return steps

    def _input_fields(self, input_shape):
        """Number of input fields; ValueError unless the shape is the layer's layout."""
        order = self.group.order
        space = ", ".join(axis_names(self.rank))
        wanted = f"(B, {space}, C)" if self.lifting else f"(B, {space}, {order}, C)"
        bad = len(input_shape) != self.rank + (2 if self.lifting else 3) or input_shape[-1] is None
        if bad or (not self.lifting and input_shape[-2] != order):
            before = "" if self.lifting else "; an image becomes that by LiftingConv2D"
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

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "group": self.group.name,
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self.bias_constraint),
            "basis": self.basis,
            "padding_mode": self.padding_mode,
        }


def _group(group):
    if isinstance(group, int):
        raise ValueError(f"{SYMMETRY_HINT}. Received: group={group!r}")
    return groups.get(group)


def _field_groups(value, filters):
    if isinstance(value, str):
        raise ValueError(f"{SYMMETRY_HINT}. Received: groups={value!r}")
    if _positive(value, "groups") and filters % value:
        raise ValueError(f"`filters` must be divisible by `groups`. Received: filters={filters}, groups={value}")
    return value


def _positive(value, name):
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return value


def _choice(value, choices, name):
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}. Received: {name}={value!r}")
    return value
