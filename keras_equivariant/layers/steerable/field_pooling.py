from __future__ import annotations

from typing import Any, Literal

from keras_equivariant.groups import FieldType
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.regular.group_pooling import MODES
from keras_equivariant.ops import activations


@register
class FieldPooling(Fiberwise):
    """Maximum or mean over the components of each field: `GroupPooling` for features of a field type.

    y = max over the components of v, or the mean, for each field v

    Args:
        in_type: field type of scalars, regular and quotient fields.
        mode: `"max"` or `"mean"`.
        group: group name; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., fields)`, of type `fields` times trivial

    Equivariance: exact for every element on every size: the channels no longer rotate, [L_g y](x) = y(g^-1 x).

    Raises:
        ValueError: a type with fields whose components mix, an unknown mode, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.FieldPooling("16xregular", group="D4")(np.zeros((1, 9, 9, 128), "float32")).shape
        TensorShape([1, 9, 9, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.3.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        mode: Literal["max", "mean"] = "max",
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {MODES}. Received: mode={mode!r}")
        if not self.in_type.permutation:
            moved = next(b.representation.name for b in self.in_type.blocks if not b.representation.permutation)
            raise ValueError(
                "FieldPooling takes fields whose components are permuted: scalars, regular and quotient fields. "
                f'Received: in_type="{self.in_type}", in which "{moved}" mixes its components; use NormPooling'
            )
        self.mode = mode
        self.out_type = FieldType.scalars(self.in_type.fields, self.group)

    def compute(self, x, training=False):
        return activations.pool_components(x, self.layout, self.mode)
