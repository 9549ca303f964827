"""Layouts: how a group element acts on features. It moves the pixels and rotates the fiber above each of them.

| class       | spelling          | shape                        | an element                                        |
|-------------|-------------------|------------------------------|---------------------------------------------------|
| `Image`     | `image`           | (B, *space, C)               | moves pixels                                      |
| `Regular`   | `regular`         | (B, *space, \\|G\\|, C)      | moves pixels, permutes the group axis             |
| `Quotient`  | `quotient(H)`     | (B, *space, \\|G/H\\|, C)    | moves pixels, permutes the cosets of H            |
| `Harmonic`  | `harmonic`        | (B, H, W, M+1, 2, C)         | moves pixels, rotates order m by e^{i m t}        |
| `Typed`     | a field type      | (B, *space, D), (B, D)       | moves pixels, multiplies the channels by rho(g)   |
| `Folded`    | `folded`          | (B, *space, fiber C)         | as the layout with the fiber on axes of its own   |
| `Frames`    | -                 | (B, T, ...)                  | as the layout of each of the T frames             |
| `Reshaped`  | -                 | (B, H W, C), ...             | as the layout before a Reshape                    |
| `Joined`    | -                 | (B, N + N', C)               | as each of several along axis 1                   |
| `Positions` | `positions`       | (B, N, d), or (B, d)         | moves the positions                               |
| `Points`    | `points`          | elements, values, mask       | multiplies the elements from the left             |
| `Vectors`   | `vectors`         | (B, d C), components first   | rotates the vectors                               |
| `Invariant` | `invariant`       | (B, ...)                     | does nothing                                      |
| `Broken`    | `broken`          | any                          | nothing that can be said                          |
| `Custom`    | a function        | any                          | `function(x, group, element)`                     |

`regular_vector` is another spelling of `regular`, on features without space: (B, |G|, C).
"""

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Any, Literal

import numpy as np

from keras_equivariant.groups import channels
from keras_equivariant.groups.field_type import FieldType
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.layout import (
    Axes,
    BreaksSymmetry,
    Broken,
    Custom,
    Folded,
    Frames,
    Harmonic,
    Image,
    Invariant,
    Layout,
    WrongFeatures,
    check_only_rotations,
    holds_all,
    matrix_of,
    received,
    with_channels,
)
from keras_equivariant.groups.point_layouts import Points, Positions, Vectors
from keras_equivariant.groups.registry import get
from keras_equivariant.groups.representations import quotient
from keras_equivariant.groups.reshaped import Joined, OnOtherAxes, Reshaped
from keras_equivariant.groups.restriction import orbits, restriction

__all__ = [
    "Axes",
    "BreaksSymmetry",
    "Broken",
    "Custom",
    "Folded",
    "Frames",
    "Harmonic",
    "Image",
    "Invariant",
    "Joined",
    "Layout",
    "OnOtherAxes",
    "Points",
    "Positions",
    "Quotient",
    "Regular",
    "Reshaped",
    "Typed",
    "Vectors",
    "WrongFeatures",
    "act",
    "infer",
    "infer_layout",
    "of_values",
    "parse",
    "received",
]


class _Permuted(Layout):
    """Features with one axis that the group permutes."""

    fiber = 1
    any_element = False

    def check(self, shape, group):
        wanted = {3, group.dimension + 3}
        if len(shape) not in wanted or shape[-2] != self.size:
            raise ValueError(
                f'Features of layout "{self}" on {group.name} must have rank {max(wanted)}, {self.size} entries on '
                f"axis -2. Received: shape {tuple(shape)}"
            )

    @property
    def folded(self):
        return Folded(self, (self.size,))

    def knows(self, group):
        return holds_all(self.group, group)


