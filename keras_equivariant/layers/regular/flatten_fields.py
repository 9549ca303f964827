from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant.groups import FieldType
from keras_equivariant.groups.layouts import Regular, Typed
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.law import check_regular
from keras_equivariant.layers.core.options import GroupLike, passed_on
from keras_equivariant.layers.core.windowed_conv import symmetry_group


@register
class FlattenFields(EquivariantLayer):
    """Regular features as features of the field type `"Cxregular"`: from group convolutions to layers on field types.

    y[..., s C + c] = x[..., s, c]

    No number moves: a block of C regular fields is an array (|G|, C) of channels.

    Args:
        group: group name, of a finite group.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, *space, |group|, C)`

    Output shape:
        `(B, *space, |group| C)`, of type `out_type`, which is known once the layer is built

    Equivariance: exact for every element on every size.

    Raises:
        ValueError: a group that is not finite, features of another shape.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.FlattenFields("D4")
        >>> layer(np.zeros((1, 9, 9, 8, 3), "float32")).shape, str(layer.out_type)
        (TensorShape([1, 9, 9, 24]), '3xregular')

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.2 (regular fields).
    """

    out_type = None

    def __init__(self, group: GroupLike, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(**passed_on(locals()))
        self.group = symmetry_group(group)
        if not self.group.is_finite:
            raise ValueError(
                f"Regular features need a finite group. Received: group={self.group.name!r}; use its "
                f"{self.group.finite.name}"
            )

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.out_type = FieldType.parse(f"{input_shape[-1]}xregular", self.group)

    def call(self, inputs):
        return ops.reshape(inputs, (*ops.shape(inputs)[:-2], inputs.shape[-2] * inputs.shape[-1]))

    def compute_output_shape(self, input_shape):
        order = self.group.order
        if len(input_shape) < 3 or input_shape[-2] != order or input_shape[-1] is None:
            raise ValueError(
                f'FlattenFields on "{self.group.name}" takes regular features of shape (B, ..., {order}, C). '
                f"Received: input_shape={tuple(input_shape)}"
            )
        return (*input_shape[:-2], order * input_shape[-1])

    def check_features(self, layout, shapes):
        check_regular(self, layout, tuple(shapes[0]))

    def law(self, layout, shapes):
        return Typed.of(FieldType.parse(f"{shapes[0][-1]}xregular", self.group), len(shapes[0]) - 1)

    def expected_layout(self, shape):
        return Regular(self.group)

    def fold(self, input_shape):
        return []
