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
    GroupLike,
    Seed,
    Whole,
    declared,
    passed_on,
)
from keras_equivariant.layers.points.conv import LieConv
from keras_equivariant.layers.points.features import element_width, zero_where_absent
from keras_equivariant.layers.points.neighborhood import Neighborhoods, kept
from keras_equivariant.layers.regular.batch_normalization import BatchNormalization
from keras_equivariant.utils.checks import tuple_of


@register
class LieBottleneck(Neighborhoods, EquivariantLayer):
    """Residual block on points: a convolution between two linear maps that make the channels a quarter and back.

    y = x + W2 act(conv(act(W1 act(x))))

    with batch normalization, over the points that are there, before every activation. Where only a fraction of the
    points is kept, x and the convolution are taken at the same ones; where there are more filters than channels the
    new ones have no shortcut.

    Args:
        filters: channels of the output, at least those of the input.
        group: name of a Lie group, that of the `LieLift` before it, or a LieGroup.
        ratio: by which the channels are fewer inside.
        activation: name of the activations of the block.
        neighbors, neighborhood, fraction, fill, radius, distance, alpha, reduction, kernel_units, kernel_activation,
            chunk_size, seed, spare: of the convolution, a `LieConv`.
        batch_normalization: whether the block and the network of its kernel normalize before each activation.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        elements `(B, N, E)`, values `(B, N, C)`, mask `(B, N)`.

    Output shape:
        elements `(B, M, E)`, values `(B, M, filters)`, mask `(B, M)`, M = round(fraction N).

    Equivariance: exact for every g on the elements, as `LieConv`.

    Raises:
        ValueError: fewer filters than channels, or what `LieConv` refuses.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> u, f, mask = np.ones((1, 6, 2), "float32"), np.ones((1, 6, 8), "float32"), np.ones((1, 6), bool)
        >>> [tuple(y.shape) for y in ke.layers.LieBottleneck(12, "T2", fraction=0.5)([u, f, mask])]
        [(1, 3, 2), (1, 3, 12), (1, 3)]

    Reference: Finzi et al., arXiv 2002.12880, appendix (the network's residual blocks).
    """

    def __init__(
        self,
        filters: Count,
        group: GroupLike,
        ratio: Count = 4,
        activation: Activation = "swish",
        neighbors: Count = 32,
        neighborhood: Literal["nearest", "ball", "cutoff"] = "nearest",
        fraction: float = 1.0,
        fill: float = 0.1,
        radius: float = 2.0,
        distance: Literal["convex", "squared"] = "convex",
        alpha: float = 0.2,
        reduction: Literal["mean", "sum"] = "mean",
        kernel_units: Counts = (32, 32, 16),
        kernel_activation: ActivationName = "swish",
        batch_normalization: bool = True,
        chunk_size: Count | None = None,
        seed: Seed | None = None,
        spare: Whole | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        shared = {option: getattr(self, option) for option in declared(Neighborhoods.__init__)}
        (self.filters,) = tuple_of(filters, 1, "filters")
        (self.ratio,) = tuple_of(ratio, 1, "ratio")
        self.activation = activation_of(activation, alone=True)
        # The activation in front of the convolution must not see what the mask leaves out; the convolution drops it.
        self.conv = LieConv(max(1, self.filters // self.ratio), **shared, dtype=self.dtype_policy, name="conv")
        self.expand = keras.layers.Dense(self.filters, dtype=self.dtype_policy, name="expand")
        self.reduce = None
        self.activations = [self._activation(i) for i in range(3)]

    def _activation(self, i):
        name = f"activation_{i}"
        if self.batch_normalization:
            return BatchNormalization(activation=self.activation, dtype=self.dtype_policy, name=name)
        return keras.layers.Activation(self.activation, dtype=self.dtype_policy, name=name)

    def _inner(self, channels):
        return max(1, channels // self.ratio)

    def expanded_size(self, channels):
        """How many numbers the three linear maps hold, for so many channels."""
        inner = self._inner(channels)
        return channels * inner + self.conv.expanded_size(inner) + self.conv.filters * self.filters

    def build(self, input_shape):
        elements, values, mask = self.checked_shapes(input_shape, element_width(self.group))
        self.compute_output_shape(input_shape)
        inner = self._inner(values[2])
        self.reduce = keras.layers.Dense(inner, dtype=self.dtype_policy, name="reduce")
        self.activations[0].build(values)
        self.reduce.build(values)
        self.activations[1].build((*values[:2], inner))
        self.conv.build([elements, (*values[:2], inner), mask])
        narrow = (*values[:2], self.conv.filters)
        self.activations[2].build(narrow)
        self.expand.build(narrow)

    def call(self, inputs, training=None):
        elements, values, mask = inputs
        indices = self.subset(self.full(elements), mask, training)
        x = self._activate(0, values, mask, training)
        x = self._activate(1, dense(self.reduce, x), mask, training)
        elements, x, new_mask = self.conv.convolve((elements, x, mask), indices, training)
        x = dense(self.expand, self._activate(2, x, new_mask, training))
        return self._add(elements, x, values, mask, new_mask, indices)

    def _activate(self, i, x, mask, training):
        if self.batch_normalization:
            return self.activations[i](x, training=training, mask=mask)
        return self.activations[i](x)

    def _add(self, elements, x, values, mask, new_mask, indices):
        shortcut, _ = kept((zero_where_absent(ops.cast(values, x.dtype), mask), mask), indices)
        missing = self.filters - shortcut.shape[-1]
        if missing:
            shortcut = ops.pad(shortcut, ((0, 0), (0, 0), (0, missing)))
        return elements, zero_where_absent(x + shortcut, new_mask), new_mask

    def compute_output_shape(self, input_shape):
        shapes = self.convolved_shape(input_shape, self.filters)
        channels = input_shape[1][2]
        if channels > self.filters:
            raise ValueError(
                "`filters` must be at least the channels of the input, which are added to the output. Received: "
                f"filters={self.filters} with {channels} channels; use a Dense before the block"
            )
        return shapes

    def fold_call(self, apply, inputs):
        elements, values, mask = inputs
        indices = self.subset(self.full(elements), mask)

        def activate(i, x):
            layer = self.activations[i]
            steps = layer.fold(x.shape) if self.batch_normalization else [(layer, [])]
            for j, (step, weights) in enumerate(steps):
                x = apply(f"activation {i} {j}", step, weights, x)
            return x

        x = apply("reduce", self.reduce, self.reduce.weights, activate(0, values))
        x = activate(1, x)
        elements, x, new_mask = self.conv.fold_convolve(
            lambda key, *rest: apply(f"conv {key}", *rest), (elements, x, mask), indices
        )
        x = apply("expand", self.expand, self.expand.weights, activate(2, x))
        return self._add(elements, x, values, mask, new_mask, indices)
