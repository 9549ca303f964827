from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.dense import dense
from keras_equivariant.layers.core.options import (
    Activation,
    ActivationName,
    Constraint,
    Count,
    Counts,
    GroupLike,
    Initializer,
    Regularizer,
    Seed,
    Whole,
    passed_on,
)
from keras_equivariant.layers.core.weighted import Weighted
from keras_equivariant.layers.points.features import element_width, zero_where_absent
from keras_equivariant.layers.points.neighborhood import Neighborhoods, kept
from keras_equivariant.layers.regular.batch_normalization import BatchNormalization
from keras_equivariant.ops import lie, neighborhoods
from keras_equivariant.utils.checks import tuple_of


@register
class LieConv(Neighborhoods, Weighted):
    """Convolution on a Lie group, on points anywhere: a Monte Carlo mean over each point's neighbors.

    h(u) = 1/n sum_v k(log(v^-1 u), q_u, q_v) f(v),  k(a) = W s(a)

    with s a small network of the coordinates a of the logarithm and the orbits q; W is shared by all neighbors and
    comes after the sum, so no kernel matrix is made for any pair.

    Args:
        filters: channels of the output.
        group: name of a Lie group, that of the `LieLift` before it, or a LieGroup.
        neighbors: how many points the sum has, the point itself among them, and more where others are as far as the
            last of them: a shell of equal distance counts as a whole.
        spare: how many more there are places for. A shell that does not fit in them is left out as a whole; where it
            is the first, the point is alone with those that lie on it, and where these are too many, it has no
            neighbor. None: up to 4, so that there are 13 places, a point and the twelve that can touch it.
        neighborhood: `"nearest"`: the nearest points; `"ball"`: points within a radius that adapts in training until
            a ball holds the fraction `fill` of all; where there are more than `neighbors` some, drawn in training,
            those nearest to the center and to rings about it at inference; `"cutoff"`: points within `radius`, which
            stays as it is, each counting as a smooth function of its distance that is 1 at 0 and 0 at the radius, with
            two continuous derivatives: for energies whose gradients are forces. Where more than `neighbors` are within
            it, the radius ends at the first of those that there is no place for.
        fraction: of the points, how many the output is computed at: a subset of points far from each other, in which
            points that a symmetry of all points takes to each other are together, or left out together. Places that
            stay empty for that have a false mask.
        fill: see `neighborhood`.
        radius: of the ball, to begin with; of the cutoff.
        distance: `"convex"` (the authors' code) or `"squared"` (the paper's text): see `ops.lie_distance`.
        alpha: weight of the rotation, or of the orbits, in the distance.
        reduction: `"mean"` or `"sum"` over the neighbors.
        kernel_units: units of the layers of s.
        kernel_activation: name of their activation.
        batch_normalization: whether s normalizes before each activation.
        chunk_size: points whose neighbors are looked for at a time; chosen by itself where None. Changes no result.
            On T(2) and T(3) they are looked for in cells where that is less work: in linear time, of a ball for
            `fill=n / N`, the n points in it out of N.
        seed: of the draw within a ball.
        activation, use_bias, the initializers, regularizers and constraints: of the linear map W, as in
            `keras.layers.Dense`.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        elements `(B, N, E)`, values `(B, N, C)`, mask `(B, N)`.

    Output shape:
        elements `(B, M, E)`, values `(B, M, filters)`, mask `(B, M)`, M = round(fraction N).

    Equivariance: exact for every g on the elements: conv(g u, f) has the values of conv(u, f), for symmetric points,
    too, and for points in the origin, whose logarithm to all others counts as 0. The order of the points changes the
    order of the output alone (but for what is drawn in training). The nearest neighbors count as a continuous
    function of the positions: one that leaves counts less and less over 2 % of the distance; those within a cutoff as
    a twice differentiable one, as far as the logarithm is (not at half turns). Points that the mask leaves out change
    nothing; a point without neighbors gets the bias alone. Values are invariants: a vector among them is not
    recognized, and would be treated as so many numbers.

    Raises:
        ValueError: elements of another group, or an argument that is not what it must be.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> u, f, mask = np.ones((1, 5, 2), "float32"), np.ones((1, 5, 3), "float32"), np.ones((1, 5), bool)
        >>> [tuple(y.shape) for y in ke.layers.LieConv(8, "T2", neighbors=4)([u, f, mask])]
        [(1, 5, 2), (1, 5, 8), (1, 5)]

    Reference: Finzi et al., arXiv 2002.12880, section 4.2 and the appendix on PointConv.
    """

    def __init__(
        self,
        filters: Count,
        group: GroupLike,
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        (self.filters,) = tuple_of(filters, 1, "filters")
        self.ball_radius = None
        self.seed_generator = keras.random.SeedGenerator(self.seed) if self.neighborhood == "ball" else None
        self.kernel_layers = []
        for i, units in enumerate(self.kernel_units):
            dense = keras.layers.Dense(units, dtype=self.dtype_policy, name=f"kernel_{i}")
            name = f"kernel_{i}_activation"
            if self.batch_normalization:
                after = BatchNormalization(activation=self.kernel_activation, dtype=self.dtype_policy, name=name)
            else:
                after = keras.layers.Activation(self.kernel_activation, dtype=self.dtype_policy, name=name)
            self.kernel_layers += [dense, after]

    def build(self, input_shape):
        _, values, _ = self.checked_shapes(input_shape, element_width(self.group))
        width = self.group.algebra + 2 * self.group.orbit
        k = min(self.neighbors, values[1])
        for layer in self.kernel_layers:
            layer.build((None, None, k, width))
            width = layer.units if isinstance(layer, keras.layers.Dense) else width
        self._add_kernel((width * values[2], self.filters))
        self._add_bias(self.filters)
        if self.neighborhood == "ball":
            start = keras.initializers.Constant(self.radius)
            settings = {"trainable": False, "aggregation": "mean"}
            self.ball_radius = self.add_weight(name="radius", shape=(), initializer=start, **settings)

    def call(self, inputs, training=None):
        return self.convolve(inputs, self.subset(self.full(inputs[0]), inputs[2], training), training)

    def convolve(self, inputs, indices, training=None):
        """The convolution at the points with these numbers, `(B, M)`, or at all where None."""
        pairs, neighbor_values, queries = self._gather(inputs, indices, training)
        kernel = self._kernel(pairs, queries, training)
        summed = self._sum(kernel, neighbor_values, queries)
        y = summed @ ops.cast(self.kernel, self.compute_dtype)
        if self.bias is not None:
            y = y + ops.cast(self.bias, self.compute_dtype)
        return queries.elements, zero_where_absent(self.activation(y), queries.mask), queries.mask

    def _gather(self, inputs, indices, training):
        elements, values, mask = self.full(inputs[0]), ops.cast(inputs[1], self.compute_dtype), inputs[2]
        values = zero_where_absent(values, mask)
        centers, center_mask = kept((elements, mask), indices)
        radius = offsets = None
        if self.neighborhood == "ball":
            radius = ops.cast(ops.convert_to_tensor(self.ball_radius), elements.dtype)
            if training:
                offsets = keras.random.uniform((elements.shape[1],), dtype=elements.dtype, seed=self.seed_generator)
        found, log, orbits, weights, share = self.neighbors_of(centers, elements, mask, radius, offsets)
        if radius is not None and training and self.trainable:
            weight = ops.cast(center_mask, share.dtype)
            filled = ops.sum(share * weight) / ops.maximum(ops.sum(weight + ops.zeros_like(share)), 1)
            new = ops.maximum(radius + 0.5 * (self.fill - filled), 1e-3)
            self.ball_radius.assign(ops.cast(new, self.ball_radius.dtype))
        pairs = lie.stack((*log, *orbits), weights)
        return pairs, neighborhoods.take(values, found), _Queries(centers, center_mask, weights)

    def _kernel(self, pairs, queries, training):
        x = pairs
        for layer in self.kernel_layers:
            if isinstance(layer, BatchNormalization):
                x = layer(x, training=training, mask=queries.weights > 0)
            else:
                x = dense(layer, x) if isinstance(layer, keras.layers.Dense) else layer(x)
        return x

    def _sum(self, kernel, values, queries):
        """sum_v f(v) s(v), (B, M, C S): every channel times every output of the kernel's network."""
        weight = ops.cast(ops.expand_dims(queries.weights, -1), kernel.dtype)
        if self.reduction == "mean":
            weight = weight / ops.maximum(ops.sum(weight, axis=-2, keepdims=True), 1)
        summed = ops.swapaxes(values, -1, -2) @ ops.cast(kernel * weight, values.dtype)
        return ops.reshape(summed, (-1, summed.shape[1], summed.shape[2] * summed.shape[3]))

    def compute_output_shape(self, input_shape):
        return self.convolved_shape(input_shape, self.filters)

    def fold_call(self, apply, inputs):
        return self.fold_convolve(apply, inputs, self.subset(self.full(inputs[0]), inputs[2]))

    def fold_convolve(self, apply, inputs, indices):
        """`convolve` of stock layers and operations."""
        kernel, values, queries = self._gather(inputs, indices, False)
        for i, layer in enumerate(self.kernel_layers):
            steps = layer.fold(kernel.shape) if isinstance(layer, BatchNormalization) else [(layer, layer.weights)]
            for j, (step, weights) in enumerate(steps):
                kernel = apply(f"kernel {i} {j}", step, weights, kernel)
        summed = self._sum(kernel, values, queries)
        linear = keras.layers.Dense(self.filters, self.activation, self.use_bias, name=self.name)
        y = apply("linear", linear, [w for w in (self.kernel, self.bias) if w is not None], summed)
        return queries.elements, zero_where_absent(y, queries.mask), queries.mask


class _Queries:
    """The points that the output is computed at, and how much each of their neighbors counts."""

    def __init__(self, elements, mask, weights):
        self.elements, self.mask, self.weights = elements, mask, weights
