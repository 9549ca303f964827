"""What the normalizations of field types share: scale, shift and epsilon; not a layer of its own."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import Constraint, FieldsLike, GroupLike, Initializer, Regularizer, passed_on
from keras_equivariant.layers.core.steerable_weights import bias_size, expand_bias
from keras_equivariant.ops import fields
from keras_equivariant.ops.precision import at_least_float32
from keras_equivariant.utils.checks import check_epsilon


class TypedNormalization(Fiberwise):
    """gamma (x - mean) / sqrt(mean square of the rest + epsilon) + beta, field by field.

    A mean is only subtracted, and beta only added, along the vectors of a field that no element of the group moves;
    the square is the mean over the components. Both commute with every orthogonal representation.
    """

    on_points = False  # most of them sum over space, and would count points that are not there

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        beta_regularizer: Regularizer | None = None,
        gamma_regularizer: Regularizer | None = None,
        beta_constraint: Constraint | None = None,
        gamma_constraint: Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.epsilon = check_epsilon(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = keras.initializers.get(beta_initializer)
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.beta_regularizer = keras.regularizers.get(beta_regularizer)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.beta_constraint = keras.constraints.get(beta_constraint)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)

    def build(self, input_shape):
        super().build(input_shape)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=(self.in_type.fields,),
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
            )
        if self.center and bias_size(self.in_type):
            self.beta = self.add_weight(
                name="beta",
                shape=(bias_size(self.in_type),),
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
            )

    def affine(self, dtype):
        """gamma and beta of every channel, or None."""
        gamma = self.gamma if self.gamma is None else fields.spread(_tensor(self.gamma, dtype), self.layout)
        beta = self.beta if self.beta is None else expand_bias(_tensor(self.beta, dtype), self.in_type)
        return gamma, beta


class SampleNormalization(TypedNormalization):
    """A normalization with the statistics of each sample by itself, the same in training and at inference.

    Subclasses set `means`, the FieldMeans over the fields that share statistics, and `over_space`.
    """

    over_space = True

    def compute(self, x, gamma=None, beta=None, training=False):
        wide = at_least_float32(x)
        slope, shift = fields.normalize(wide, self.means, self.epsilon, self.over_space)
        if gamma is not None:
            slope, shift = slope * gamma, None if shift is None else shift * gamma
        if beta is not None:
            shift = beta if shift is None else shift + beta
        y = wide * slope
        return ops.cast(y if shift is None else y + shift, x.dtype)

    def call(self, inputs):
        return self.compute(inputs, *self.affine(at_least_float32(inputs).dtype))

    def fold(self, input_shape):
        constants = [None if value is None else ops.convert_to_numpy(value) for value in self.affine(None)]
        return [(lambda x: self.compute(x, *(_like(value, x) for value in constants)), [])]


def _tensor(variable, dtype):
    return ops.cast(ops.convert_to_tensor(variable), dtype or variable.dtype)


def _like(value, x):
    return None if value is None else value.astype(keras.backend.standardize_dtype(x.dtype))
