"""The continuous groups: of the plane SO(2) and O(2), of space SO(3) and O(3); O(n) holds the reflections as well."""

import dataclasses
import functools
import math

import numpy as np

from keras_equivariant.groups import spherical


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Elements that stand for all of a continuous group wherever a mean is taken.

    Attributes:
        name: that of the group.
        matrices: `(n, d, d)`.
        weights: `(n,)`, of sum 1.
    """

    name: str
    matrices: np.ndarray
    weights: np.ndarray

    @property
    def order(self):
        return len(self.matrices)


class ContinuousGroup:
    """SO(2), O(2), SO(3) or O(3).

    There is no list of elements; an element is its orthogonal matrix. Where a finite list is needed others stand in:
    `on_grid` to see how a grid moves, `finite` to measure an error, `sample` to take a mean.

    Attributes:
        name: `"SO2"`, `"O2"`, `"SO3"` or `"O3"`.
        mirrors: whether it holds reflections.
        dimension: of the points that it moves, 2 or 3.
        order: infinite.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.get("O(2)").discrete(4).name, groups.get("SO3").on_grid.name
        ('D4', 'O')
    """

    order = math.inf

    def __init__(self, name, mirrors, dimension):
        self.name, self.mirrors, self.dimension = name, mirrors, dimension

    def discrete(self, n):
        """Its subgroup of n equally spaced rotations of the plane, with their mirror images if it holds reflections:
        C_n or D_n."""
        from keras_equivariant.groups.registry import cyclic, dihedral

        if self.dimension != 2:
            raise ValueError(
                f"Rotations of space cannot be spaced equally. Received: discrete({n}) of {self.name}; use its "
                f"subgroup {self.on_grid.name}, or one such as I or C8z"
            )
        return dihedral(n) if self.mirrors else cyclic(n)

    @property
    def on_grid(self):
        """The finite subgroup of all elements that map the pixel grid onto itself: C4, D4, O or Oh."""
        return self.discrete(4) if self.dimension == 2 else self._cube

    @property
    def finite(self):
        """The finite subgroup on which errors are measured, by interpolation where need be: C8, D8, O or Oh."""
        return self.discrete(8) if self.dimension == 2 else self._cube

    @property
    def _cube(self):
        from keras_equivariant.groups.point_groups import point_group

        return point_group("Oh" if self.mirrors else "O")

    def sample(self, frequency):
        """A Sample whose means of products of representations are exact up to this sum of their frequencies."""
        return _sample(self, int(frequency))

    def contains(self, matrix):
        """Whether the orthogonal matrix is an element."""
        matrix = np.asarray(matrix)
        return matrix.shape == (self.dimension,) * 2 and (self.mirrors or np.linalg.det(matrix) > 0)

    @property
    def matrices(self):
        """The elements that map the pixel grid onto itself."""
        return self.on_grid.matrices

    def __repr__(self):
        return f"<ContinuousGroup {self.name}>"

    def __eq__(self, other):
        return isinstance(other, ContinuousGroup) and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __deepcopy__(self, memo):
        return self


@functools.lru_cache(maxsize=256)
def _sample(group, frequency):
    if group.dimension == 2:
        finite = group.discrete(frequency + 1)
        return Sample(group.name, finite.matrices, finite.weights)
    matrices, weights = spherical.rotations(frequency)
    if group.mirrors:
        matrices, weights = np.concatenate([matrices, -matrices]), np.concatenate([weights, weights]) / 2
    return Sample(group.name, matrices, weights)


SO2 = ContinuousGroup("SO2", mirrors=False, dimension=2)
O2 = ContinuousGroup("O2", mirrors=True, dimension=2)
SO3 = ContinuousGroup("SO3", mirrors=False, dimension=3)
O3 = ContinuousGroup("O3", mirrors=True, dimension=3)
