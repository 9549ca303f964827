from __future__ import annotations

from typing import Any, Literal

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import BiasedActivation
from keras_equivariant.layers.core.options import (
    Activation,
    Constraint,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    passed_on,
)
from keras_equivariant.layers.core.typed import scalar_blocks
from keras_equivariant.ops import activations
from keras_equivariant.utils.checks import check_choice, check_epsilon


@register
class NormActivation(BiasedActivation):
    """An activation of the norms of fields; their directions stay.

    y = activation(|v| + b) v / |v|,  |v| = sqrt(max(sum of squares, epsilon));  for scalars y = activation(x + b), with
    scalars="norm" y = activation(|x| + b) x / |x|

    Args:
        in_type: field type of the features, such as `"8x0 + 4x1"`; any type will do.
        group: group name; may be left out where `in_type` is a FieldType.
        activation: name or function, applied to the norms. `"relu"` needs the bias to change anything but scalars.
        use_bias: learn the bias b, one per field.
        bias_initializer, bias_regularizer, bias_constraint: as in `keras.layers.Dense`.
        epsilon: least squared norm, for features of scale 1, as a normalization makes them: smaller fields than
            sqrt(epsilon) count as ones of this norm, and the layer is linear there. No function that keeps directions
            is smooth at 0 but where it is 0, and without a least norm the rounding errors of a constant image would
            become fields of norm activation(b).
        strict: raise where the exact symmetry is lost; with False warn once.
        scalars: `"activation"`, or `"norm"` to treat scalars as all other fields, by their absolute value.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        The same.

    Equivariance: exact for every element on every size: orthogonal matrices keep norms.

    Raises:
        ValueError: features of another type, an epsilon that is not positive, another word for `scalars`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.NormActivation("8x0 + 4x1", group="SO2")
        >>> layer(np.zeros((1, 9, 9, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 16]), 12)

    Reference: Worrall et al., arXiv 1612.04642, section 4.2; Weiler & Cesa, arXiv 1911.08251, section 2.6.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        activation: Activation = "relu",
        use_bias: bool = True,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer | None = None,
        bias_constraint: Constraint | None = None,
        epsilon: float = activations.LEAST_SQUARE,
        strict: bool = True,
        scalars: Literal["activation", "norm"] = "activation",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.epsilon = check_epsilon(epsilon)
        self.scalars = check_choice(scalars, "scalars", ("activation", "norm"))
        self.bias_size = self.in_type.fields

    def compute(self, x, bias=None, training=False):
        apart = self.scalars == "activation"
        scalars = tuple(apart and scalar for scalar in scalar_blocks(self.in_type))
        return activations.norm_activate(x, bias, self.layout, scalars, self.epsilon, self.activation, training)
