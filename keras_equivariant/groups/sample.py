"""What every sample of a group answers: some of its elements, where a finite list is needed."""

import numpy as np

from keras_equivariant.groups.group import Group


class Sample(Group):
    """Some elements of a group, numbered as those of a FiniteGroup are.

    Attributes:
        group: whose elements they are.
    """

    is_finite = True
    exact_part = ""

    @property
    def finite(self):
        """The sample itself."""
        return self

    @property
    def on_grid(self):
        """That of the group."""
        return self.group.on_grid

    @property
    def mirrors(self):
        """That of the group."""
        return self.group.mirrors

    def contains(self, other):
        """Whether the group contains it."""
        return self.group.contains(other)

    def generated_by(self, elements):
        """The elements themselves: no others here are products of them."""
        return tuple(sorted({0, *elements}))

    def index(self, matrix):
        """Of no use on a sample: always a ValueError."""
        raise ValueError(f"A sample of {self.name} holds no given element. Received: {np.asarray(matrix).tolist()}")

    def __repr__(self):
        return f"<{type(self).__name__} {self.name}, {self.order} elements>"
