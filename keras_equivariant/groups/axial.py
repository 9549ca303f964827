"""The continuous groups of space about one axis, z: limits of the point groups `C<n>z`, `C<n>v`, `D<n>z`, ...

An element is a rotation or reflection u of the plane across the axis together with a sign s along it,

    g = diag(u, s),    u in O(2),  s in {1, -1},

and its connected component is told by (det u, s).
"""

import re

import numpy as np

from keras_equivariant.groups.continuous import O2, O3, SO2, SO3, ContinuousGroup
from keras_equivariant.groups.point_groups import MAX_ROTATIONS, about_z, point_group
from keras_equivariant.groups.registry import family


class AxialGroup(ContinuousGroup):
    """A continuous group of space about the axis z, with its irreps by angular frequency about it.

    Args:
        name: `"Cinfz"`, `"Cinfv"`, `"Cinfh"`, `"Dinfz"` or `"Dinfh"`.
        mirrors: whether it holds reflections.

    Example:
        >>> from keras_equivariant import groups
        >>> cone = groups.get("Cinfv")
        >>> cone.on_grid.name, cone.discrete(6).name, groups.contains(cone, "C7v"), groups.contains("O3", cone)
        ('C4v', 'C6v', True, True)
    """

    is_lie = False  # no layer on points lifts them
    spherical = False

    def __init__(self, name, mirrors):
        super().__init__(name, mirrors, dimension=3)

    @property
    def signs(self):
        return bool((self._component(self.components.matrices)[:, 0] < 0).any())

    @property
    def axes_of_rotation(self):
        return np.eye(3)[2:]

    @property
    def angles(self):
        """Number of coordinates of a rotation: the angle about z."""
        return 1

    @property
    def stabilizer(self):
        """None: no two rotations about z are a lift of the same point."""
        return None

    def discrete(self, n):
        found = point_group(self.name.replace("inf", str(n))) if 1 <= n <= MAX_ROTATIONS else None
        if found is None:
            raise ValueError(
                f"The rotations about an axis must be 1 to {MAX_ROTATIONS}. Received: discrete({n}) of {self.name}"
            )
        return found

    def matrix(self, a):
        a = np.asarray(a, dtype=np.float64)
        return SO3.matrix(np.concatenate([np.zeros((*a.shape[:-1], 2)), a], axis=-1))

    def logarithm(self, matrix):
        return SO3.logarithm(matrix)[..., 2:]

    def _generators(self):
        return SO3._generators()[2:]

    def _orbit(self):
        return 2  # the radius about the axis, and the height

    def _admits(self, matrix):
        along = np.allclose(matrix[2], [0, 0, np.sign(matrix[2, 2])], atol=1e-6)
        known = self._component(self.components.matrices)
        return along and bool((known == self._component(matrix[None])).all(axis=1).any())

    def _component(self, matrices):
        return np.sign(np.stack([np.linalg.det(matrices[:, :2, :2]), matrices[:, 2, 2]], axis=1))

    def _rotations(self, n):
        rotations = np.stack([about_z(r / n) for r in range(n)])
        return np.concatenate([component @ rotations for component in self.components.matrices])


AXIAL = (  # none before one that contains it
    AxialGroup("Dinfh", mirrors=True),
    AxialGroup("Cinfv", mirrors=True),
    AxialGroup("Cinfh", mirrors=True),
    AxialGroup("Dinfz", mirrors=False),
    AxialGroup("Cinfz", mirrors=False),
)
CONTINUOUS = (O3, SO3, *AXIAL, O2, SO2)  # neither
_GROUPS = {group.name.lower(): group for group in AXIAL}
ALIASES = {f"{letter}\N{INFINITY}{end}": f"{letter}inf{end}" for letter in "cd" for end in "zvh"}


@family(*(group.name for group in _GROUPS.values()), aliases={a: n for a, n in ALIASES.items() if n in _GROUPS})
def axial(name):
    """The group about an axis of this name, `"Cinfv"` or with the sign of infinity; None if there is none."""
    return _GROUPS.get(re.sub("\N{INFINITY}", "inf", name.lower()))
