from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.kernels import intertwiner_basis, steerable_coefficients
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Activation,
    Constraint,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    Unreached,
    passed_on,
)
from keras_equivariant.layers.core.steerable_weights import bias_size, expand_bias, per_pair, scaled
from keras_equivariant.layers.core.typed import Typed, as_type, check_activation
from keras_equivariant.layers.core.weighted import Weighted
from keras_equivariant.ops import steerable
from keras_equivariant.utils.checks import check_choice


@register
class SteerableDense(Typed, Weighted):
    """A linear map from one field type to another, the same at every position: all that commute with the group.

    y = activation(x K + bias),   rho_out(g) K^T = K^T rho_in(g) for every g

    K = sum_d w_d K_d over a basis of all such maps, the w_d are learned. By Schur's lemma every irrep of the output is
    made of the copies of the same irrep in the input.

    Args:
        in_type, out_type: field types, such as `"8x0 + 4x1"` on SO(2) or `"8xregular"` on D4.
        group: group name; may be left out where the types are FieldTypes.
        activation: only on types that permute their components, see `PointwiseActivation`.
        use_bias, the initializers, regularizers and constraints: as in `keras.layers.Dense`. The kernel is the flat
            list of coefficients w; the initializer is applied to those of each irrep, with their own fan-in. The bias
            is one number for each field and direction in it that no element moves: scalars, regular and quotient
            fields.
        strict: raise where the exact symmetry is lost; with False warn once.
        unreached: what a field of the output is to which no map leads: an `"error"`, or `"zeros"`, but for its bias.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D_in)`, channels component-major, see `FieldType`.

    Output shape:
        `(..., D_out)`

    Equivariance: exact for every element of the group, on every size.

    Raises:
        ValueError: malformed or unknown types, and a field of the output that has no irrep in common with the input.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableDense("8x0 + 4x1", "2x0 + 6x1", group="SO2")
        >>> layer(np.zeros((1, 9, 9, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 14]), 66)

    Reference: Cohen & Welling, arXiv 1612.08498, section 2.4 (intertwiners and their number).
    """

    on_points = True

    def __init__(
        self,
        in_type: FieldsLike,
        out_type: FieldsLike,
        group: GroupLike | None = None,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        activity_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        strict: bool = True,
        unreached: Unreached = "error",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.in_type = as_type(in_type, group, "in_type")
        self.out_type = as_type(out_type, group or self.in_type.group, "out_type")
        check_activation(self.activation, self.out_type)
        self.unreached = check_choice(unreached, "unreached", ("error", "zeros"))
        self.supports_masking = True
        self._basis = scaled(intertwiner_basis(self.in_type, self.out_type, self.unreached))

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)
        shapes = list(self._basis.shapes.values())
        self._add_kernel((self._basis.size,), per_pair(self.kernel_initializer, shapes))
        self._add_bias(bias_size(self.out_type))

    def call(self, inputs):
        kernel = ops.cast(self.expanded_kernel(), self.compute_dtype)
        rows = ops.reshape(inputs, (-1, self.in_type.size)) if len(inputs.shape) > 2 else inputs
        y = ops.reshape(rows @ kernel, (*ops.shape(inputs)[:-1], self.out_type.size))
        if self.bias is not None:
            y = ops.add(y, expand_bias(ops.convert_to_tensor(self.bias), self.out_type))
        return self.activation(y)

    def expanded_kernel(self):
        """The kernel of the equal stock layer, `(D_in, D_out)`."""
        return steerable.expand(ops.convert_to_tensor(self.kernel), self._basis)[0]

    def coefficients(self, kernel):
        """The `kernel` weight whose expanded kernel is nearest to this array: the inverse of `expanded_kernel`."""
        return steerable_coefficients(np.asarray(kernel, dtype=np.float64)[None], self._basis)

    def expanded_bias(self):
        """The bias of the equal stock layer, `(D_out,)`; zeros without one."""
        if self.bias is None:
            return ops.zeros((self.out_type.size,), dtype=self.variable_dtype)
        return expand_bias(ops.convert_to_tensor(self.bias), self.out_type)

    def compute_output_shape(self, input_shape):
        self._check_channels(input_shape)
        return (*input_shape[:-1], self.out_type.size)

    def fold(self, input_shape):
        layer = keras.layers.Dense(self.out_type.size, activation=self.activation, name=self.name)
        return [(layer, [self.expanded_kernel(), self.expanded_bias()])]
