"""Some elements of a continuous group for features that no grid holds: all of them are exact there."""

import numpy as np

from keras_equivariant.groups.motion_sample import random_elements
from keras_equivariant.groups.registry import get
from keras_equivariant.groups.sample import Sample


class ElementSample(Sample):
    """The finite group on which a continuous one is tested on pixels, and random elements of it beside.

    A function of vectors may commute with the rotations of the cube and with no others, as cubing each number does.

    Args:
        group: name of a continuous group of the plane or of space, or the group.
        count: number of random elements.
        seed: of these.

    Attributes:
        name, dimension: those of the group.
        order: number of elements here.
        matrices: `(order, d, d)`.
        grid_elements: all of them; the law is exact for each.
        beyond: those that do not map the pixel grid onto itself; a function that samples the group may approximate the
            law for these.
    """

    def __init__(self, group, count=8, seed=0):
        self.group = get(group)
        self.name, self.dimension, finite = self.group.name, self.group.dimension, self.group.finite
        others = random_elements(self.group, count + 1, seed)[1:]
        self.matrices = np.concatenate([finite.matrices, others])
        self.order = len(self.matrices)
        self.grid_elements = tuple(range(self.order))
        self.beyond = tuple(e for e in range(self.order) if e not in finite.grid_elements)
        self.element_names = (*finite.element_names, *(f"g{i}" for i in range(1, count + 1)))

    def generated_by(self, elements):
        """Those of the finite group, and of the others the elements themselves: few are products of them."""
        finite = self.group.finite
        others = [element for element in elements if element >= finite.order]
        return (*finite.generated_by([element for element in elements if element < finite.order]), *sorted(others))
