from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.biased import Biased
from keras_equivariant.layers.core.options import Activation, Constraint, Initializer, Regularizer, passed_on
from keras_equivariant.layers.harmonic.features import OnHarmonic, orders_and_fields
from keras_equivariant.ops import harmonic
from keras_equivariant.utils.checks import check_epsilon


@register
class HarmonicActivation(OnHarmonic, Biased):
    """An activation of the magnitudes of complex features; the phases stay.

    y = activation(|x| + b) x / |x|,  |x| = sqrt(max(Re x^2 + Im x^2, epsilon))

    With `"relu"` this is the C-ReLU of the paper. The bias b is learned, one per order and channel.

    Args:
        activation: name or function, applied to the magnitudes.
        use_bias: learn the bias; without it `"relu"` changes nothing.
        bias_initializer, bias_regularizer, bias_constraint: as in `keras.layers.Dense`.
        epsilon: least squared magnitude, for features of scale 1, as a normalization makes them: smaller ones than
            sqrt(epsilon) count as ones of this magnitude, and the layer is linear there. No function that keeps phases
            is smooth at 0 but where it is 0, and without a least magnitude the rounding errors of a constant image
            would become features of magnitude activation(b).
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, H, W, M+1, 2, C)`

    Output shape:
        The same.

    Equivariance: exact for every angle on every size: it commutes with e^{i t} on each order.

    Raises:
        ValueError: features that are not harmonic, an epsilon that is not positive.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.HarmonicActivation()(np.zeros((1, 28, 28, 2, 2, 8), "float32")).shape
        TensorShape([1, 28, 28, 2, 2, 8])

    Reference: Worrall et al., arXiv 1612.04642, section 4.2; epsilon as in the authors' code.
    """

    def __init__(
        self,
        activation: Activation = "relu",
        use_bias: bool = True,
        bias_initializer: Initializer = "zeros",
        bias_regularizer: Regularizer | None = None,
        bias_constraint: Constraint | None = None,
        epsilon: float = harmonic.LEAST_SQUARE,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.activation = activation_of(activation, alone=True)
        self.epsilon = check_epsilon(epsilon)

    def build(self, input_shape):
        orders, fields = orders_and_fields("HarmonicActivation", input_shape)
        self._add_bias(orders, fields)
        self.input_spec = keras.layers.InputSpec(ndim=6, axes={3: orders, 4: 2, 5: fields})

    def call(self, inputs, training=None):
        bias = ops.zeros(inputs.shape[3:4] + inputs.shape[5:], inputs.dtype)
        if self.bias is not None:
            bias = ops.convert_to_tensor(self.bias)
        return harmonic.activate(inputs, bias, self.epsilon, self.activation, training=bool(training))

    def compute_output_shape(self, input_shape):
        orders_and_fields("HarmonicActivation", input_shape)
        return tuple(input_shape)

    def fold(self, input_shape):
        orders, fields = orders_and_fields("HarmonicActivation", input_shape)
        bias = np.zeros((orders, fields)) if self.bias is None else ops.convert_to_numpy(self.bias)
        return fold_on_magnitudes(self, np.ones(bias.size), bias.ravel(), orders, self.epsilon)


def fold_on_magnitudes(layer, scale, shift, orders, least_square, least=None, together=False):
    """Stock steps of x -> activation(scale |x| + shift) x / |x| on (B, H, W, orders 2 C), for a layer's `fold`.

    `least_square` and `least` are those of `harmonic.split_phases`, `together` that of `join_phases`.
    """
    # BatchNormalization is the stock layer that scales and shifts channels; it leaves the phases alone.
    affine = keras.layers.BatchNormalization(epsilon=0.0, name=layer.name)
    one, zero = np.ones(2 * scale.size), np.zeros(2 * scale.size)
    moments = [np.zeros(3 * scale.size), np.ones(3 * scale.size)]
    return [
        (lambda x: harmonic.split_phases(x, orders, least_square, least), []),
        (affine, [np.concatenate([one, scale]), np.concatenate([zero, shift]), *moments]),
        (lambda x: harmonic.join_phases(x, orders, layer.activation, together), []),
    ]
