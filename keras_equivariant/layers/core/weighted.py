"""Kernel, bias and activation with Keras's options for them; not a layer of its own."""

from __future__ import annotations

from typing import Any

import keras

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.biased import Biased
from keras_equivariant.layers.core.options import Activation, Constraint, Initializer, Regularizer, passed_on


class Weighted(Biased):
    """An affine map with a kernel that is expanded from learned coefficients, and an activation.

    Subclasses add the weights `kernel` and `bias` by `_add_kernel` and `_add_bias`.
    """

    activates_each = False  # whether the activation must be a function of each number

    def __init__(
        self,
        activation: Activation | None = None,
        kernel_initializer: Initializer = "glorot_uniform",
        kernel_regularizer: Regularizer | None = None,
        activity_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.activation = activation_of(activation, self.activates_each)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)

    def _add_kernel(self, shape, initializer=None):
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=initializer or self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            autocast=False,  # expanded in full precision, cast once
        )
