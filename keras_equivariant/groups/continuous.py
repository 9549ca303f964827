"""The continuous groups: of the plane SO(2) and O(2), of space SO(3) and O(3); O(n) holds the reflections as well."""

import functools

import numpy as np

from keras_equivariant.groups import spherical
from keras_equivariant.groups.group import Quadrature
from keras_equivariant.groups.lie import LieGroup
from keras_equivariant.groups.planar import cyclic, dihedral
from keras_equivariant.groups.point_groups import point_group
from keras_equivariant.groups.registry import family


class ContinuousGroup(LieGroup):
    """SO(2), O(2), SO(3) or O(3).

    There is no list of elements; an element is its orthogonal matrix. Where a finite list is needed others stand in:
    `on_grid` to see how a grid moves, `finite` to measure an error, `sample` to take a mean. SO(2) and SO(3) move
    points as well: they are Lie groups with an exponential and a logarithm, see LieGroup.

    Args:
        name: `"SO2"`, `"O2"`, `"SO3"` or `"O3"`.
        mirrors: whether it holds reflections.
        dimension: of the points that it moves, 2 or 3.

    Attributes:
        order: infinite.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.get("O(2)").discrete(4).name, groups.get("SO3").on_grid.name
        ('D4', 'O')
    """

    orthogonal = True

    def __init__(self, name, mirrors, dimension):
        super().__init__(name, dimension, rotates=True)
        object.__setattr__(self, "mirrors", mirrors)

    @property
    def is_lie(self):
        """Whether layers on points take it: exp reaches every element of SO(n), but no reflection."""
        return not self.mirrors

    def discrete(self, n):
        """Its subgroup of n equally spaced rotations of the plane, with their mirror images if it holds reflections:
        C_n or D_n."""
        if self.dimension != 2:
            raise ValueError(
                f"Rotations of space cannot be spaced equally. Received: discrete({n}) of {self.name}; use its "
                f"subgroup {self.on_grid.name}, or one such as I or C8z"
            )
        return dihedral(n) if self.mirrors else cyclic(n)

    @property
    def on_grid(self):
        """The finite subgroup of all elements that map the pixel grid onto itself: C4, D4, O or Oh."""
        return self.discrete(4) if self.dimension == 2 else point_group("Oh" if self.mirrors else "O")

    @property
    def finite(self):
        """The finite subgroup on which errors are measured, by interpolation where need be: C8, D8, O or Oh."""
        return self.discrete(8) if self.dimension == 2 else self.on_grid

    @property
    def matrices(self):
        """The elements that map the pixel grid onto itself."""
        return self.on_grid.matrices

    def sample(self, frequency):
        """A Quadrature whose means of products of representations are exact up to this sum of their frequencies."""
        return _sample(self, int(frequency))

    def _has(self, matrix):
        d = self.dimension
        if matrix.shape == (d + 1, d + 1) and np.allclose(matrix[d], np.eye(d + 1)[d]) and not matrix[:d, d].any():
            matrix = matrix[:d, :d]
        if matrix.shape != (d, d) or not np.allclose(matrix @ matrix.T, np.eye(d), atol=1e-6):
            return False
        return self.mirrors or bool(np.linalg.det(matrix) > 0)

    def _holds(self, other):
        return other.orthogonal and (self.mirrors or not other.mirrors)

    def __repr__(self):
        return f"<ContinuousGroup {self.name}>"

    def __eq__(self, other):
        return isinstance(other, ContinuousGroup) and self.name == other.name

    def __hash__(self):
        return hash(self.name)


@functools.lru_cache(maxsize=256)
def _sample(group, frequency):
    if group.dimension == 2:
        finite = group.discrete(frequency + 1)
        return Quadrature(group.name, finite.matrices, finite.haar_weights)
    matrices, weights = spherical.gauss_rotations(frequency)
    if group.mirrors:
        matrices, weights = np.concatenate([matrices, -matrices]), np.concatenate([weights, weights]) / 2
    return Quadrature(group.name, matrices, weights)


SO2 = ContinuousGroup("SO2", mirrors=False, dimension=2)
O2 = ContinuousGroup("O2", mirrors=True, dimension=2)
SO3 = ContinuousGroup("SO3", mirrors=False, dimension=3)
O3 = ContinuousGroup("O3", mirrors=True, dimension=3)


@family("SO2", "O2", "SO3", "O3")
def continuous(name):
    """The continuous group of this name, parentheses allowed as in `"SO(2)"`; None if there is none."""
    plain = name.lower().replace("(", "").replace(")", "")
    return {"so2": SO2, "o2": O2, "so3": SO3, "o3": O3}.get(plain)
