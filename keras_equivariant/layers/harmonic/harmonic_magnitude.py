from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.groups.layouts import Image
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.biased import Biased
from keras_equivariant.layers.core.options import Constraint, Initializer, Regularizer, passed_on
from keras_equivariant.layers.harmonic.features import GRID_GROUP, OnHarmonic, orders_and_fields
from keras_equivariant.ops import harmonic
from keras_equivariant.utils.checks import check_epsilon

REDUCTIONS = ("sum", None)


@register
class HarmonicMagnitude(OnHarmonic, Biased):
    """Magnitudes of complex features: what does not rotate.

    y = sum over m of |x_m| (+ bias);  without the sum the magnitudes of all orders lie side by side, order 0 first

    Args:
        reduction: `"sum"` over the orders, the read-out of the paper, or None for all of them as channels.
        use_bias: add a learned number to each channel.
        bias_initializer, bias_regularizer, bias_constraint: as in `keras.layers.Dense`.
        epsilon: least squared magnitude: |x| = sqrt(max(Re x^2 + Im x^2, epsilon)). With 0 the magnitude itself, on
            features of any scale, with the gradient 0 at 0.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, H, W, M+1, 2, C)`

    Output shape:
        `(B, H, W, C)`; without reduction `(B, H, W, (M+1) C)`

    Equivariance: exact on every size. The result is an image: its pixels move, its channels do not rotate.

    Raises:
        ValueError: unknown reduction, features that are not harmonic, an epsilon below 0.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.HarmonicMagnitude()(np.zeros((1, 28, 28, 2, 2, 8), "float32")).shape
        TensorShape([1, 28, 28, 8])

    Reference: Worrall et al., arXiv 1612.04642, section 5.
    """

    def __init__(
        self,
        reduction: Literal["sum"] | None = "sum",
        use_bias: bool = False,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer | None = None,
        bias_constraint: Constraint | None = None,
        epsilon: float = 0.0,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if reduction not in REDUCTIONS:
            raise ValueError(f"`reduction` must be one of {REDUCTIONS}. Received: reduction={reduction!r}")
        self.reduction = reduction
        self.epsilon = check_epsilon(epsilon, least=0)

    def build(self, input_shape):
        orders, fields = orders_and_fields("HarmonicMagnitude", input_shape)
        self._add_bias(self.compute_output_shape(input_shape)[-1])
        self.input_spec = keras.layers.InputSpec(ndim=6, axes={3: orders, 4: 2, 5: fields})

    def call(self, inputs):
        y = harmonic.magnitude(inputs, self.epsilon)
        if self.reduction == "sum":
            y = ops.sum(y, axis=-2)
        else:
            y = ops.reshape(y, (*ops.shape(y)[:3], y.shape[3] * y.shape[4]))
        y = ops.cast(y, self.compute_dtype)
        return y if self.bias is None else y + self.bias

    def compute_output_shape(self, input_shape):
        orders, fields = orders_and_fields("HarmonicMagnitude", input_shape)
        return (*input_shape[:3], fields if self.reduction == "sum" else orders * fields)

    def law(self, layout, shapes):
        return Image(GRID_GROUP)

    def fold(self, input_shape):
        orders, _ = orders_and_fields("HarmonicMagnitude", input_shape)
        steps = [(lambda x: self._fold_magnitudes(x, orders), [])]
        if self.bias is not None:
            # The stock layer that shifts channels: beta, mean 0, variance 1.
            shift = keras.layers.BatchNormalization(scale=False, epsilon=0.0, name=self.name)
            bias = ops.convert_to_numpy(self.bias)
            steps.append((shift, [bias, 0 * bias, 0 * bias + 1]))
        return steps

    def _fold_magnitudes(self, x, orders):
        found = harmonic.plane_magnitudes(x, orders, self.epsilon)
        if self.reduction == "sum":
            return sum(found[1:], found[0])
        return ops.concatenate(found, axis=-1) if orders > 1 else found[0]
