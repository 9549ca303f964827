from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_equivariant.groups import layouts
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import Anything, GroupLike
from keras_equivariant.layers.orbits.moving import OnOrbits, spelled


@register
class GroupCopies(OnOrbits):
    """Images moved back by every element of a group, one batch after the other.

    y_g = L_g^-1 x; vectors (B, C) are repeated

    Args:
        group: one that maps the pixel grid onto itself.
        strict: without effect.

    Input shape:
        `(B, *space, C)` or `(B, C)`

    Output shape:
        `(|group| B, *space, C)`, the elements slowest.

    Equivariance: moving the input permutes the copies.
    """

    def call(self, inputs):
        elements = range(self.group.order)
        return ops.concatenate([self.moved(inputs, self.group.inverse(g)) for g in elements], axis=0)

    def compute_output_shape(self, input_shape):
        self.check_space(input_shape)
        batch = input_shape[0]
        return (None if batch is None else batch * self.group.order, *input_shape[1:])

    def expected_layout(self, shape):
        return None

    def output_layout(self, layouts_given, shapes):
        """Nothing is known of the copies by themselves."""
        return layouts.Broken("copies of the input, one for each element")

    def fold(self, input_shape):
        return [(self.call, [])]


@register
class GroupAverage(OnOrbits):
    """The mean of what a network makes of all moved copies, each moved forth again.

    y = 1 / |G| sum over g of L_g f(L_g^-1 x)

    Args:
        group: as in `GroupCopies`, which comes before the network.
        layout: how the output is to transform: `"image"` (maps), `"invariant"` or a field type.
        strict: without effect.

    Input shape:
        `(|group| B, ...)`

    Output shape:
        `(B, ...)`

    Equivariance: exact, whatever the network.
    """

    def __init__(self, group: GroupLike, layout: Anything = "image", strict: bool = True, **kwargs: Any) -> None:
        super().__init__(group, strict=strict, **kwargs)
        self.layout = spelled(layout)
        layouts.parse(self.layout, self.group)

    def call(self, inputs):
        order = self.group.order
        if None in inputs.shape[1:]:
            parts = ops.split(inputs, order, axis=0)
        else:
            parts = ops.reshape(inputs, (order, -1, *inputs.shape[1:]))
        matrices = [self.matrix(g, parts[g].shape) for g in range(order)]
        moved = [self.moved_pixels(parts[g], g) for g in range(order)]
        if all(matrix is None for matrix in matrices):
            return ops.sum(ops.stack(moved, axis=0), axis=0) / order
        # One product for all copies, which int8 rounds once, alike for each.
        identity = np.eye(inputs.shape[-1])
        matrices = np.concatenate([identity if matrix is None else matrix for matrix in matrices])
        whole = ops.concatenate(moved, axis=-1)
        return ops.matmul(whole, ops.convert_to_tensor(matrices / order, dtype=whole.dtype))

    def compute_output_shape(self, input_shape):
        self.check_space(input_shape)
        batch = input_shape[0]
        return (None if batch is None else batch // self.group.order, *input_shape[1:])

    def fold(self, input_shape):
        return [(self.call, [])]
