from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from keras_equivariant.groups import FieldType, clebsch_gordan
from keras_equivariant.groups.irreps import is_irrep_label
from keras_equivariant.groups.linalg import gram_schmidt
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, Whole, passed_on
from keras_equivariant.ops import activations


@register
class TensorProductActivation(Fiberwise):
    """Products of fields, channel by channel, as irreps: a quadratic nonlinearity.

    y_c = C (x_c times x'_c) for each pair of blocks x, x' of equal multiplicity and each irrep that their product holds

    Pairs are a block with itself and with every later one. C are Clebsch-Gordan coefficients. What vanishes because
    the product of a field with itself is symmetric is left out. The result has a block for each irrep, in the order
    of their labels; within it the pairs follow each other in the order of the blocks, and each holds the channels of
    its fields.

    Args:
        in_type: field type of irreps.
        group: group name; may be left out where `in_type` is a FieldType.
        max_frequency: highest frequency (degree) of the result; by default that of `in_type`.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., D')`, of type `out_type`

    Equivariance: exact for every element on every size.

    Raises:
        ValueError: a type with fields that are no irreps, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.TensorProductActivation("8x0 + 8x1", group="SO2")
        >>> print(layer.out_type)
        16x0 + 8x1
        >>> layer(np.zeros((1, 9, 9, 24), "float32")).shape
        TensorShape([1, 9, 9, 32])

    Reference: Kondor, Lin & Trivedi, arXiv 1806.09231; Weiler & Cesa, arXiv 1911.08251, section 2.6.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        max_frequency: Whole | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        good = isinstance(max_frequency, int) and not isinstance(max_frequency, bool) and max_frequency >= 0
        if max_frequency is not None and not good:
            raise ValueError(f"`max_frequency` must be an integer of at least 0. Received: {max_frequency!r}")
        self.max_frequency = max_frequency
        for block in self.in_type.blocks:
            if not is_irrep_label(self.group, block.representation.name):
                raise ValueError(
                    f'TensorProductActivation takes irreps. Received: in_type="{self.in_type}", in which '
                    f'"{block.representation.name}" is none; use PointwiseActivation, or `groups.decompose` to find '
                    "the irreps in it"
                )
        terms, products = [], []
        for label in self._labels():
            paths = list(self._paths(label))
            if paths:
                terms.append((sum(multiplicity for multiplicity, *_ in paths), label))
            # Component by component, and in each of them path after path.
            for component in range(len(paths[0][3]) if paths else 0):
                products += [_terms(i, j, coupling[component]) for _, i, j, coupling in paths]
        self.out_type = FieldType(self.group, tuple(terms))
        self._products = tuple(products)

    def _labels(self):
        """The irreps that the result may hold."""
        if self.max_frequency is None and self.group.dimension != 2 and self.group.is_finite:
            return [name for _, name in FieldType.parse("irreps", self.group).terms]
        highest = self.in_type.frequency if self.max_frequency is None else self.max_frequency
        return [name for _, name in FieldType.parse(f"irreps({highest})", self.group).terms]

    def _paths(self, label):
        """`(multiplicity, first block, second block, C)` for each pair of blocks and copy of the irrep."""
        blocks = list(enumerate(self.in_type.blocks))
        for (i, first), (j, second) in itertools.combinations_with_replacement(blocks, 2):
            if first.multiplicity != second.multiplicity:
                continue
            copies = clebsch_gordan(self.group, first.representation.name, second.representation.name, label)
            for coupling in _symmetric(copies) if i == j else copies:
                yield first.multiplicity, i, j, coupling

    def compute(self, x, training=False):
        return activations.multiply(x, self.layout, self._products, training)


def _symmetric(copies):
    """The copies that do not vanish on the product of a field with itself, of the norm of all others."""
    symmetric = (copies + copies.swapaxes(2, 3)) / 2
    rows = gram_schmidt(symmetric.reshape(len(copies), np.prod(copies.shape[1:], dtype=int)))
    return rows.reshape(len(rows), *copies.shape[1:]) * np.sqrt(copies.shape[1])


def _terms(i, j, matrix):
    """The nonzero summands of a bilinear form, equal products together."""
    found = {}
    for (a, b), value in np.ndenumerate(matrix):
        if abs(value) > 1e-12:
            key = tuple(sorted([(i, a), (j, b)]))
            found[key] = found.get(key, 0.0) + float(value)
    return tuple((value, *key) for key, value in found.items() if abs(value) > 1e-12)
