from __future__ import annotations

from typing import Any, Literal

from keras import ops

from keras_equivariant.groups.layouts import Invariant, Vectors
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import GroupLike, passed_on
from keras_equivariant.layers.points.features import (
    OnPoints,
    arithmetic,
    checked_group,
    element_width,
    zero_where_absent,
)
from keras_equivariant.ops import lie
from keras_equivariant.utils.checks import check_choice


@register
class LiePooling(OnPoints, EquivariantLayer):
    """One answer for all points: the mean, sum or maximum of their values, or of vectors that rotate with them.

    y = mean_u f(u),  or with `vectors`  y = mean_u R_u f(u)

    with R_u the rotation (and scale) of the element u, so that f is a vector in the frame that u carries along.

    Args:
        reduction: `"mean"`, `"sum"` or `"max"`, over the points that the mask does not leave out.
        vectors: whether the values are vectors in the frames of the elements, components first: channel i C + c is
            component i of vector c.
        group: name of the Lie group of the elements; needed for vectors.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        elements `(B, N, E)`, values `(B, N, C)` or `(B, N, d C)`, mask `(B, N)`.

    Output shape:
        `(B, C)`, or with `vectors` `(B, d C)`, components first. Zeros where no point is there.

    Equivariance: exact for every g on the elements: values are invariant, vectors rotate as directions of space do.

    Raises:
        ValueError: vectors without a group, or channels that are no vectors; the maximum of vectors.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> u, f, mask = np.ones((1, 5, 2), "float32"), np.ones((1, 5, 3), "float32"), np.ones((1, 5), bool)
        >>> ke.layers.LiePooling()([u, f, mask]).shape
        TensorShape([1, 3])

    Reference: Finzi et al., arXiv 2002.12880, section 4 (the global pooling of the network).
    """

    def __init__(
        self,
        reduction: Literal["mean", "sum", "max"] = "mean",
        vectors: bool = False,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.reduction = check_choice(reduction, "reduction", ("mean", "sum", "max"))
        self.vectors = bool(vectors)
        self.group = None if group is None else checked_group(group)
        if self.vectors and (self.group is None or self.reduction == "max"):
            raise ValueError(
                '`vectors` needs the `group` of the elements, and reduction="mean" or "sum": the largest component '
                f"does not rotate. Received: group={group!r}, reduction={reduction!r}"
            )

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs):
        elements, values, mask = inputs
        values = ops.cast(values, self.compute_dtype)
        values = zero_where_absent(values, mask)
        if self.reduction == "max":
            below = ops.stop_gradient(ops.min(values, axis=1, keepdims=True)) - 1
            there = ops.expand_dims(mask, -1)
            highest = ops.max(ops.where(there, values, below), axis=1)
            return ops.where(ops.any(there, axis=1), highest, ops.zeros_like(highest))
        if self.vectors:
            values = self._rotated(self.full(elements), values)
        total = ops.sum(values, axis=1)
        if self.reduction == "sum":
            return total
        return total / ops.maximum(ops.sum(ops.cast(ops.expand_dims(mask, -1), values.dtype), axis=1), 1)

    def _rotated(self, elements, values):
        d = self.group.dimension
        u = tuple(ops.expand_dims(x, -1) for x in lie.unstack(elements))
        parts = tuple(self.full(x) for x in ops.split(values, d, axis=-1))
        rotated = arithmetic(self.group).rotate(u, parts)
        return ops.cast(ops.concatenate(rotated, axis=-1), values.dtype)

    def compute_output_shape(self, input_shape):
        width = element_width(self.group) if self.vectors else None
        _, values, _ = self.checked_shapes(input_shape, width)
        if self.vectors and values[2] % self.group.dimension:
            raise ValueError(
                f"Vectors of {self.group.dimension} components must fill the channels. Received: {values[2]} channels; "
                f"use a Dense of a multiple of {self.group.dimension} before it"
            )
        return (values[0], values[2])

    def compute_output_spec(self, inputs):
        return super().compute_output_spec(inputs)

    def law(self, layout, shapes):
        return Vectors(layout.group) if self.vectors else Invariant()

    def fold_call(self, apply, inputs):
        return self.call(inputs)
