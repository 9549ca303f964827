"""What the layers share that compute pixel by pixel on field types; not a layer of its own."""

from __future__ import annotations

from typing import Any

import keras

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import EquivariantLayer
from keras_equivariant.layers.core.biased import Biased
from keras_equivariant.layers.core.options import Activation, FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.core.typed import Typed, as_type, layout


class Fiberwise(Typed, EquivariantLayer):
    """A layer on features (..., D) of a field type, the same for every pixel.

    Subclasses set `out_type` where it is not `in_type` and give `compute(x, training)`, which folds to itself.
    """

    on_points = True

    def __init__(self, in_type: FieldsLike, group: GroupLike | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.in_type = as_type(in_type, group, "in_type")
        self.out_type = self.in_type
        self.supports_masking = self.on_points  # what acts on each place by itself hands a mask on

    @property
    def layout(self):
        return layout(self.in_type)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)

    def call(self, inputs, training=None):
        return self.compute(inputs, training=bool(training))

    def compute(self, x, training=False):
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        self._check_channels(input_shape)
        return (*input_shape[:-1], self.out_type.size)

    def fold(self, input_shape):
        return [(self.compute, [])]


class BiasedActivation(Fiberwise, Biased):
    """A fiberwise layer with an activation and one bias for each of `bias_size` numbers."""

    bias_size = 0

    def __init__(self, in_type: FieldsLike, group: GroupLike, activation: Activation, **kwargs: Any) -> None:
        super().__init__(**passed_on(locals()))
        self.activation = activation_of(activation, alone=True)

    def build(self, input_shape):
        super().build(input_shape)
        self._add_bias(self.bias_size)

    def call(self, inputs, training=None):
        bias = None if self.bias is None else keras.ops.convert_to_tensor(self.bias)
        return self.compute(inputs, bias, training=bool(training))

    def fold(self, input_shape):
        bias = None if self.bias is None else keras.ops.convert_to_numpy(self.bias)
        return [(lambda x: self.compute(x, bias), [])]
