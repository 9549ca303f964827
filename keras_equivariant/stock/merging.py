"""Several tensors made one: sums, products, and features side by side."""

import functools

from keras_equivariant.groups import FieldType
from keras_equivariant.groups.layouts import (
    BreaksSymmetry,
    Harmonic,
    Image,
    Invariant,
    Quotient,
    Regular,
    Reshaped,
    Typed,
)


def merge(layouts, shapes, linear, name):
    """The layout of a function of the same number in several tensors.

    Beside maps and regular features may stand such as are the same at all positions, or for all group elements; beside
    features that rotate factors for each of their positions, or for all.

    Args:
        layouts, shapes: theirs.
        linear: whether the function is linear.
        name: of the layer, for the message.

    Raises:
        BreaksSymmetry: layouts that differ, or a function of numbers that the group mixes.
    """
    leader = _leader(layouts, shapes)
    layout = layouts[leader]
    free = layout.permutes and not isinstance(layout, Typed)
    alike = [other == layout for other in layouts]
    for other, shape, same in zip(layouts, shapes, alike, strict=True):
        if not same and not (_spread(other, shape, layout, shapes[leader]) and (free or name == "Multiply")):
            raise differ(layouts)
    factors = name == "Multiply" and sum(alike) == 1  # of all components of a field or a complex number alike
    if not linear and not layout.permutes and not factors:
        if isinstance(layout, Typed):
            raise BreaksSymmetry(
                f"mixes the components of features of type {layout.described}",
                "use NormPooling before it, for features that do not rotate",
            )
        raise BreaksSymmetry(
            f"harmonic features rotate as complex numbers, and {name} acts on real and imaginary parts by themselves",
            "use HarmonicActivation",
        )
    return layout


def _leader(layouts, shapes):
    """The number of the features that others may be spread over: those with fibers, else a map, else the first."""
    for kind in (Regular | Quotient | Harmonic | Typed, Image):
        for i, (layout, shape) in enumerate(zip(layouts, shapes, strict=True)):
            if isinstance(layout, kind) and not layout.is_still(shape):
                return i
    return 0


def _spread(layout, shape, leader, whole):
    """Whether features have one pixel, or one number of a fiber, for all that others have, and move like them."""
    one = layout.layout if isinstance(layout, Reshaped) else layout
    fits = isinstance(leader, Regular | Quotient | Harmonic | Typed | Image) and len(shape) <= len(whole)
    if not fits or not one.scalars or (isinstance(leader, Typed) and shape[-1] != 1):
        return False
    inner, space = tuple(shape[1:-1]), tuple(whole[1:-1])
    if set(inner) <= {1}:
        return True
    space = space[: len(space) - leader.fiber]
    map_of = tuple(layout.shape[:-1]) if isinstance(layout, Reshaped) else inner if isinstance(layout, Image) else None
    return map_of == space and inner == (*space, *(1,) * leader.fiber)


def join(layouts, shapes, axis):
    """The layout of features side by side along an axis, which must be that of the channels."""
    last = len(shapes[0]) - 1
    typed = [layout for layout in layouts if isinstance(layout, Typed)]
    same = all(other == layouts[0] for other in layouts)
    if axis in (0, -1 - last):
        raise BreaksSymmetry(f"must join channels, not examples of a batch. Received: axis={axis}", "use axis=-1")
    if axis not in (-1, last) and not (same and isinstance(layouts[0], Invariant)):
        raise BreaksSymmetry(f"must join channels. Received: axis={axis}", "use axis=-1")
    if typed:
        types = [_type(layout, shape, typed[0].group) for layout, shape in zip(layouts, shapes, strict=True)]
        if None in types or len({found.group for found in types}) > 1:
            raise differ(layouts)
        return Typed(functools.reduce(lambda a, b: a + b, types))
    if not same:
        raise differ(layouts)
    return layouts[0]


def _type(layout, shape, group):
    """The type of features that stand beside typed ones: scalars have one, too."""
    if isinstance(layout, Typed):
        return layout.type
    return FieldType.scalars(shape[-1], group) if layout.scalars and shape[-1] else None


def differ(layouts):
    """The error that says that features transform differently."""
    names = list(dict.fromkeys(layout.described for layout in layouts))
    return BreaksSymmetry(f"merges features that transform differently: {' and '.join(names)}")
