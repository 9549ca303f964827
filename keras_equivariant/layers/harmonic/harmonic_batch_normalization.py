from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import (
    Activation,
    Constraint,
    Initializer,
    Regularizer,
    declared,
    part_of,
    passed_on,
)
from keras_equivariant.layers.harmonic.features import OnHarmonic, orders_and_fields
from keras_equivariant.layers.harmonic.harmonic_activation import fold_on_magnitudes
from keras_equivariant.layers.regular.batch_normalization import BatchNormalization
from keras_equivariant.ops import harmonic
from keras_equivariant.stock.traits import is_elementwise
from keras_equivariant.utils.checks import check_epsilon

_LEAST = 1e-2  # magnitude that features are divided by, relative to their root mean square
_TINY = 1e-16  # of mean squares, for channels that were never anything but 0


@register
class HarmonicBatchNormalization(OnHarmonic, EquivariantLayer):
    """Batch normalization of the magnitudes of complex features, then an activation; the phases stay.

    y = activation(gamma (|x| - mean) / sqrt(variance + epsilon) + beta) x / |x|

    with the statistics of |x| over the batch and space, one per order and channel. In x / |x| a magnitude counts as
    a hundredth of the channel's root mean square, by the moving statistics, where it is smaller: a phase that rounding
    alone has made gets no weight.

    Args:
        activation: name or function applied to the normalized magnitudes, `"relu"` in the paper; None for none: then a
            negative magnitude is the opposite phase.
        momentum, epsilon, center, scale: as in `keras.layers.BatchNormalization`, and so are all the initializers,
            regularizers and constraints.
        synchronized: as in `keras.layers.BatchNormalization`.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, H, W, M+1, 2, C)`

    Output shape:
        The same.

    Equivariance: exact for every angle on every size: it commutes with e^{i t} on each order.

    Raises:
        ValueError: features that are not harmonic.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.HarmonicBatchNormalization("relu")(np.zeros((1, 28, 28, 2, 2, 8), "float32")).shape
        TensorShape([1, 28, 28, 2, 2, 8])

    Reference: Worrall et al., arXiv 1612.04642, section 5.
    """

    def __init__(
        self,
        activation: Activation | None = None,
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
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        check_epsilon(epsilon)
        self.activation = activation_of(activation, alone=True)
        self.normalization = BatchNormalization(
            **part_of(locals(), BatchNormalization),
            dtype=self.dtype_policy,
            name="magnitudes",
        )

    def build(self, input_shape):
        orders, fields = orders_and_fields("HarmonicBatchNormalization", input_shape)
        self.normalization.build((*input_shape[:3], orders * fields))
        self.input_spec = keras.layers.InputSpec(ndim=6, axes={3: orders, 4: 2, 5: fields})

    def call(self, inputs, training=None):
        old = harmonic.compiled_magnitude(inputs) if training else harmonic.magnitude(inputs, 0.0)
        shape = ops.shape(old)
        flat = ops.reshape(old, (*shape[:3], old.shape[3] * old.shape[4]))
        new = ops.reshape(self.normalization(flat, training=training), shape)
        moments = self.normalization.moving_mean, self.normalization.moving_variance
        mean, variance = (ops.cast(ops.convert_to_tensor(w), old.dtype) for w in moments)
        least = ops.reshape(_LEAST * ops.sqrt(mean * mean + variance + _TINY), old.shape[3:])
        change = harmonic.compiled_with_safe_magnitude if training else harmonic.with_safe_magnitude
        return change(inputs, old, new, least)

    def compute_output_shape(self, input_shape):
        orders_and_fields("HarmonicBatchNormalization", input_shape)
        return tuple(input_shape)

    def fold(self, input_shape):
        orders, fields = orders_and_fields("HarmonicBatchNormalization", input_shape)
        inner = self.normalization
        rest = [ops.convert_to_numpy(w).astype("float64") for w in inner.weights]
        mean, variance = rest[-2:]
        gamma = rest.pop(0) if inner.scale else np.ones(orders * fields)
        beta = rest.pop(0) if inner.center else np.zeros(orders * fields)
        scale = gamma / np.sqrt(variance + inner.epsilon)
        least = _LEAST * np.sqrt(mean**2 + variance + _TINY).reshape(orders, fields)
        together = not is_elementwise(self.activation)  # a softmax is one over all orders, as `normalization` has it
        return fold_on_magnitudes(self, scale, beta - mean * scale, orders, 0.0, least, together)

    def get_config(self):
        inner, options = self.normalization.get_config(), declared(HarmonicBatchNormalization.__init__)
        return {**super().get_config(), **{name: value for name, value in inner.items() if name in options}}
