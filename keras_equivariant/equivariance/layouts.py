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

AUTO = "auto"


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
    has_grid = not callable(layout) and layout not in ("invariant", "regular_vector")
    if not has_grid or x.ndim < group.dimension + 2:
        return x
    shape = x.shape[1 : 1 + group.dimension]
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    radius = np.sqrt(sum(a**2 for a in axes)) / (min(shape) / 2)
    window = 0.5 * (1 + np.cos(np.pi * np.clip((radius - 0.6) / 0.35, 0, 1)))
    return (x * window.reshape(1, *shape, *(1,) * (x.ndim - 1 - group.dimension))).astype(x.dtype)
