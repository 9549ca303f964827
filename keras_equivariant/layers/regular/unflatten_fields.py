from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant.groups.layouts import Regular
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.core.typed import Typed, as_type


@register
class UnflattenFields(Typed, EquivariantLayer):
    """Features of the field type `"Nxregular"` as regular features: from layers on field types to group convolutions.

    y[..., s, n] = x[..., s N + n]

    No number moves: a block of N regular fields is an array (|G|, N) of channels.

    Args:
        in_type: field type of the features, regular fields only.
        group: group name; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, *space, |group| N)`

    Output shape:
        `(B, *space, |group|, N)`

    Equivariance: exact for every element on every size.

    Raises:
        ValueError: a type with other fields, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.UnflattenFields("3xregular", group="D4")(np.zeros((1, 9, 9, 24), "float32")).shape
        TensorShape([1, 9, 9, 8, 3])

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.2 (regular fields).
    """

    def __init__(self, in_type: FieldsLike, group: GroupLike | None = None, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(**passed_on(locals()))
        self.in_type = as_type(in_type, group, "in_type")
        if [name for _, name in self.in_type.terms] != ["regular"]:
            raise ValueError(
                "UnflattenFields takes one block of regular fields. "
                f'Received: in_type="{self.in_type}"; make it regular fields by a SteerableConv2D or SteerableDense'
            )

    @property
    def fields(self):
        return self.in_type.fields

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs):
        return ops.reshape(inputs, (*ops.shape(inputs)[:-1], self.group.order, self.fields))

    def compute_output_shape(self, input_shape):
        self._check_channels(input_shape)
        return (*input_shape[:-1], self.group.order, self.fields)

    def law(self, layout, shapes):
        return Regular(self.group)

    def fold(self, input_shape):
        return []
