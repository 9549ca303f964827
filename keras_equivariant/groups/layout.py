"""What every layout knows: its axes, how an element acts, its text, how it lies on folded channels."""

import collections
import dataclasses
import numbers

import numpy as np

from keras_equivariant.groups import grid
from keras_equivariant.groups.registry import get

Axes = collections.namedtuple("Axes", ("space", "fiber", "channels"))


class BreaksSymmetry(ValueError):
    """What a layer does to features does not commute with their group.

    Args:
        reason: the rule that is broken, with `Received: …` where something was given.
        remedy: what to do instead, "use …"; may be left out.
        layout: the Layout to go on with where the user does so all the same; by default `Broken`.
    """

    def __init__(self, reason, remedy="", layout=None):
        super().__init__(f"{reason}; {remedy}" if remedy else reason)
        self.reason, self.remedy, self.layout = reason, remedy, layout or Broken(str(self))


class WrongFeatures(BreaksSymmetry):
    """Features that a layer cannot take at all."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How features transform; the base of all layouts, equal where they transform alike.

    Attributes:
        group: whose elements act, where the layout says; else None.
    """

    group = None
    fiber = 0  # axes between space and the channels
    permutes = True  # the group permutes the numbers of a pixel, so that functions of each number commute with it
    mixes = True  # any map of the last axis commutes with the group
    moves = True  # whether any element does anything
    scalars = False  # whether no element does anything to the channels of a pixel
    in_channels = False  # whether an element multiplies the channels of a pixel by a matrix
    any_element = True  # an orthogonal matrix acts, whether it is an element of a finite group or not

    def axes(self, shape):
        """Which axes of features of this shape are space, fiber and channels.

        Args:
            shape: with the batch axis.

        Returns:
            `Axes(space, fiber, channels)`: two tuples and a number.
        """
        last = len(shape) - 1
        first = max(last - self.fiber, 1)
        return Axes(tuple(range(1, first)), tuple(range(first, last)), last)

    def rank(self, shape):
        """Number of axes of space."""
        return len(self.axes(shape).space)

    def on_pixels(self, shape):
        """Whether elements move the pixels of features of this shape."""
        return self.moves and bool(self.axes(shape).space)

    def is_still(self, shape):
        """Whether no element moves features of this shape: nothing but one pixel of scalars."""
        return False

    def act(self, x, group, element, interpolation="cubic"):
        """The transformed features [L_g x](p) = rho(g) x(g^-1 p).

        Args:
            x: NumPy array.
            group: group name or object.
            element: the element g, its index in the group or its matrix.
            interpolation: as in `groups.act`.

        Returns:
            An array of the same layout.
        """
        x, group = np.asarray(x), get(group)
        matrix = matrix_of(group, element)
        self.check(x.shape, group)
        moved = self.rotate(x, matrix)
        return grid.move_pixels(moved, matrix, interpolation) if self.axes(x.shape).space else moved

    def rotate(self, x, matrix):
        """The fiber above each pixel rotated, the pixels where they are."""
        return x

    def check(self, shape, group):
        """ValueError unless features of this layout can have this shape."""

    @property
    def folded(self):
        """The layout of the same features where the fiber lies in the channels."""
        return self

    def knows(self, group):
        """Whether every element of a group, given as a finite one or a sample, has an action on such features."""
        return True

    def restrict(self, subgroup):
        """The layout of the same features, seen by the elements of a subgroup."""
        return self

    @property
    def exactness(self):
        """How far the symmetry of the group is exact on a grid, in words."""
        if not self.group.is_finite:
            return "exact for quarter angles"
        exact, order = len(self.group.grid_elements), self.group.order
        return "exact" if exact == order else f"exact for {exact} of {order}"

    @property
    def described(self):
        """The text in messages: the spelling, and the group where there is one."""
        return str(self)


