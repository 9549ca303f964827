from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant.groups.layouts import Image, Regular, WrongFeatures, received
from keras_equivariant.layers.core.base import EquivariantLayer, axis_names, register
from keras_equivariant.layers.core.options import GroupLike
from keras_equivariant.layers.core.windowed_conv import symmetry_group
from keras_equivariant.stock.features import kind_of


@register
class GroupRepeat(EquivariantLayer):
    """Repeats an image or a volume for every element of the group: regular features that are constant on it.

    y(x, s) = f(x)

    What has no group axis, such as the gates of squeeze-and-excitation or an image, can so be added to regular
    features, multiplied with them or stand beside them.

    Args:
        group: symmetry of the output: `"C4"`, `"D4"`, `"O"`, ... or a `groups.FiniteGroup`.
        strict: raise where a layer before it has broken the symmetry; with False warn.

    Input shape:
        `(B, *space, C)`

    Output shape:
        `(B, *space, |group|, C)`

    Equivariance: exact for every group and size, y(L_g f) = L_g y(f), where [L_g y](x, s) = y(g^-1 x, g^-1 s).

    Raises:
        ValueError: a group that is not finite, an input that is no image or volume.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.GroupRepeat("D4")(np.zeros((1, 1, 1, 16), "float32")).shape
        TensorShape([1, 1, 1, 8, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.1: a function on the plane as one on the group.
    """

    def __init__(self, group: GroupLike, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(strict=strict, **kwargs)
        self.group = symmetry_group(group)
        if not self.group.is_finite:
            raise ValueError(
                f"GroupRepeat needs a finite group. Received: group={self.group.name!r}; use so many rotations, such "
                'as "C8" or "D8"'
            )

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs):
        return ops.repeat(ops.expand_dims(inputs, -2), self.group.order, axis=-2)

    def compute_output_shape(self, input_shape):
        rank = self.group.dimension
        if len(input_shape) != rank + 2:
            raise ValueError(
                f"GroupRepeat takes features of shape (B, {', '.join(axis_names(rank))}, C), {kind_of(rank)}. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        return (*input_shape[:-1], self.group.order, input_shape[-1])

    def check_features(self, layout, shapes):
        super().check_features(layout, shapes)
        if not layout.scalars:
            raise WrongFeatures(f"takes features without a group axis. {received(layout, tuple(shapes[0]))}")

    def law(self, layout, shapes):
        return Regular(self.group)

    def expected_layout(self, shape):
        return Image(self.group)

    def fold(self, input_shape):
        return [(lambda x: ops.concatenate([x] * self.group.order, axis=-1), [])]
