"""Which layout an array has, as the user names it or as its shape tells, and the disc on which angles are compared.

A continuous group is tested on a finite one: SO(2) on C8, O(2) on D8, SO(3) on O, O(3) on Oh, Cinfv on C8v.
"""

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.graphs.symmetry import framed_outputs, layout_of, output_layouts
from keras_equivariant.groups import layouts
from keras_equivariant.groups.layouts import (
    Frames,
    Image,
    Invariant,
    Layout,
    OnOtherAxes,
    Quotient,
    Regular,
    Typed,
    parse,
)

AUTO = "auto"
NAMES = (AUTO, "image", "regular", "harmonic", "invariant", "regular_vector", "folded")


def own_layouts(network):
    """For each output of a functional model the layout that its layers give it; "auto" where they say nothing."""
    known = zip(output_layouts(network), framed_outputs(network), network.outputs, strict=True)
    return [
        (_told(layout, x.shape) or AUTO) if frames is None else Frames(_told(layout_of(frames)))
        for layout, frames, x in known
    ]


def _told(layout, shape=()):
    """A layout that a shape does not tell, as of invariant vectors in a sequence, or on axes of one entry; None for one
    that it does.

    What was made a map of invariant numbers is judged as an image, which it looks like.
    """
    if isinstance(layout, Frames):
        return Frames(_told(layout.layout))
    if isinstance(layout, Invariant) and (len(shape) == 3 or (len(shape) > 3 and set(shape[1:-1]) == {1})):
        return layout
    return None if isinstance(layout, Image | Invariant | None) else layout


def parsed(given, group):
    """A structure of layouts with field types for those that are given in words, such as "1x1"; the group is theirs."""

    def one(layout):
        # The group axis is that of the finite group on which a continuous one is tested, hence read later.
        in_words = isinstance(layout, str) and layout not in NAMES and not layout.startswith("quotient(")
        return parse(layout, group) if in_words else layout

    return keras.tree.map_structure(one, given)


def finite(group):
    """The group itself, or the finite one on which a continuous group is tested."""
    return groups.get(group).finite


def element_of(group, matrix):
    """The element with this matrix; None if the group has none."""
    try:
        return group.index(matrix)
    except ValueError:
        return None


def candidates(shape, group, subgroups=(), types=()):
    """Every layout that features of this shape may have, the likeliest first; empty where none fits."""
    try:
        found = [layouts.infer(shape, group)]
    except ValueError:
        found = []
    rank = len(shape)
    if rank in (2, group.dimension + 2) and shape[-1] % group.order == 0 and group.order > 1:
        found.append(Regular(group).folded)
    if rank == group.dimension + 3:
        found += [quotient for quotient in _quotients(group, subgroups) if quotient.size == shape[-2]]
    if rank == 3 and layouts.Invariant() not in found:
        found.append(layouts.Invariant())
    if rank in (2, group.dimension + 2):
        found += [Typed(field_type) for field_type in types if field_type.size == shape[-1]]
    return [layout for layout in found if layout.knows(group)]


def resolve(layout, shapes, group, argument, subgroups=()):
    """A Layout per array from what the user gave: "auto", one for all, or a structure of them."""
    one = isinstance(layout, (str, groups.FieldType, Layout)) or callable(layout)
    given = [layout] * len(shapes) if one else keras.tree.flatten(layout)
    if len(given) != len(shapes):
        raise ValueError(
            f"`{argument}` must name one layout, or one per array. Received: {layout!r} for {len(shapes)} arrays"
        )

    def one_of(name, shape):
        if isinstance(name, Frames) and name.layout is None:
            return Frames(_inferred((shape[0], *shape[2:]), group, argument, subgroups))
        if isinstance(name, str) and name == AUTO:
            return _inferred(shape, group, argument, subgroups)
        found = parse(name, group)
        return Frames(found) if isinstance(found, Typed) and len(shape) == 3 and group.dimension > 1 else found

    found = [one_of(name, shape) for name, shape in zip(given, shapes, strict=True)]
    for one in found:
        if not one.knows(group):
            own = "a group" if one.group is None else f"{one.group.name} or a group"
            raise ValueError(
                f"`{argument}`: every element of the group must act on the features. Received: {one.described} "
                f"features and the group {group.name}; test on {own} whose elements do, or name the layout yourself"
            )
    return found


def _inferred(shape, group, argument, subgroups):
    try:
        return layouts.infer(shape, group)
    except ValueError as error:
        cosets = [found for found in candidates(shape, group, subgroups) if isinstance(found, Quotient)]
        if len(cosets) == 1:
            return cosets[0]
        raise ValueError(f"`{argument}`: {error}") from None


def _quotients(group, subgroups):
    for name in subgroups:
        try:
            group.subgroup(name)
        except ValueError:
            continue
        yield Quotient(group, name)


def windowed(x, layout):
    """`x` times a smooth window, 1 in the middle and 0 outside the disc in the grid; unchanged without a grid."""
    if isinstance(layout, OnOtherAxes):
        return layout.on_maps(x, windowed)
    space = layout.axes(x.shape).space
    if not space:
        return x
    shape = [x.shape[axis] for axis in space]
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    radius = np.sqrt(sum(a**2 for a in axes)) / (min(shape) / 2)
    window = 0.5 * (1 + np.cos(np.pi * np.clip((radius - 0.6) / 0.35, 0, 1)))
    return (x * window.reshape([x.shape[axis] if axis in space else 1 for axis in range(x.ndim)])).astype(x.dtype)
