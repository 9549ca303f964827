"""Some elements of a Lie group, where a finite list is needed: to measure an error."""

import numpy as np

from keras_equivariant.groups import rotation_grids
from keras_equivariant.groups.registry import lie_group
from keras_equivariant.groups.sample import Sample


class LieSample(Sample):
    """The identity and random elements of a Lie group, numbered as those of a FiniteGroup are.

    Args:
        group: name of a Lie group, or a LieGroup.
        count: how many elements of each kind, the identity among the first.
        rotations: None where the law is to hold for every element. Else the number of rotations about each point that a
            grid of lifts holds: the first `count` elements then rotate by these only, and as many others by any.
        seed: of the elements.

    Attributes:
        name, dimension: those of the group.
        order: number of elements here.
        algebra: `(order, algebra)`, their logarithms.
        matrices: `(order, d + 1, d + 1)`.
        grid_elements: those for which the law is exact.
        exact_part: what these are, in words; empty where they are all.
    """

    orthogonal = False

    def __init__(self, group, count=4, rotations=None, seed=0):
        self.group = lie_group(group)
        self.name, self.dimension = self.group.name, self.group.dimension
        logs = self.group.random_logarithms(count if rotations is None else 2 * count, seed)
        if rotations is not None and self.dimension == 3 and rotations not in rotation_grids.SUBGROUPS_OF_SPACE:
            rotations = 1  # those of a spiral do not permute one another
        # Where nothing but rotations move a point, that of the grid which moves none tests nothing.
        numbers = np.arange(0 if self.group.axes else 1, rotations or 1)
        if rotations is not None and len(numbers):
            chosen = numbers[np.arange(1, count) % len(numbers)]
            logs[1:count, : self.group.angles] = self._grid_rotations(rotations, chosen)
        self.algebra, self.order = logs, len(logs)
        self.matrices = self.group.matrix(logs)
        exact = self.order if rotations is None else count if self.group.axes else 1
        self.exact_part = ""
        if exact < self.order:
            self.exact_part = "translations" if rotations == 1 else f"translations and {rotations} rotations"
        self.grid_elements = tuple(range(exact))
        self.element_names = ("e", *(f"g{i}" for i in range(1, self.order)))

    def _grid_rotations(self, rotations, numbers):
        if self.group.stabilizer.dimension == 2:
            return 2 * np.pi * numbers[:, None] / rotations
        q = rotation_grids.rotations_of_space(rotations)[numbers]
        length = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
        return q[:, 1:] / np.maximum(length, 1e-12) * 2 * np.arctan2(length, q[:, :1])