@dataclasses.dataclass(frozen=True)
class Regular(_Permuted):
    """Functions on space and the group, (B, *space, |G|, C).

    Args:
        group: a finite group.
        scales: number of scales that the functions live on, too: the axis is (scales, |G|).
    """

    group: object
    scales: int = 1

    @property
    def size(self):
        """Length of the group axis."""
        return self.scales * self.group.order

    def rotate(self, x, matrix):
        group = self.group
        source = group.cayley[group.inverse(group.index(matrix))]
        return np.take(x, (np.arange(self.scales)[:, None] * group.order + source).ravel(), axis=-2)

    def restrict(self, subgroup):
        return Regular(get(subgroup), self.scales)

    def __str__(self):
        return "regular"

    @property
    def described(self):
        return f"regular {self.group.name}"


@dataclasses.dataclass(frozen=True)
class Quotient(_Permuted):
    """Functions on space and the cosets of a subgroup, (B, *space, |G/H|, C).

    Args:
        group: a finite group.
        subgroup: the subgroup's name, or its elements.
    """

    group: object
    subgroup: object = None

    @functools.cached_property
    def _cosets(self):
        return self.group.left_cosets(self.subgroup)

    @property
    def size(self):
        """Number of cosets."""
        return len(self._cosets)

    def rotate(self, x, matrix):
        of_element = np.empty(self.group.order, dtype=int)
        for i, coset in enumerate(self._cosets):
            of_element[coset] = i
        inverse = self.group.inverse(self.group.index(matrix))
        return np.take(x, of_element[self.group.cayley[inverse, self._cosets[:, 0]]], axis=-2)

    def restrict(self, subgroup):
        found = orbits(quotient(self.group, self.subgroup).restricted(subgroup))
        if len(found) > 1 or len(found[0][1]) > 1:
            raise ValueError(
                f"The cosets must stay one orbit on the subgroup. Received: {self} of {self.group.name} on "
                f"{get(subgroup).name}; use features of a field type"
            )
        name = found[0][0]
        inner = re.fullmatch(r"quotient\((.+)\)", name)
        return Quotient(get(subgroup), inner[1]) if inner else Regular(get(subgroup))

    def __str__(self):
        return f"quotient({getattr(self.subgroup, 'name', self.subgroup)})"


@dataclasses.dataclass(frozen=True)
class Typed(Layout):
    """Features of a field type, (B, *space, D) or (B, D)."""

    type: FieldType

    mixes = False
    in_channels = True

    @classmethod
    def of(cls, field_type, rank):
        """The layout of features of this type: scalars are an image, or without space invariant.

        Args:
            field_type: the FieldType.
            rank: number of axes of the features, the batch among them.
        """
        if not field_type.scalar:
            return cls(field_type)
        return (Image if rank > 2 else Invariant)(field_type.group)

    @property
    def group(self):
        return self.type.group

    @property
    def permutes(self):
        return self.type.permutation

    @property
    def any_element(self):
        return not self.group.is_finite

    def knows(self, group):
        return self.type.scalar or holds_all(self.group, group)

    def check(self, shape, group):
        if shape[-1] != self.type.size:
            raise ValueError(
                f"Features of type {self.described} must have {self.type.size} channels. Received: shape {tuple(shape)}"
            )

    def rotate(self, x, matrix):
        if self.type.scalar:
            return x
        d = self.group.dimension  # of a motion its rotation
        return self.type.transform(x, np.asarray(matrix)[:d, :d])

    def restrict(self, subgroup):
        return Typed(restriction(self.type, subgroup).out_type)

    def taken(self, numbers):
        """The layout of some of the channels.

        Raises:
            BreaksSymmetry: they are not whole blocks.
        """
        found = channels.cut(self.type, numbers)
        if found is None:
            ends = ", ".join(str(block.stop) for block in self.type.blocks[:-1]) or "none"
            raise BreaksSymmetry(
                f'cuts through fields of "{self.type}" on {self.group.name}, whose blocks end at channel {ends}',
                "cut at a block's border",
            )
        return Typed(found)

    def __str__(self):
        return str(self.type)

    @property
    def described(self):
        return f'"{self.type}" on {self.group.name}'


def of_values(layout):
    """The layout of the values of points at one of them; of other features their own."""
    if not isinstance(layout, Points):
        return layout
    return Invariant() if layout.type is None else Typed.of(layout.type, 2)