def matrix_of(group, element):
    """The matrix of an element, given by its number, or by the matrix itself."""
    if np.ndim(element) == 2:
        return np.asarray(element)
    count = len(group.matrices)
    whole = isinstance(element, numbers.Integral) and not isinstance(element, bool)
    if not whole or not 0 <= element < count:
        raise ValueError(
            f"`element` must be a whole number from 0 to {count - 1} in {group.name}, or a matrix. "
            f"Received: {element!r}"
        )
    return group.matrices[element]


def holds_all(group, elements):
    """Whether a group holds the rotations and mirrors of all elements of another, a finite one or a sample."""
    d = group.dimension
    return elements.dimension == d and all(group.contains(matrix[:d, :d]) for matrix in elements.matrices)


def received(layout, shape):
    """What a layer was given, for error messages."""
    return f"Received: {layout.described} features of shape {tuple(shape)}"


def with_channels(shape):
    """What to do with pixels (B, *space) that have no axis of channels."""
    space = ", ".join(map(str, shape[1:]))
    return (
        f"give pixels an axis of channels, x[..., None]; a model of inputs without one is certified behind it, "
        f"keras.Sequential([keras.Input(({space}, 1)), keras.layers.Reshape(({space})), model])"
    )


@dataclasses.dataclass(frozen=True)
class Image(Layout):
    """Pixels of scalars, (B, *space, C).

    Args:
        group: the symmetry that is claimed of them, None where none is.
    """

    group: object = dataclasses.field(default=None, compare=False)
    scalars = True
    in_channels = True

    def is_still(self, shape):
        return set(shape[1:-1]) <= {1}

    def check(self, shape, group):
        if len(shape) != group.dimension + 2:
            remedy = f"; {with_channels(shape)}" if len(shape) == group.dimension + 1 else ""
            raise ValueError(
                f'Features of layout "image" on {group.name} must have rank {group.dimension + 2}. '
                f"Received: shape {tuple(shape)}{remedy}"
            )

    def __str__(self):
        return "image"


@dataclasses.dataclass(frozen=True)
class Invariant(Layout):
    """What no element moves, of any shape."""

    group: object = dataclasses.field(default=None, compare=False)
    moves = False
    scalars = True
    in_channels = True

    def axes(self, shape):
        return Axes((), tuple(range(1, len(shape) - 1)), len(shape) - 1)

    def is_still(self, shape):
        return True

    def act(self, x, group, element, interpolation="cubic"):
        return np.asarray(x)

    def __str__(self):
        return "invariant"


@dataclasses.dataclass(frozen=True)
class Broken(Layout):
    """Features of which nothing can be said.

    Args:
        reason: what broke them.
    """

    reason: str = dataclasses.field(default="", compare=False)

    def axes(self, shape):
        return Axes((), tuple(range(1, len(shape) - 1)), len(shape) - 1)

    def act(self, x, group, element, interpolation="cubic"):
        raise ValueError(f"Nothing is known of how these features transform. Received: {self.reason or 'no layout'}")

    def knows(self, group):
        return False

    def __str__(self):
        return "broken"


@dataclasses.dataclass(frozen=True)
class Custom(Layout):
    """A law of the user's own.

    Args:
        function: from an array, the group and the number of the element to the transformed array.
    """

    function: object
    any_element = False

    def axes(self, shape):
        return Axes((), (), len(shape) - 1)

    def on_pixels(self, shape):
        return True  # as far as is known

    def act(self, x, group, element, interpolation="cubic"):
        return np.asarray(self.function(x, group, element))

    def __str__(self):
        return getattr(self.function, "__name__", str(self.function))


