"""The continuous groups of the plane: SO(2), all rotations, and O(2), all rotations and reflections."""

import math

import numpy as np


class ContinuousGroup:
    """SO(2) or O(2).

    There is no list of elements; an element is its orthogonal matrix. Where a finite list is needed (to measure an
    error, to see how a grid moves) `discrete(n)` stands in.

    Attributes:
        name: `"SO2"` or `"O2"`.
        mirrors: whether it holds reflections.
        dimension: 2, of the points that it moves.
        order: infinite.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.get("O(2)").discrete(4).name
        'D4'
    """

    dimension = 2
    order = math.inf

    def __init__(self, name, mirrors):
        self.name, self.mirrors = name, mirrors

    def discrete(self, n):
        """Its subgroup of n equally spaced rotations, with their mirror images if it holds reflections: C_n or D_n."""
        from keras_equivariant.groups.registry import cyclic, dihedral

        return dihedral(n) if self.mirrors else cyclic(n)

    def contains(self, matrix):
        """Whether the orthogonal matrix is an element."""
        matrix = np.asarray(matrix)
        return matrix.shape == (2, 2) and (self.mirrors or np.linalg.det(matrix) > 0)

    @property
    def matrices(self):
        """The elements that map the pixel grid onto itself."""
        return self.discrete(4).matrices

    def __repr__(self):
        return f"<ContinuousGroup {self.name}>"

    def __eq__(self, other):
        return isinstance(other, ContinuousGroup) and self.name == other.name

    def __hash__(self):
        return hash(self.name)

    def __deepcopy__(self, memo):
        return self


SO2 = ContinuousGroup("SO2", mirrors=False)
O2 = ContinuousGroup("O2", mirrors=True)