SPELLINGS = '"image", "regular", "quotient(H)", "harmonic", "invariant", "regular_vector", "positions" or "vectors"'


def parse(layout, group):
    """The Layout that a spelling stands for.

    Args:
        layout: one of the spellings above, a field type, a function or a Layout.
        group: group name or object, of regular, quotient and folded features and of field types in words.

    Raises:
        ValueError: an unknown spelling.
    """
    if isinstance(layout, Layout):
        return layout
    if isinstance(layout, FieldType):
        return Typed(layout)
    if callable(layout):
        return Custom(layout)
    group, text = get(group), str(layout)
    if text in ("regular", "regular_vector"):
        return Regular(group)
    if text == "folded":
        return Regular(group).folded
    simple = {"image": Image, "harmonic": Harmonic, "invariant": Invariant, "positions": Positions, "vectors": Vectors}
    if text in simple:
        return simple[text]()
    cosets = re.fullmatch(r"quotient\((.+)\)", text)
    if cosets:
        return Quotient(group, cosets[1])
    try:
        return Typed(FieldType.parse(text, group))
    except ValueError:
        raise ValueError(
            f"`layout` must be {SPELLINGS}, or a field type on {group.name}. Received: {layout!r}"
        ) from None


def act(
    x: np.ndarray,
    group: str | Group,
    element: int | np.ndarray,
    layout: Any,
    interpolation: Literal["cubic", "linear"] = "cubic",
) -> np.ndarray:
    """The transformed features [L_g x](p, h) = x(g^-1 p, g^-1 h).

    Args:
        x: NumPy array in one of the layouts above.
        group: group name or FiniteGroup.
        element: index of the element g, or its matrix.
        layout: a Layout or one of the spellings above; a FieldType may be of a larger group that contains this one.
        interpolation: `"nearest"`, `"linear"` or `"cubic"`, used only for elements that do not map the pixel grid
            onto itself; the others are exact permutations of pixels.

    Returns:
        An array of the same layout. A quarter turn swaps the two sizes of a rectangular grid.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant import groups
        >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
        >>> groups.act(x, "C4", 1, "image")[0, :, :, 0].tolist() == np.rot90(x[0, :, :, 0]).tolist()
        True
    """
    group = get(group)
    matrix_of(group, element)
    return parse(layout, group).act(x, group, element, interpolation)


def infer(shape, group):
    """The Layout that a feature shape (with the batch axis) has, where the shape alone tells; else ValueError."""
    return parse(infer_layout(shape, group), group)


def infer_layout(shape, group):
    """The spelling of the layout that a feature shape (with the batch axis) has, where the shape alone tells.

    Raises:
        ValueError: where it does not; then name the layout yourself.
    """
    group = get(group)
    d, shape = group.dimension, tuple(shape)
    if len(shape) == d + 3 and shape[-2] == group.order:
        return "regular"
    if len(shape) == d + 2:
        return "image"
    if len(shape) == d + 4 and d == 2 and shape[-2] == 2:
        check_only_rotations(group)
        return "harmonic"
    if len(shape) <= 2:
        return "invariant"
    if len(shape) == 3 and shape[1] == group.order:
        return "regular_vector"
    raise ValueError(
        f"The layout must follow from the shape: (B, *space, C), (B, *space, {group.order}, C), "
        f"(B, {group.order}, C) or (B, C) for {group.name}, a group of {_SPACES[d]}. Received: shape {shape}; "
        f"{_of_other_space(d, shape)}name it yourself: {SPELLINGS}"
    )


_SPACES = {2: "the plane", 3: "space"}


def _of_other_space(dimension, shape):
    """What to do with a shape that is one of images or volumes where the group moves the others, or has no channels."""
    if len(shape) == dimension + 1:
        return f"{with_channels(shape)}, and of other features "
    if dimension == 2 and len(shape) == 5:
        return 'volumes need a group of space such as "O" or "C4z", and of other features '
    if dimension == 3 and len(shape) == 4:
        return 'images need a group of the plane such as "D4", and of other features '
    return ""
