from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Activation,
    Constraint,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    passed_on,
)
from keras_equivariant.layers.core.steerable_weights import bias_channels, bias_size, expand_bias
from keras_equivariant.layers.core.typed import check_activation
from keras_equivariant.layers.core.typed_normalization import TypedNormalization
from keras_equivariant.ops import fields
from keras_equivariant.ops.normalization import normalize_with_statistics
from keras_equivariant.ops.precision import at_least_float32


@register
class SteerableBatchNormalization(TypedNormalization):
    """Batch normalization of typed features: every field by itself, over the batch, space and its components.

    y = activation(gamma (x - mean) / sqrt(mean of |x - mean|^2 / dim + epsilon) + beta)

    The mean is that of the components that no element moves: of scalars themselves, of all components of regular and
    quotient fields; every other irrep has none, and is only divided by its root mean square. With `reduction="max"` the
    squares of an image count with their maximum over space, averaged over the batch. On `"Nxregular"` it is
    `keras.layers.BatchNormalization` of the (|G|, N) axes. At inference it is one scale and one shift per channel,
    which an export merges into the convolution before it.

    Args:
        in_type: field type of the features, such as `"8x0 + 4x1"`; any type will do.
        group: group name; may be left out where `in_type` is a FieldType.
        momentum, epsilon, center, scale, the initializers, regularizers and constraints: as in
            `keras.layers.BatchNormalization`. gamma and the moving variance are one number per field, beta and the
            moving mean one per field and vector in it that no element moves.
        activation: only on types that permute their components; computed in the same pass over memory.
        synchronized: as in `keras.layers.BatchNormalization`: statistics over the batches of all replicas of
            `tf.distribute` together. On the TensorFlow backend only; on JAX they always are.
        strict: raise where the exact symmetry is lost; with False warn once.
        reduction: `"mean"`, or `"max"`: what becomes of the squares over space. The latter keeps the longest vectors of
            an image about as long as 1, however few there are; there is more to compute while training.
        **kwargs: those of `keras.layers.Layer`.

    A `mask` `(...)`, given or attached by a Keras layer before it, leaves places out of the statistics of training.

    Input shape:
        `(..., D)`

    Output shape:
        The same.

    Equivariance: exact for every element of the group, on every size.

    Raises:
        ValueError: features of another type, an activation that does not commute with it, an epsilon that is not
            positive, `synchronized` on another backend than TensorFlow, or with a mask; a mask of another shape.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableBatchNormalization("8x0 + 4x1", group="SO2")
        >>> layer(np.zeros((1, 9, 9, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 16]), 40)

    Reference: Weiler et al., arXiv 1807.02547, section 4.3, the maximum as in its code; Weiler & Cesa, arXiv
    1911.08251, section 2.6.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        activation: Activation | None = None,
        moving_mean_initializer: Initializer = "zeros",
        moving_variance_initializer: Initializer = "ones",
        synchronized: bool = False,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        beta_regularizer: Regularizer | None = None,
        gamma_regularizer: Regularizer | None = None,
        beta_constraint: Constraint | None = None,
        gamma_constraint: Constraint | None = None,
        strict: bool = True,
        reduction: Literal["mean", "max"] = "mean",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if reduction not in ("mean", "max"):
            raise ValueError(f'`reduction` must be "mean" or "max". Received: reduction={reduction!r}')
        self.reduction = reduction
        if synchronized and keras.backend.backend() != "tensorflow":
            raise ValueError(
                "`synchronized` is for replicas of tf.distribute, on the TensorFlow backend. "
                f"Received: synchronized=True on {keras.backend.backend()}. Leave it out: under keras.distribution the "
                "statistics are of the whole batch."
            )
        self.synchronized = bool(synchronized)
        self.supports_masking = True
        self.momentum = float(momentum)
        self.activation = activation_of(activation)
        check_activation(self.activation, self.in_type)
        self.moving_mean_initializer = keras.initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = keras.initializers.get(moving_variance_initializer)
        self._means = fields.FieldMeans(self.in_type.blocks)
        self._read_mean = bias_channels(self.in_type)
        self._read_variance = np.concatenate(
            [np.arange(block.start, block.start + block.multiplicity) for block in self.in_type.blocks]
        ).astype("int32")

    def build(self, input_shape):
        super().build(input_shape)
        self.moving_mean = None
        if bias_size(self.in_type):
            self.moving_mean = self._statistic("moving_mean", bias_size(self.in_type), self.moving_mean_initializer)
        self.moving_variance = self._statistic("moving_variance", self.in_type.fields, self.moving_variance_initializer)

    def _statistic(self, name, size, initializer):
        settings = {"trainable": False, "autocast": False, "aggregation": "mean"}
        return self.add_weight(name=name, shape=(size,), initializer=initializer, **settings)

    def call(self, inputs, training=None, mask=None):
        dtype = at_least_float32(inputs).dtype
        gamma, beta = self.affine(dtype)
        if not (training and self.trainable):
            return self._apply(inputs, *self._moving(dtype), gamma, beta)
        fused = keras.backend.backend() == "tensorflow" and not self.synchronized and mask is None
        if self.reduction == "mean" and fused:
            size = (self.in_type.size,)
            gamma = ops.ones(size, dtype) if gamma is None else gamma
            beta = ops.zeros(size, dtype) if beta is None else beta
            y, *statistics = normalize_with_statistics(inputs, gamma, beta, self.epsilon, self.activation, self._means)
        else:
            # JAX compiles whole training steps, torch has no compiler here: both differentiate plain arithmetic. And a
            # sum over replicas is none that XLA compiles.
            moments = fields.batch_moments if self.reduction == "mean" else fields.batch_maxima
            there = None if mask is None else self._there(mask, inputs)
            statistics = moments(at_least_float32(inputs), self._means, self.synchronized, there)
            y = self._apply(inputs, *statistics, gamma, beta)
        self._update(*statistics)
        return y

    def _there(self, mask, inputs):
        """The mask as factors of the features."""
        if self.synchronized:
            raise ValueError(
                "Statistics over replicas count every place. Received: synchronized=True and a mask. Leave out "
                "`synchronized`, or the mask"
            )
        if len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                "`mask` must have the shape of the inputs without their last axis. Received: mask of shape "
                f"{tuple(mask.shape)}, inputs of shape {tuple(inputs.shape)}; give it an entry for each place"
            )
        return ops.expand_dims(ops.cast(mask, at_least_float32(inputs).dtype), -1)

    def _apply(self, x, mean, variance, gamma, beta):
        slope = ops.rsqrt(variance + self.epsilon)
        slope = slope if gamma is None else slope * gamma
        shift = -mean * slope if beta is None else beta - mean * slope
        return ops.cast(self.activation(at_least_float32(x) * slope + shift), x.dtype)

    def _moving(self, dtype=None):
        """The moving mean and variance of every channel."""
        variance = ops.convert_to_tensor(self.moving_variance)
        mean = ops.zeros((0,), variance.dtype) if self.moving_mean is None else ops.convert_to_tensor(self.moving_mean)
        mean, variance = expand_bias(mean, self.in_type), fields.spread(variance, self.layout)
        return [value if dtype is None else ops.cast(value, dtype) for value in (mean, variance)]

    def _update(self, mean, variance):
        self._average(self.moving_variance, ops.take(variance, self._read_variance, axis=0))
        if self.moving_mean is not None:
            channels, weights = self._read_mean
            parts = ops.take(mean, channels, axis=0) * ops.convert_to_tensor(weights, dtype=mean.dtype)
            self._average(self.moving_mean, ops.sum(parts, axis=0))

    def _average(self, moving, batch):
        batch = ops.cast(ops.stop_gradient(batch), moving.dtype)
        moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))

    def fold(self, input_shape):
        gamma, beta = self.affine(None)
        stock = keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            center=beta is not None,
            scale=gamma is not None,
            name=self.name,
        )
        steps = [(stock, [value for value in (gamma, beta, *self._moving()) if value is not None])]
        if self.activation is not keras.activations.linear:
            steps.append((keras.layers.Activation(self.activation, name=f"{self.name}_activation"), []))
        return steps
