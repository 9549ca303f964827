from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import Constraint, Regularizer


@register
class LayerScale(EquivariantLayer):
    """Multiplies each channel by a learned factor that begins small: the end of a branch beside the identity.

    y_c = gamma_c f_c

    Folded, the factors are absorbed by the convolution before them.

    Args:
        init_values: what all factors begin with.
        gamma_regularizer, gamma_constraint: as in `keras.layers.BatchNormalization`.
        strict: raise where a layer before it has broken the symmetry; with False warn.

    Input shape:
        `(..., C)`

    Output shape:
        The same.

    Equivariance: exact on images, regular and harmonic features: one factor for all orientations of a field.

    Raises:
        ValueError: an unknown number of channels, features with a field type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.LayerScale(1e-6)
        >>> layer(np.zeros((1, 5, 5, 8, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 5, 5, 8, 16]), 16)

    Reference: Touvron et al., Going deeper with Image Transformers, arXiv 2103.17239, section 2.
    """

    group = rank = None

    def __init__(
        self,
        init_values: float = 1e-6,
        gamma_regularizer: Regularizer | None = None,
        gamma_constraint: Constraint | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(strict=strict, **kwargs)
        self.supports_masking = True
        self.init_values = float(init_values)
        self.gamma_regularizer = keras.regularizers.get(gamma_regularizer)
        self.gamma_constraint = keras.constraints.get(gamma_constraint)

    def build(self, input_shape):
        if input_shape[-1] is None:
            raise ValueError(
                f"LayerScale has a factor for each channel. Received: input_shape={tuple(input_shape)}; give the input "
                "a known number of channels"
            )
        self.input_spec = keras.layers.InputSpec(axes={-1: input_shape[-1]})
        self.gamma = self.add_weight(
            name="gamma",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.init_values),
            regularizer=self.gamma_regularizer,
            constraint=self.gamma_constraint,
        )

    def call(self, inputs):
        return ops.multiply(inputs, ops.cast(self.gamma, inputs.dtype))

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def fold(self, input_shape):
        """Stock BatchNormalization along the channels, which a convolution absorbs."""
        gamma = ops.convert_to_numpy(self.gamma)
        layer = keras.layers.BatchNormalization(center=False, epsilon=0.0, name=self.name)
        return [(layer, [gamma, np.zeros_like(gamma), np.ones_like(gamma)])]
