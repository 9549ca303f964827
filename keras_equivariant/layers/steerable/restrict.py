from __future__ import annotations

from typing import Any

import numpy as np

from keras_equivariant import groups
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, SubgroupLike, passed_on
from keras_equivariant.layers.core.typed import as_type, layout
from keras_equivariant.ops.change_of_basis import change_basis


@register
class Restrict(Fiberwise):
    """Forgets symmetries: the same features, as features of a type on a subgroup.

    y = Q v for each field v, with the fixed Q for which Q rho(h) Q^-1 is a sum of representations of the subgroup

    Layers behind it share weights among the elements of the subgroup only, which suits data whose symmetry is local:
    edges look alike in all directions, while whole scenes have an upright one.

    Args:
        in_type: field type of the features.
        subgroup: name of a group that is contained in the type's, e.g. `"C4"` of `"D4"` or `"SO2"` of `"O2"`.
        group: name of the large group; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., D)`, of type `out_type`: permuted components stay such (regular and quotient fields fall into orbits),
        all other fields become irreps of the subgroup

    Equivariance: exact for every element of the subgroup on every size, y(rho(h) v) = rho_sub(h) y(v).

    Raises:
        ValueError: a subgroup that is not contained in the group, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.Restrict("8xregular", "C4", group="D4")
        >>> str(layer.out_type), layer(np.zeros((1, 9, 9, 64), "float32")).shape
        ('16xregular', TensorShape([1, 9, 9, 64]))

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.7.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        subgroup: SubgroupLike,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        found = groups.restriction(self.in_type, subgroup)
        self.subgroup = found.out_type.group.name
        self.out_type = found.out_type
        self._matrices = [_matrix(maps) for maps in found.maps]
        self._changes = not all(np.array_equal(matrix, np.eye(len(matrix))) for matrix in self._matrices)

    @classmethod
    def claimed_group(cls, arguments):
        """The subgroup, which is left of the symmetry behind the layer."""
        return arguments.get("subgroup")

    def compute(self, x, training=False):
        return change_basis(x, self.layout, self._matrices) if self._changes else x

    def fold(self, input_shape):
        return super().fold(input_shape) if self._changes else []


@register
class Unrestrict(Fiberwise):
    """The inverse of `Restrict`: features of a subgroup in the channels of the large group's type that they came from.

    y = Q^T v for each field v, with the Q of `Restrict`

    It brings no symmetry back: behind it stand layers on the large group's type, such as a norm or a maximum over whole
    fields, in a network that has only the subgroup's symmetry. `restrict` puts it there.

    Args:
        out_type: field type on the large group.
        subgroup: name of a group that is contained in it, that of the features.
        group: name of the large group; may be left out where `out_type` is a FieldType.
        in_type: None, or what `Restrict(out_type, subgroup)` gives; it follows from the others.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`, of type `in_type`

    Output shape:
        `(..., D)`, of type `out_type`

    Equivariance: exact for every element of the subgroup on every size, y(rho_sub(h) v) = rho(h) y(v).

    Raises:
        ValueError: a subgroup that is not contained in the group, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.Unrestrict("8xregular", "C4", group="D4")
        >>> str(layer.in_type), layer(np.zeros((1, 9, 9, 64), "float32")).shape
        ('16xregular', TensorShape([1, 9, 9, 64]))

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.7, backwards.
    """

    def __init__(
        self,
        out_type: FieldsLike,
        subgroup: SubgroupLike,
        group: GroupLike | None = None,
        in_type: FieldsLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        whole = as_type(out_type, group, "out_type")
        found = groups.restriction(whole, subgroup)
        if in_type is not None and str(in_type) != str(found.out_type):
            raise ValueError(
                f'`in_type` must be what Restrict makes of `out_type`, "{found.out_type}" on '
                f'{found.out_type.group.name}. Received: in_type="{in_type}"; leave it out'
            )
        super().__init__(**{**passed_on(locals()), "in_type": found.out_type, "group": None})
        self.out_type = whole
        self.subgroup = self.group.name
        self._matrices = [_matrix(maps).T for maps in found.maps]
        self._changes = not all(np.array_equal(matrix, np.eye(len(matrix))) for matrix in self._matrices)

    def compute(self, x, training=False):
        if not self._changes:
            return x
        # The new blocks lie one after the other, each as the (dim, multiplicity) of the large group's block.
        return change_basis(x, layout(self.out_type), self._matrices)

    def fold(self, input_shape):
        return super().fold(input_shape) if self._changes else []

    def get_config(self):
        config = {**super().get_config(), "out_type": str(self.out_type), "group": self.out_type.group.name}
        return {**config, "in_type": None, "subgroup": self.subgroup}


def _matrix(maps):
    """The maps `(copies, new dim, old dim)` of a block's parts as one matrix, rows in the order of the new channels."""
    return np.concatenate([part.swapaxes(0, 1).reshape(-1, part.shape[-1]) for part in maps])
