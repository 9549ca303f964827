"""Several tensors made one: sums, products, and features side by side."""

import functools

from keras_equivariant.groups import FieldType
from keras_equivariant.groups.layouts import BreaksSymmetry, Image, Invariant, Typed


def merge(layouts, linear, name):
    """The layout of a function of the same number in several tensors.

    Args:
        layouts: theirs.
        linear: whether the function is linear.
        name: of the layer, for the message.

    Raises:
        BreaksSymmetry: layouts that differ, or a function of numbers that the group mixes.
    """
    layout = layouts[0]
    if any(other != layout for other in layouts):
        raise differ(layouts)
    if not linear and not layout.permutes:
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
    return FieldType.scalars(shape[-1], group) if isinstance(layout, Image | Invariant) and shape[-1] else None


def differ(layouts):
    """The error that says that features transform differently."""
    names = list(dict.fromkeys(layout.described for layout in layouts))
    return BreaksSymmetry(f"merges features that transform differently: {' and '.join(names)}")
