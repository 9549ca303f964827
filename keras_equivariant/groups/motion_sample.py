"""Some motions of points where a finite list is needed: elements of a group of rotations, each with a translation."""

import numpy as np

from keras_equivariant.groups.group import homogeneous
from keras_equivariant.groups.registry import get
from keras_equivariant.groups.sample import Sample


def random_elements(group, count, seed):
    """Orthogonal matrices `(count, d, d)` of a continuous group, the identity first, of each component as many."""
    parts, d = np.asarray(group.components.matrices), group.dimension
    rotations = group.matrix(group.random_logarithms(count, seed))[:, :d, :d]
    return parts[np.arange(count) % len(parts)] @ rotations


class MotionSample(Sample):
    """The identity and other elements of a group of rotations and mirrors, each followed by a random translation.

    Args:
        group: name of a group of the plane or of space, or the group.
        count: number of elements; of a finite group with fewer all of them.
        seed: of the elements and translations.

    Attributes:
        name, dimension: those of the group.
        order: number of elements here.
        matrices: `(order, d + 1, d + 1)`.
        grid_elements: all of them; the law is exact for each.
    """

    orthogonal, translates = False, True

    def __init__(self, group, count=12, seed=0):
        self.group = get(group)
        self.name, self.dimension = self.group.name, self.group.dimension
        rng, d = np.random.default_rng(seed), self.dimension
        if self.group.is_finite:
            rest = 1 + rng.permutation(self.group.order - 1)[: count - 1]
            linear = np.asarray(self.group.matrices)[[0, *np.sort(rest)]]
        else:
            linear = random_elements(self.group, count, seed)
        self.order = len(linear)
        self.matrices = homogeneous(linear)
        self.matrices[1:, :d, d] = rng.normal(size=(self.order - 1, d))
        self.grid_elements = tuple(range(self.order))
        self.element_names = ("e", *(f"g{i}" for i in range(1, self.order)))

    def contains(self, other):
        """Whether the group contains it; of a motion its rotation."""
        d = self.dimension
        motion = isinstance(other, np.ndarray) and other.shape == (d + 1, d + 1)
        return super().contains(other[:d, :d] if motion else other)
