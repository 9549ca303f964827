from __future__ import annotations

from typing import Any

import numpy as np

from keras_equivariant.groups import FieldType, Representation, channels, orbits
from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import Activation, FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.core.typed import scalar_blocks
from keras_equivariant.ops import activations


@register
class ConcatenatedReLU(Fiberwise):
    """Positive and negative parts of every component, on types that permute their components up to sign.

    y = (relu(x), relu(-x)), or another activation f, y = (f(x), f(-x))

    A component and its negative are permuted by the group; the result is sorted by the orbits of that permutation, so
    that its type names them. On D4: a scalar gives two, `0-`, `2+` and `2-` give two cosets each, `1` gives the four
    of a mirror, a regular field gives two.

    Args:
        in_type: field type of such fields: all irreps of D4 and C4, signs (of O(2), O(3) and groups about an axis,
            too), regular and quotient fields.
        group: group name; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        activation: name or function, such as `"sigmoid"` or `"tanh"`.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., 2 D)`, of type `out_type`, which permutes its components

    Equivariance: exact for every element on every size.

    Raises:
        ValueError: a type with fields whose components mix, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.ConcatenatedReLU("4x0+ + 4x1", group="D4")
        >>> print(layer.out_type)
        8x0+ + 4xquotient(mr180)
        >>> layer(np.zeros((1, 9, 9, 12), "float32")).shape
        TensorShape([1, 9, 9, 24])

    Reference: Cohen & Welling, arXiv 1612.08498, section 2; Shang et al., arXiv 1603.05201.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        strict: bool = True,
        activation: Activation = "relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.activation = activation_of(activation, alone=True)
        terms, self._sources = [], []
        for index, block in enumerate(self.in_type.blocks):
            for name, maps in self._signed_orbits(index):
                terms.append((len(maps) * block.multiplicity, name))
                # Component by component, and in each of them copy after copy.
                for component in np.argmax(maps, axis=2).T.ravel().tolist():
                    self._sources.append((index, component % block.dim, 1 if component < block.dim else -1))
        self.out_type = FieldType(self.group, tuple(terms))

    def _signed_orbits(self, index):
        """The orbits of the components of a block and of their negatives, which follow them."""
        representation = self.in_type.blocks[index].representation
        if scalar_blocks(self.in_type)[index]:
            ((_, name),) = FieldType.scalars(1, self.group).terms
            return [(name, np.eye(2)[:, None])]
        if not channels.is_signed(FieldType(self.group, ((1, representation.name),))):
            raise ValueError(
                "ConcatenatedReLU commutes only with fields whose components are permuted up to sign. Received: "
                f'in_type="{self.in_type}" on {self.group.name}, in which "{representation.name}" '
                "mixes its components; use NormActivation, GatedActivation or FourierActivation"
            )
        # Signs of a continuous group tell its connected components apart: an element of each stands for all.
        finite = self.group if self.group.is_finite else self.group.components
        matrices = representation.restricted(finite).matrices
        positive, negative = np.maximum(np.round(matrices), 0), np.maximum(np.round(-matrices), 0)
        doubled = np.concatenate(
            [np.concatenate([positive, negative], axis=2), np.concatenate([negative, positive], axis=2)], axis=1
        )
        if self.group.is_finite:
            return orbits(Representation(self.group, "doubled", doubled))
        return orbits(Representation(self.group, "doubled", lambda x: doubled[self.group.component_of(x)], 0))

    def compute(self, x, training=False):
        return activations.activate_signed(x, self.layout, self._sources, self.activation)
