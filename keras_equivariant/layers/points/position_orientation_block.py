from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.dense import dense
from keras_equivariant.layers.core.options import (
    Activation,
    ActivationName,
    Count,
    Counts,
    FieldsLike,
    GroupLike,
    Whole,
    passed_on,
)
from keras_equivariant.layers.points.features import zero_where_absent
from keras_equivariant.layers.points.oriented import OnOrientations
from keras_equivariant.utils.checks import tuple_of


@register
class PositionOrientationBlock(OnOrientations, EquivariantLayer):
    """Residual block as in ConvNeXt on positions and orientations: a depthwise convolution, then two pointwise maps.

    y = f + W2 activation(W1 normalize(h + bias)),   h the depthwise part of `PositionOrientationConv`

    normalize is a layer normalization over the channels at each point and orientation; W1 makes `expansion` times as
    many channels and W2 as many as there were, the same for all orientations.

    Args:
        in_type: C fields of functions on a grid of orientations, such as `"16xquotient(f72)"` on `"I"`, see
            `PositionOrientationConv`.
        group: group name; may be left out where the type is a FieldType.
        expansion: of the channels between the two maps.
        activation: between them.
        radius, neighbors, max_degree, num_rings, kernel_units, kernel_activation, reduction, images, chunk_size: of the
            convolution, see `PositionOrientationConv`.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        positions `(B, N, 3)`, or with a cell as in `SteerablePointConv`; values `(B, N, A C)`, orientation after
        orientation; mask `(B, N)` of booleans.

    Output shape:
        The same.

    Equivariance: exact for translations and for every element of the group; approximate for other rotations.

    Raises:
        ValueError: a type that is no functions on a grid of orientations.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> x, f, mask = np.ones((1, 5, 3), "float32"), np.ones((1, 5, 48), "float32"), np.ones((1, 5), bool)
        >>> layer = ke.layers.PositionOrientationBlock("4xquotient(f72)", group="I", radius=3.0)
        >>> [tuple(y.shape) for y in layer([x, f, mask])]
        [(1, 5, 3), (1, 5, 48), (1, 5)]

    Reference: Bekkers et al., arXiv 2310.02970, section 4 (the ConvNeXt block of its networks, without layer scale).
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        expansion: Count = 4,
        activation: Activation = "gelu",
        radius: float = 2.0,
        neighbors: Count = 32,
        max_degree: Whole = 2,
        num_rings: Count = 8,
        kernel_units: Counts = (32,),
        kernel_activation: ActivationName = "swish",
        reduction: Literal["mean", "sum"] = "mean",
        images: Count = 1,
        chunk_size: Count | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        (self.expansion,) = tuple_of(expansion, 1, "expansion")
        self.activation = activation_of(activation, alone=True)
        options = {"dtype": self.dtype_policy}
        self.normalization = keras.layers.LayerNormalization(epsilon=1e-6, name="normalization", **options)
        self.expand = keras.layers.Dense(self.expansion * self.fields, self.activation, name="expand", **options)
        self.reduce = keras.layers.Dense(self.fields, name="reduce", **options)

    def build(self, input_shape):
        self._add_kernels(input_shape)
        self.bias = self.add_weight(name="bias", shape=(self.fields,), initializer="zeros")
        rows = (None, len(self.grid.directions), self.fields)
        self.normalization.build(rows)
        self.expand.build(rows)
        self.reduce.build((*rows[:2], self.expand.units))

    def call(self, inputs):
        positions, mask, sums = self._depthwise(inputs, self._by_itself)
        y = sums @ ops.cast(self.expanded_kernel(), self.compute_dtype) + ops.cast(self.bias, self.compute_dtype)
        y = dense(self.reduce, dense(self.expand, self.normalization(y)))
        return positions, self._added(inputs[1], y, mask), mask

    def expanded_kernel(self):
        """The kernel of the equal stock Dense layer behind the sums over neighbors and angles, `(angles C, C)`."""
        return self._mixing(ops.eye(self.fields, dtype=self.variable_dtype))

    def _added(self, values, y, mask):
        return zero_where_absent(ops.cast(values, self.compute_dtype), mask) + self._rows(y, mask)

    def compute_output_shape(self, input_shape):
        return tuple(self.checked_shapes(input_shape, None))

    def fold_call(self, apply, inputs):
        positions, mask, sums = self._depthwise(inputs, self._folded(apply))
        y = apply("depthwise", keras.layers.Dense(self.fields), [self.expanded_kernel(), self.bias], sums)
        for name in ("normalization", "expand", "reduce"):
            layer = getattr(self, name)
            y = apply(name, layer, layer.weights, y)
        return positions, self._added(inputs[1], y, mask), mask
