from __future__ import annotations

from typing import Any

import numpy as np

from keras_equivariant.groups import FieldType
from keras_equivariant.groups.irreps import irrep
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, passed_on
from keras_equivariant.ops import activations


@register
class VectorFieldActivation(Fiberwise):
    """The strongest orientation of each regular field, as a vector that points there.

    y = relu(x_g) rho(g) e_1 with g the element of the largest x_g

    Where several are the largest, within rounding, the mean of their vectors: no element is preferred.

    Args:
        in_type: field type of regular fields.
        irrep: label of the irrep rho of the vectors; by default "1", vectors of the plane.
        group: group name; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., D')`, of type `out_type`

    Equivariance: exact for every element on every size.

    Raises:
        ValueError: fields that are not regular ones of a finite group, an irrep that the group does not have.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.VectorFieldActivation("4xregular", group="C8")
        >>> layer(np.zeros((1, 9, 9, 32), "float32")).shape, str(layer.out_type)
        (TensorShape([1, 9, 9, 8]), '4x1')

    Reference: Marcos et al., Rotation equivariant vector field networks, arXiv 1612.09346, section 3.2.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        irrep: str = "1",
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if any(name != "regular" for _, name in self.in_type.terms):
            raise ValueError(
                f'VectorFieldActivation takes regular fields. Received: in_type="{self.in_type}"; use NormActivation '
                "or GatedActivation for other fields"
            )
        self.irrep = str(irrep)
        self._vectors = _vectors(self.group, self.irrep)
        self.out_type = FieldType(self.group, ((self.in_type.fields, self.irrep),))

    def compute(self, x, training=False):
        return activations.strongest(x, self.layout, self._vectors)


def _vectors(group, label):
    """Where the elements take the first unit vector, `(|G|, dim)`."""
    matrices = irrep(group, label).rho(group.matrices)
    return np.where(np.abs(matrices[:, :, 0]) < 1e-15, 0.0, matrices[:, :, 0])
