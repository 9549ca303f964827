from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_equivariant.groups import FieldType
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, Integers, passed_on


@register
class SelectFields(Fiberwise):
    """Some of the fields of a type, in an order of one's own: splits features into branches.

    y = (v_i for i in fields), where v_i is the i-th field of the type

    `SelectFields.split(in_type, sizes)` makes one layer for each branch; `keras.layers.Concatenate` joins them again.

    Args:
        in_type: field type of the features; any type will do.
        fields: numbers of the fields, from 0, block after block.
        group: group name; may be left out where `in_type` is a FieldType.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., D')`, of type `out_type`: neighbors of one kind make one block

    Equivariance: exact for every element on every size: a field moves by itself.

    Raises:
        ValueError: no field, a field twice, one that the type does not have; features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SelectFields("8x0 + 4x1", [0, 1, 8], group="SO2")
        >>> print(layer.out_type)
        2x0 + 1x1
        >>> scalars, vectors = ke.layers.SelectFields.split("8x0 + 4x1", [8, 4], group="SO2")
        >>> vectors(np.zeros((1, 9, 9, 16), "float32")).shape
        TensorShape([1, 9, 9, 8])

    Reference: escnn's BranchingModule.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        fields: Integers,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.fields = [int(i) for i in np.atleast_1d(fields)]
        known = self.in_type.fields
        if not self.fields or len(set(self.fields)) < len(self.fields) or not all(0 <= i < known for i in self.fields):
            raise ValueError(
                f'`fields` must be different numbers from 0 to {known - 1}, of the fields of "{self.in_type}". '
                f"Received: fields={fields}"
            )
        places = self.in_type.places
        terms, channels = [], []
        for i in self.fields:
            name, _ = places[i]
            if terms and terms[-1][1] == name:
                terms[-1] = (terms[-1][0] + 1, name)
                channels[-1].append(places[i][1])
            else:
                terms.append((1, name))
                channels.append([places[i][1]])
        self.out_type = FieldType(self.group, tuple(terms))
        self.channels = np.concatenate([np.stack(block, axis=-1).ravel() for block in channels])

    @classmethod
    def split(cls, in_type, sizes, group=None, **kwargs):
        """One layer for each branch: the first `sizes[0]` fields, the next `sizes[1]`, and so on.

        Args:
            in_type, group, **kwargs: as of the layer.
            sizes: numbers of fields, which add up to those of the type.

        Returns:
            A list of layers.
        """
        ends = np.cumsum(sizes)
        found = [
            cls(in_type, range(stop - size, stop), group=group, **kwargs)
            for size, stop in zip(sizes, ends, strict=True)
        ]
        if found[0].in_type.fields != ends[-1]:
            raise ValueError(
                f'`sizes` must add up to the number of fields of "{found[0].in_type}", {found[0].in_type.fields}. '
                f"Received: sizes={list(sizes)}"
            )
        return found

    def compute(self, x, training=False):
        start, stop = int(self.channels[0]), int(self.channels[-1]) + 1
        if np.array_equal(self.channels, np.arange(start, stop)):
            return x if (start, stop) == (0, self.in_type.size) else x[..., start:stop]
        return ops.take(x, self.channels.astype("int32"), axis=-1)