@dataclasses.dataclass(frozen=True)
class Folded(Layout):
    """Features whose fiber lies in the channels, slowest: (B, *space, fiber C) or (B, fiber C).

    Args:
        layout: the layout with the fiber as axes.
        sizes: of these axes.
    """

    layout: Layout
    sizes: tuple
    mixes = False
    in_channels = True

    @property
    def group(self):
        return self.layout.group

    @property
    def permutes(self):
        return self.layout.permutes

    @property
    def any_element(self):
        return self.layout.any_element

    def check(self, shape, group):
        size = int(np.prod(self.sizes))
        if len(shape) not in (2, group.dimension + 2) or shape[-1] % size:
            raise ValueError(
                f'Features of layout "folded" on {group.name} must be (B, *space, {size} C) or (B, {size} C). '
                f"Received: shape {tuple(shape)}"
            )

    def rotate(self, x, matrix):
        rotated = self.layout.rotate(x.reshape(*x.shape[:-1], *self.sizes, -1), matrix)
        return rotated.reshape(*rotated.shape[: x.ndim - 1], -1)

    def knows(self, group):
        return self.layout.knows(group)

    def restrict(self, subgroup):
        return self.layout.restrict(subgroup).folded

    def __str__(self):
        return "folded"


@dataclasses.dataclass(frozen=True)
class Harmonic(Layout):
    """Complex features of the rotation orders 0..M, (B, H, W, M+1, 2, C).

    Args:
        orders: M + 1, where it is known.
    """

    orders: int | None = dataclasses.field(default=None, compare=False)
    fiber = 2
    exactness = "exact for quarter angles"
    permutes = False
    mixes = False

    @property
    def group(self):
        """The rotations of the plane that are exact on the grid."""
        return get("C4")

    def check(self, shape, group):
        check_only_rotations(group)
        if len(shape) != 6 or shape[4] != 2:
            raise ValueError(
                'Features of layout "harmonic" must have the shape (B, H, W, M+1, 2, C). '
                f"Received: shape {tuple(shape)}"
            )

    def rotate(self, x, matrix):
        (cos, _), (sin, _) = matrix
        angles = np.arange(x.shape[3]) * np.arctan2(sin, cos)
        cos, sin = np.cos(angles)[:, None].astype(x.dtype), np.sin(angles)[:, None].astype(x.dtype)
        real, imaginary = x[..., 0, :], x[..., 1, :]
        return np.stack([cos * real - sin * imaginary, sin * real + cos * imaginary], axis=-2)

    @property
    def folded(self):
        return Folded(self, (self.orders, 2))

    def knows(self, group):
        return group.dimension == 2 and not group.mirrors

    def restrict(self, subgroup):
        check_only_rotations(get(subgroup))
        return self

    def __str__(self):
        return "harmonic"


def check_only_rotations(group):
    """ValueError unless all elements are rotations of the plane, the only ones that act on harmonic features."""
    if group.dimension != 2 or group.mirrors:
        raise ValueError(
            "Harmonic features rotate with the plane and have no action of mirrors: filters with phases do not commute "
            f'with them. Received: the group "{group.name}"; use its rotations, such as "C4"'
        )


@dataclasses.dataclass(frozen=True)
class Frames(Layout):
    """A sequence (B, T, ...) of features that an element moves one by one.

    Args:
        layout: the layout of a frame, (B, ...); None for the one that its shape tells.
    """

    layout: Layout | None = None

    @property
    def group(self):
        return None if self.layout is None else self.layout.group

    @property
    def any_element(self):
        return self.layout is None or self.layout.any_element

    def axes(self, shape):
        space, fiber, last = self.layout.axes((shape[0], *shape[2:]))
        return Axes(tuple(axis + 1 for axis in space), tuple(axis + 1 for axis in fiber), last + 1)

    def act(self, x, group, element, interpolation="cubic"):
        x = np.asarray(x)
        moved = self.layout.act(x.reshape(-1, *x.shape[2:]), group, element, interpolation)
        return moved.reshape(*x.shape[:2], *moved.shape[1:])

    def knows(self, group):
        return self.layout is None or self.layout.knows(group)

    def restrict(self, subgroup):
        return Frames(self.layout and self.layout.restrict(subgroup))

    def __str__(self):
        return "frames" if self.layout is None else f"frames of {self.layout}"
