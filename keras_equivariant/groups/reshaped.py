"""Layouts of features whose pixels a Reshape has put on other axes, as the heads of detectors have them."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_equivariant.groups.layout import Axes, Layout


class OnOtherAxes(Layout):
    """Features without axes of space of their own; the last axis holds channels of one pixel.

    So functions of each number and maps of the last axis commute with the group, and what sums over some of the other
    axes does not.
    """

    def axes(self, shape):
        return Axes((), tuple(range(1, len(shape) - 1)), len(shape) - 1)

    def act(self, x, group, element, interpolation="cubic"):
        return self.on_maps(np.asarray(x), lambda part, layout: layout.act(part, group, element, interpolation))

    def on_maps(self, x, function):
        """What a function of features and their layout makes of those that these were before."""
        raise NotImplementedError

    def with_channels(self, before, after):
        """The layout where the last axis has another size."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Reshaped(OnOtherAxes):
    """Features of another layout in another shape: (B, H W, C), (B, H, W, A, C / A), (B, H W A, C / A).

    Args:
        layout: the layout that they have in the shape before.
        shape: that shape, without the batch axis.
    """

    layout: Layout
    shape: tuple

    @property
    def group(self):
        return self.layout.group

    @property
    def any_element(self):
        return self.layout.any_element

    def knows(self, group):
        return self.layout.knows(group)

    def is_still(self, shape):
        return self.layout.is_still((None, *self.shape))

    def on_pixels(self, shape):
        return self.layout.on_pixels((None, *self.shape))

    def on_maps(self, x, function):
        return function(x.reshape(-1, *self.shape), self.layout).reshape(-1, *x.shape[1:])

    def restrict(self, subgroup):
        return dataclasses.replace(self, layout=self.layout.restrict(subgroup))

    def with_channels(self, before, after):
        return dataclasses.replace(self, shape=(*self.shape[:-1], self.shape[-1] // before * after))

    def __str__(self):
        return f"reshaped {self.layout}"


@dataclasses.dataclass(frozen=True)
class Joined(OnOtherAxes):
    """Features of several layouts one behind the other along axis 1: what a detector says of several maps.

    Args:
        layouts: theirs.
        sizes: of axis 1 in each.
    """

    layouts: tuple
    sizes: tuple

    @property
    def group(self):
        return self.layouts[0].group

    @property
    def any_element(self):
        return all(layout.any_element for layout in self.layouts)

    def on_pixels(self, shape):
        return any(layout.on_pixels(shape) for layout in self.layouts)

    def knows(self, group):
        return all(layout.knows(group) for layout in self.layouts)

    def on_maps(self, x, function):
        parts = np.split(x, np.cumsum(self.sizes)[:-1], axis=1)
        found = [layout.on_maps(part, function) for layout, part in zip(self.layouts, parts, strict=True)]
        return np.concatenate(found, axis=1)

    def restrict(self, subgroup):
        return dataclasses.replace(self, layouts=tuple(layout.restrict(subgroup) for layout in self.layouts))

    def with_channels(self, before, after):
        return dataclasses.replace(self, layouts=tuple(one.with_channels(before, after) for one in self.layouts))

    def __str__(self):
        return f"joined {' and '.join(dict.fromkeys(map(str, self.layouts)))}"


def channel_axes(shape, channels):
    """The last axes of a shape whose sizes together divide a pixel's channels: those that hold nothing else."""
    found, product = [], 1
    for axis in range(len(shape) - 1, 0, -1):
        if not shape[axis] or channels % (product * shape[axis]):
            break
        product *= shape[axis]
        found.append(axis)
    return tuple(reversed(found))
