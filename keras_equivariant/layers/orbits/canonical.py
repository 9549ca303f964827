from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant.groups import layouts
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import Anything, GroupLike
from keras_equivariant.layers.orbits.moving import OnOrbits, spelled, weighted

TIE = 1e-5  # of the largest score: above the rounding of float32


@register
class GroupChoice(OnOrbits):
    """The element with the largest score, as weights: 1 for it and 0 for the others; ties share.

    w_g = 1 / (number of largest scores) where s_g is largest, up to rounding, else 0

    Args:
        group: of the scores.
        strict: without effect.

    Input shape:
        `(B, |group|)`

    Output shape:
        The same.

    Equivariance: exact; moving the input permutes scores and weights.
    """

    def call(self, inputs):
        largest = ops.max(inputs, axis=-1, keepdims=True)
        spread = ops.max(ops.abs(inputs), axis=-1, keepdims=True)
        chosen = ops.cast(inputs >= largest - TIE * spread, inputs.dtype)
        return chosen / ops.sum(chosen, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return tuple(input_shape)

    def expected_layout(self, shape):
        return None

    def output_layout(self, layouts_given, shapes):
        """Nothing is known of the weights by themselves."""
        return layouts.Broken("weights of the elements")

    def fold(self, input_shape):
        return [(self.call, [])]


@register
class Canonical(OnOrbits):
    """An image, a map or a vector moved by a chosen element: back to its canonical orientation, or forth from it.

    y = sum over g of w_g L_g^-1 x, forth sum over g of w_g L_g x

    Args:
        group: one that maps the pixel grid onto itself.
        forth: whether to move forth.
        layout: as in `GroupAverage`.
        strict: without effect.

    Input shape:
        a list of `(B, ...)` and weights `(B, |group|)`.

    Output shape:
        `(B, ...)`

    Equivariance: exact, of what comes forth.
    """

    def __init__(
        self, group: GroupLike, forth: bool = False, layout: Anything = "image", strict: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(group, strict=strict, **kwargs)
        self.forth = bool(forth)
        self.layout = spelled(layout)
        layouts.parse(self.layout, self.group)

    def call(self, inputs):
        x, weights = inputs
        if isinstance(layouts.parse(self.layout, self.group), layouts.Invariant):
            return x
        elements = range(self.group.order)
        moved = [self.moved(x, g if self.forth else self.group.inverse(g)) for g in elements]
        return weighted(ops.stack(moved, axis=1), weights)

    def compute_output_shape(self, input_shape):
        self.check_space(input_shape[0])
        return tuple(input_shape[0])

    def output_layout(self, layouts_given, shapes):
        """Forth the layout that was asked for; what is canonical does not move."""
        found = layouts.parse(self.layout, self.group)
        return found if self.forth else layouts.Broken("an image in its canonical orientation")

    def expected_layout(self, shape):
        return layouts.parse(self.layout, self.group)

    def fold_call(self, apply, inputs):
        """The same operations."""
        return self.call(inputs)
