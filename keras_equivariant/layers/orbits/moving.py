"""What a group element does to symbolic tensors: it moves pixels and multiplies channels; not a layer of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from keras_equivariant.groups import grid, layouts
from keras_equivariant.layers.core.base import EquivariantLayer
from keras_equivariant.layers.core.options import GroupLike
from keras_equivariant.layers.core.windowed_conv import symmetry_group


class OnOrbits(EquivariantLayer):
    """A layer that moves images, maps and vectors by the elements of a finite group of the pixel grid.

    Subclasses set `layout`, that of what they move, as a spelling.
    """

    layout = "image"

    def __init__(self, group: GroupLike, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(strict=strict, **kwargs)
        self.group = symmetry_group(group)
        if not self.group.is_finite or not all(map(grid.is_signed_permutation, self.group.matrices)):
            raise ValueError(
                "Images are moved exactly by flips and quarter turns only. Received: "
                f'group="{self.group.name}"; use {"D4 or a subgroup" if self.group.dimension == 2 else "Oh, O or T"}'
            )

    def build(self, input_shape):
        self.built = True

    def moved(self, x, element):
        """[L_g x](p) = rho(g) x(g^-1 p)."""
        channels = self.matrix(element, x.shape)
        x = self.moved_pixels(x, element)
        return x if channels is None else ops.matmul(x, ops.convert_to_tensor(channels, dtype=x.dtype))

    def moved_pixels(self, x, element):
        """x(g^-1 p)"""
        if self._is_spaced(x.shape) and layouts.parse(self.layout, self.group).axes(x.shape).space:
            order, flips = grid.moved_order(self.group.matrices[element], len(x.shape))
            x = ops.transpose(x, order) if order != sorted(order) else x
            for axis in flips:  # one by one: LiteRT flips neighboring axes only
                x = ops.flip(x, axis=axis)
        return x

    def _is_spaced(self, shape):
        return len(shape) == self.group.dimension + 2

    def matrix(self, element, shape):
        """What the element does to row vectors of channels; None for nothing."""
        layout, size, spaced = layouts.parse(self.layout, self.group), shape[-1], self._is_spaced(shape)
        if layout.scalars:
            return None
        unit = np.eye(size).reshape(size, *(1,) * (self.group.dimension * spaced), size)
        matrix = layout.act(unit, self.group, element).reshape(size, size)
        return None if np.array_equal(matrix, np.eye(size)) else matrix

    def check_space(self, shape):
        """ValueError where elements would change the sizes of a map."""
        space = tuple(shape[1:-1])
        if len(space) == self.group.dimension and None not in space and not grid.keeps_shape(self.group, space):
            raise ValueError(
                "All moved copies of an image must have one size. Received: a map of "
                f"{' x '.join(map(str, space))} pixels, of which {self.group.name} swaps the axes; use "
                f"{grid.UPRIGHT[self.group.dimension]}, or pad the image to equal sizes"
            )

    def check_features(self, layout, shapes):
        """Takes any features."""

    def _check_sources(self, tensors):
        """Takes any features, those of a network without a symmetry, too."""

    def expected_layout(self, shape):
        return layouts.parse(self.layout, self.group)

    def law(self, layout, shapes):
        return layouts.parse(self.layout, self.group)


def check_moves(spelling, group, shape):
    """ValueError where an output of this shape is nothing that moves as the layout says."""
    layout, channels = layouts.parse(spelling, group), shape[-1]
    reasons = [] if layout.in_channels else ["an average needs its elements among the channels"]
    try:
        layout.check((1, *shape[1:]), group)
    except ValueError as error:
        reasons.append(str(error))
    if reasons:
        order, is_map = group.order, len(shape) == group.dimension + 2
        types = f'"{channels // order}xregular"' if channels % order == 0 else f"a field type of {channels} channels"
        raise ValueError(
            f"`outputs` must be layouts that the outputs can have. Received: outputs={spelled(layout)!r} for an output "
            f'of shape {shape} ({"; ".join(reasons)}); use {types}, or "{"image" if is_map else "invariant"}"'
        )


def spelled(layout):
    """A layout as configurations hold it."""
    return layout if isinstance(layout, str) else str(layout)


def weighted(tensor, weights):
    """A tensor (B, |G|, ...) summed over the group with weights (B, |G|)."""
    shape = (-1, weights.shape[1], *(1,) * (len(tensor.shape) - 2))
    return ops.sum(tensor * ops.reshape(ops.cast(weights, tensor.dtype), shape), axis=1)
