"""Layouts of points that a Lie group moves, and of the vectors that it rotates."""

import dataclasses

import numpy as np

from keras_equivariant.groups.group import homogeneous
from keras_equivariant.groups.layout import Axes, Layout, matrix_of
from keras_equivariant.groups.lie import move_points
from keras_equivariant.groups.registry import get


@dataclasses.dataclass(frozen=True)
class Positions(Layout):
    """Positions of points, (B, N, d), or (B, N, d + d d) with the vectors of a periodic cell that rotates with them; or
    of one point of each sample, (B, d)."""

    def axes(self, shape):
        return Axes((), tuple(range(1, len(shape) - 1)), len(shape) - 1)

    def check(self, shape, group):
        d = group.dimension
        if len(shape) < 2 or shape[-1] not in (d, d + d * d):
            raise ValueError(
                f'Features of layout "positions" on {group.name} must have {d} channels, or {d + d * d} with the '
                f"vectors of a cell. Received: shape {tuple(shape)}"
            )

    def act(self, x, group, element, interpolation="cubic"):
        # In float64: rounding the moved positions would be an error of the test.
        x, group = np.asarray(x).astype("float64"), get(group)
        self.check(x.shape, group)
        matrix, d = matrix_of(group, element), group.dimension
        matrix = homogeneous(matrix) if matrix.shape[-1] == d else matrix
        vectors = x[..., d:].reshape(*x.shape[:-1], -1, d) @ matrix[:d, :d].T
        return np.concatenate([move_points(x[..., :d], matrix), vectors.reshape(*x.shape[:-1], -1)], axis=-1)

    def __str__(self):
        return "positions"


@dataclasses.dataclass(frozen=True)
class Points(Layout):
    """Points as three tensors: (B, N, E) elements of a Lie group, or positions, (B, N, C) values and (B, N) a mask.

    Args:
        group: the LieGroup of the elements; None before they are lifted, while they are positions.
        dimension: of the positions.
        shared: whether all samples have the same points, and elements and mask a batch axis of 1.
        type: FieldType of the values; None where they are invariants, of any number.
        periodic: whether positions come with the lattice vectors of a cell.
    """

    group: object = None
    dimension: int | None = None
    shared: bool = dataclasses.field(default=False, compare=False)
    type: object = None
    periodic: bool = dataclasses.field(default=False, compare=False)
    any_element = False

    def axes(self, shape):
        return Axes((), (1,), len(shape) - 1)

    def knows(self, group):
        return False

    def act(self, x, group, element, interpolation="cubic"):
        raise ValueError(
            "A lift gives each point's elements in an order of its own, so that they have no action on an array. "
            f"Received: {self.described}; compare what LiePooling makes of them"
        )

    def __str__(self):
        return "positions" if self.group is None else "points"

    @property
    def described(self):
        if self.group is not None:
            return f"points on {self.group.name}"
        moved = self.rotating
        return str(self) if moved is None else f'points with values of type "{moved}" on {moved.group.name}'

    @property
    def rotating(self):
        """The FieldType of the values where an element moves them; None for invariants."""
        return None if self.type is None or self.type.scalar else self.type


@dataclasses.dataclass(frozen=True)
class Vectors(Layout):
    """Vectors (B, d C), or (B, N, d C) at points, components first, of a group that moves points."""

    group: object = dataclasses.field(default=None, compare=False)
    permutes = False
    mixes = False
    in_channels = True

    def axes(self, shape):
        return Axes((), tuple(range(1, len(shape) - 1)), len(shape) - 1)

    def check(self, shape, group):
        if len(shape) < 2 or shape[-1] % group.dimension:
            raise ValueError(
                f'Features of layout "vectors" on {group.name} must have a multiple of {group.dimension} channels. '
                f"Received: shape {tuple(shape)}"
            )
        if len(shape) == group.dimension + 2:
            raise ValueError(
                f'Features of layout "vectors" on {group.name} must be those of points: of a map its pixels would stay '
                f"where they are. Received: shape {tuple(shape)}; use a field type"
            )

    def act(self, x, group, element, interpolation="cubic"):
        x, group = np.asarray(x), get(group)
        self.check(x.shape, group)
        linear = matrix_of(group, element)[: group.dimension, : group.dimension]
        vectors = x.reshape(*x.shape[:-1], group.dimension, -1)
        return np.einsum("ij,...jc->...ic", linear, vectors).reshape(x.shape).astype(x.dtype)

    def __str__(self):
        return "vectors"
