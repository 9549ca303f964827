"""A bias with Keras's options for it; not a layer of its own."""

from __future__ import annotations

import math
from typing import Any

import keras

from keras_equivariant.layers.core.base import EquivariantLayer
from keras_equivariant.layers.core.options import Constraint, Initializer, Regularizer


class Biased(EquivariantLayer):
    """A layer that may add a bias; subclasses add the weight by `_add_bias`."""

    def __init__(
        self,
        use_bias: bool = True,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer | None = None,
        bias_constraint: Constraint | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.use_bias = bool(use_bias)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def _add_bias(self, *shape):
        self.bias = None
        if self.use_bias and math.prod(shape):
            self.bias = self.add_weight(
                name="bias",
                shape=shape,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
