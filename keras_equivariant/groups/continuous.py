"""The continuous groups: of the plane SO(2) and O(2), of space SO(3) and O(3), and the five about one axis of space.

O(n) holds the reflections as well. The groups about the axis z, the last one, have Schoenflies names, with `inf` for n.

| group   | elements                                            | like      | irreps                           |
|---------|-----------------------------------------------------|-----------|----------------------------------|
| `Cinfz` | all rotations about z                               | SO(2)     | `0`, `1`, `2`, ...               |
| `Cinfv` | and the mirrors across planes that hold the axis    | O(2)      | `0+`, `0-`, `1`, `2`, ...        |
| `Dinfz` | and the half turns about axes at right angles to it | O(2)      | `0+`, `0-`, `1`, `2`, ...        |
| `Cinfh` | and the mirror z -> -z, hence the inversion         | SO(2) x 2 | `0e`, `0o`, `1e`, `1o`, ...      |
| `Dinfh` | all of these                                        | O(2) x 2  | `0e+`, `0e-`, `0o+`, `0o-`, `1e` |
"""

import functools

import numpy as np

from keras_equivariant.groups import spherical
from keras_equivariant.groups.group import Quadrature
from keras_equivariant.groups.lie import LieGroup
from keras_equivariant.groups.planar import cyclic, dihedral
from keras_equivariant.groups.point_groups import about_z, point_group
from keras_equivariant.groups.registry import family


class ContinuousGroup(LieGroup):
    """SO(2), O(2), SO(3), O(3), or a group about one axis of space, see AxialGroup.

    There is no list of elements; an element is its orthogonal matrix. Where a finite list is needed others stand in:
    `on_grid` to see how a grid moves, `finite` to measure an error, `sample` to take a mean, `components` to tell its
    connected parts apart. SO(2) and SO(3) move points as well: they are Lie groups with an exponential and a logarithm,
    see LieGroup.

    Args:
        name: `"SO2"`, `"O2"`, `"SO3"` or `"O3"`.
        mirrors: whether it holds reflections.
        dimension: of the points that it moves, 2 or 3.

    Attributes:
        order: infinite.
        spherical: whether it holds all rotations of space, so that its irreps are those of spherical harmonics.
        parity: whether its irreps tell what the inversion does, by `e` and `o`.
        signs: whether it reverses the angle about its axis, so that there are scalars `+` and `-`.
        axes_of_rotation: those about which it rotates by any angle, as rows `(n, 3)`; None in the plane.

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

    @property
    def spherical(self):
        return self.dimension == 3

    @property
    def parity(self):
        return self.dimension == 3 and self._has(-np.eye(3))

    @property
    def signs(self):
        return not self.spherical and self.mirrors

    @property
    def axes_of_rotation(self):
        return None if self.dimension == 2 else np.eye(3)

    def discrete(self, n):
        """Its subgroup of n equally spaced rotations about one axis, with the same reflections and half turns: C_n or
        D_n of the plane, C<n>z, C<n>v, ... of a group about an axis."""
        if self.spherical:
            raise ValueError(
                f"Rotations of space cannot be spaced equally. Received: discrete({n}) of {self.name}; use its "
                f"subgroup {self.on_grid.name}, or one such as I or C8z"
            )
        return dihedral(n) if self.mirrors else cyclic(n)

    @property
    def components(self):
        """A finite subgroup with one element in each connected component."""
        return point_group("Ci" if self.mirrors else "C1z") if self.spherical else self.discrete(1)

    def component_of(self, matrices):
        """For each matrix of an element the element of `components` in its component, `(n,)` integers."""
        known, found = self._component(self.components.matrices), self._component(np.asarray(matrices))
        return np.argmax((found[:, None] == known[None]).all(axis=2), axis=1)

    @property
    def on_grid(self):
        """The finite subgroup of all elements that map the pixel grid onto itself: C4, D4, O, Oh, C4z, ..."""
        return point_group("Oh" if self.mirrors else "O") if self.spherical else self.discrete(4)

    @property
    def finite(self):
        """The finite subgroup on which errors are measured, by interpolation where need be: C8, D8, O, Oh, C8z, ..."""
        return self.on_grid if self.spherical else self.discrete(8)

    @property
    def matrices(self):
        """The elements that map the pixel grid onto itself."""
        return self.on_grid.matrices

    def sample(self, frequency):
        """A Quadrature whose means of products of representations are exact up to this sum of their frequencies."""
        return _sample(self, int(frequency))

    def classes(self, frequency):
        return _classes(self, int(frequency)) if self.spherical else self.sample(frequency)

    def _has(self, matrix):
        d = self.dimension
        if matrix.shape == (d + 1, d + 1) and np.allclose(matrix[d], np.eye(d + 1)[d]) and not matrix[:d, d].any():
            matrix = matrix[:d, :d]
        if matrix.shape != (d, d) or not np.allclose(matrix @ matrix.T, np.eye(d), atol=1e-6):
            return False
        return self._admits(matrix)

    def _admits(self, matrix):
        """Whether an orthogonal matrix is an element."""
        return self.mirrors or bool(np.linalg.det(matrix) > 0)

    def _component(self, matrices):
        """Signs that tell the components apart, `(n, signs)`."""
        return np.sign(np.linalg.det(matrices))[:, None]

    def _holds(self, other):
        larger = other.orthogonal and (self.spherical or not other.spherical)
        return larger and all(self._has(matrix) for matrix in other.components.matrices)

    def _rotations(self, n):
        """n equally spaced rotations about the axis, times the elements of `components`."""
        return self.discrete(n).matrices

    def __repr__(self):
        return f"<ContinuousGroup {self.name}>"

    def __eq__(self, other):
        return isinstance(other, ContinuousGroup) and self.name == other.name

    def __hash__(self):
        return hash(self.name)


@functools.lru_cache(maxsize=256)
def _sample(group, frequency):
    if not group.spherical:
        matrices = group._rotations(frequency + 1)
        return Quadrature(group.name, matrices, np.full(len(matrices), 1 / len(matrices)))
    matrices, weights = spherical.gauss_rotations(frequency)
    if group.mirrors:
        matrices, weights = np.concatenate([matrices, -matrices]), np.concatenate([weights, weights]) / 2
    return Quadrature(group.name, matrices, weights)


@functools.lru_cache(maxsize=256)
def _classes(group, frequency):
    """Rotations by all angles about one axis, as often as there are rotations by this angle about any."""
    count = frequency + 2
    matrices = np.stack([about_z(r / count) for r in range(count)])
    weights = (1 - np.cos(2 * np.pi * np.arange(count) / count)) / count
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
