from __future__ import annotations

from typing import Any

import keras

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import Activation, FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.core.typed import check_activation


@register
class PointwiseActivation(Fiberwise):
    """An activation of every component, on types that permute their components; an odd one also up to sign.

    y = activation(x)

    Args:
        in_type: field type of scalars, regular and quotient fields. With an odd activation, one of Keras's with
            f(-x) = -f(x) such as `"tanh"` or `"softsign"`, also of signs and other fields whose components are permuted
            up to sign, such as all irreps of C4 and D4.
        activation: name or function.
        group: group name; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        The same.

    Equivariance: exact for every element on every size: what permutes the components permutes their images, and an odd
    function keeps signs.

    Raises:
        ValueError: a type with fields whose components mix.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.PointwiseActivation("4xregular", "elu", group="D4")
        >>> layer(np.zeros((1, 9, 9, 32), "float32")).shape
        TensorShape([1, 9, 9, 32])

    Reference: Cohen & Welling, arXiv 1612.08498, section 2.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        activation: Activation = "relu",
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.activation = activation_of(activation)
        check_activation(self.activation, self.in_type)

    def compute(self, x, training=False):
        return self.activation(x)

    def fold(self, input_shape):
        return [(keras.layers.Activation(self.activation, name=self.name), [])]
