from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_equivariant.layers.core.activations import activated, activation_of, check_activated
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.law import Lawful
from keras_equivariant.layers.core.losses import LossesInFloatx
from keras_equivariant.layers.core.options import (
    Activation,
    Constraint,
    Initializer,
    Regularizer,
    configuration,
    passed_on,
)
from keras_equivariant.ops.normalization import normalize_with_statistics
from keras_equivariant.stock import laws
from keras_equivariant.stock.inference import at_inference


@register
class BatchNormalization(Lawful, LossesInFloatx, keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` and an activation in one compiled pass over memory.

    y = activation(gamma (x - mean) / sqrt(variance + epsilon) + beta)

    with statistics over all axes but the last, so over the batch, space and the group axis. The same numbers as the
    stock layer followed by the activation, in about half the time while training on TensorFlow.

    Args:
        activation: name or function applied to the result; None for none.
        axis, momentum, epsilon, center, scale, the initializers, regularizers and constraints, **kwargs: as in
            `keras.layers.BatchNormalization`.
        strict: raise where the symmetry of the features is lost; with False warn.
        synchronized: take the statistics over the replicas of `tf.distribute`, by the stock layer's arithmetic.

    Input shape:
        `(..., C)`

    Output shape:
        The same.

    Equivariance: exact on regular features and images: one mean and one scale for all orientations of a field.

    Raises:
        ValueError: harmonic features, features with a field type, another `axis` than that of the channels.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.BatchNormalization(activation="relu")(np.zeros((1, 5, 5, 8, 16), "float32")).shape
        TensorShape([1, 5, 5, 8, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.1 (one scale and shift per group feature map).
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        moving_mean_initializer: Initializer = "zeros",
        moving_variance_initializer: Initializer = "ones",
        beta_regularizer: Regularizer | None = None,
        gamma_regularizer: Regularizer | None = None,
        beta_constraint: Constraint | None = None,
        gamma_constraint: Constraint | None = None,
        synchronized: bool = False,
        *,
        activation: Activation | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.strict = strict
        self.activation = activation_of(activation)

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable and self._fusable(inputs, mask)):
            return activated(self.activation, super().call(inputs, training=training, mask=mask))
        fields = inputs.shape[-1]
        gamma = self.gamma if self.scale else ops.ones((fields,), self.variable_dtype)
        beta = self.beta if self.center else ops.zeros((fields,), self.variable_dtype)
        y, mean, variance = normalize_with_statistics(inputs, gamma, beta, self.epsilon, self.activation)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            batch = ops.cast(batch, moving.dtype)
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return y

    def _moments(self, inputs, mask):
        # Keras squeezes the statistics under a mask: those of a single channel lose their axis.
        return tuple(ops.reshape(x, (-1,)) for x in super()._moments(inputs, mask))

    def _fusable(self, inputs, mask):
        # JAX compiles whole training steps, torch has no compiler here: both take the stock arithmetic.
        last = self.axis in (-1, len(inputs.shape) - 1)
        compiles = keras.backend.backend() == "tensorflow"
        return compiles and last and mask is None and not self.synchronized and not getattr(self, "renorm", False)

    def output_layout(self, layouts, shapes):
        """The layout of what the layer makes of features; as of the stock layer, for an activation acts on channels."""
        found = laws.output_layout(self, layouts, shapes)
        check_activated(self.activation, found, shapes[0])
        return found

    def check_features(self, layout, shapes):
        """Takes any features: `law` says what becomes of their symmetry."""

    def law(self, layout, shapes):
        return self.output_layout([layout], shapes)

    def fold(self, input_shape):
        """Stock BatchNormalization along the same axis, and the activation."""
        changes, weights = at_inference(self)
        steps = [(keras.layers.BatchNormalization.from_config({**super().get_config(), **changes}), weights)]
        if self.activation is not keras.activations.linear:
            steps.append((keras.layers.Activation(self.activation, name=f"{self.name}_activation"), []))
        return steps

    def get_config(self):
        return {**super().get_config(), **configuration(self)}
