"""Which layout an array has, and how an element acts on it: `groups.act` and two layouts more.

| layout     | shape                              |                                                      |
|------------|------------------------------------|------------------------------------------------------|
| `folded`   | (B, *space, \\|G\\| C), (B, \\|G\\| C) | regular features, the group axis merged into channels |
| a callable | any                                | `layout(x, group, element)` returns the moved array  |

A continuous group is tested on a finite one: SO(2) on C8, O(2) on D8, SO(3) on O, O(3) on Oh.
"""

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance import points
from keras_equivariant.graphs.symmetry import framed_outputs, output_operations, output_types

AUTO = "auto"
NAMES = (AUTO, "image", "regular", "harmonic", "invariant", "regular_vector", "folded")


class Frames:
    """The layout of a sequence (B, T, ...) each frame of which has a layout of its own.

    Args:
        layout: that of (B, ...); `"auto"` reads it off the shape.
    """

    def __init__(self, layout=AUTO):
        self.layout = layout

    def __call__(self, x, group, element):
        return self.apply(x, group, lambda frames, layout: transform(frames, group, element, layout))

    def apply(self, x, group, function):
        """A function of an array and its layout, applied to the frames."""
        frames = x.reshape(-1, *x.shape[2:])
        layout = groups.infer_layout(frames.shape, group) if self.layout == AUTO else self.layout
        result = function(frames, layout)
        return result.reshape(*x.shape[:2], *result.shape[1:])

    def __str__(self):
        return "frames" if self.layout == AUTO else f"frames of {self.layout}"


def own_layouts(network, on_points=False):
    """For each output of a functional model the layout that its layers give it; "auto" where they say nothing."""
    if on_points:
        return points.output_layouts(output_operations(network))
    known = zip(output_types(network), framed_outputs(network), strict=True)
    return [field_type or (Frames() if framed else AUTO) for field_type, framed in known]


def parsed(layouts, group):
    """A structure of layouts with field types for those that are given in words, such as "1x1"; the group is theirs."""

    def parse(layout):
        if not isinstance(layout, str) or layout in NAMES or layout.startswith("quotient("):
            return layout
        try:
            return groups.FieldType.parse(layout, group)
        except ValueError as error:
            names = ", ".join(map(repr, NAMES))
            raise ValueError(
                f'A layout is one of {names}, "quotient(H)" or a field type on {group.name}. '
                f"Received: {layout!r}; as a field type: {error}"
            ) from None

    return keras.tree.map_structure(parse, layouts)


def finite(group):
    """The group itself, or the finite one on which a continuous group is tested."""
    return groups.get(group).finite


def transform(x, group, element, layout):
    """The element's action on `x`."""
    if callable(layout):
        return np.asarray(layout(x, group, element))
    if layout != "folded":
        return groups.act(x, group, element, layout)
    if x.ndim not in (2, group.dimension + 2) or x.shape[-1] % group.order:
        raise ValueError(
            f'Features of layout "folded" on {group.name} must be (B, *space, {group.order} C) or '
            f"(B, {group.order} C). Received: shape {x.shape}"
        )
    unfolded = x.reshape(*x.shape[:-1], group.order, -1)
    moved = groups.act(unfolded, group, element, "regular_vector" if x.ndim == 2 else "regular")
    return moved.reshape(*moved.shape[:-2], -1)


def turned(x, group, matrix, layout):
    """`x` turned: images and volumes by any rotation, features with a group axis by the group's own."""
    if layout == "invariant":
        return x
    if isinstance(layout, groups.FieldType) and not layout.group.is_finite:
        fibre = layout.transform(x, matrix)
        return groups.move_pixels(fibre, matrix) if x.ndim > 2 else fibre
    return (
        groups.move_pixels(x, matrix) if layout == "image" else transform(x, group, element_of(group, matrix), layout)
    )


def turns_freely(layout):
    """Whether features of this layout can be turned by any angle."""
    if isinstance(layout, groups.FieldType):
        return not layout.group.is_finite
    return layout in ("image", "invariant")


def element_of(group, matrix):
    """The element with this matrix; None if the group has none."""
    try:
        return group.index(matrix)
    except ValueError:
        return None


def candidates(shape, group, subgroups=(), types=()):
    """Every layout that features of this shape may have, the likeliest first; empty where none fits."""
    try:
        found = [groups.infer_layout(shape, group)]
    except ValueError:
        found = []
    rank = len(shape)
    if rank in (2, group.dimension + 2) and shape[-1] % group.order == 0 and group.order > 1:
        found.append("folded")
    if rank == group.dimension + 3:
        found += [f"quotient({name})" for name in subgroups if _cosets(group, name) == shape[-2]]
    if rank == 3 and "invariant" not in found:
        found.append("invariant")
    if rank in (2, group.dimension + 2):
        found += [field_type for field_type in types if field_type.size == shape[-1]]
    return found


def resolve(layout, shapes, group, argument, subgroups=()):
    """A layout per array from what the user gave: "auto", one for all, or a structure of them."""
    one = isinstance(layout, (str, groups.FieldType)) or callable(layout)
    given = [layout] * len(shapes) if one else keras.tree.flatten(layout)
    if len(given) != len(shapes):
        raise ValueError(
            f"`{argument}` must name one layout, or one per array. Received: {layout!r} for {len(shapes)} arrays"
        )
    return [
        _inferred(shape, group, argument, subgroups) if name == AUTO else name
        for name, shape in zip(given, shapes, strict=True)
    ]


def _inferred(shape, group, argument, subgroups):
    try:
        return groups.infer_layout(shape, group)
    except ValueError as error:
        cosets = [name for name in candidates(shape, group, subgroups) if str(name).startswith("quotient")]
        if len(cosets) == 1:
            return cosets[0]
        raise ValueError(f"`{argument}`: {error}") from None


def _cosets(group, subgroup):
    try:
        return group.order // len(group.subgroup(subgroup))
    except ValueError:
        return None


def windowed(x, group, layout):
    """`x` times a smooth window, 1 in the middle and 0 outside the disc in the grid; unchanged without a grid."""
    if isinstance(layout, Frames):
        return layout.apply(x, group, lambda frames, inner: windowed(frames, group, inner))
    has_grid = not callable(layout) and layout not in ("invariant", "regular_vector")
    if not has_grid or x.ndim < group.dimension + 2:
        return x
    shape = x.shape[1 : 1 + group.dimension]
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    radius = np.sqrt(sum(a**2 for a in axes)) / (min(shape) / 2)
    window = 0.5 * (1 + np.cos(np.pi * np.clip((radius - 0.6) / 0.35, 0, 1)))
    return (x * window.reshape(1, *shape, *(1,) * (x.ndim - 1 - group.dimension))).astype(x.dtype)
