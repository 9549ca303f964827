"""What every group answers, whether it is finite, continuous or a Lie group that moves points."""

import dataclasses
import math

import numpy as np

from keras_equivariant.utils.deprecation import renamed


@dataclasses.dataclass(frozen=True, eq=False)
class Quadrature:
    """Elements that stand for all of a compact group wherever a mean is taken.

    Attributes:
        name: that of the group.
        matrices: `(n, d, d)`.
        haar_weights: `(n,)`, of sum 1.
    """

    name: str
    matrices: np.ndarray
    haar_weights: np.ndarray

    @property
    def order(self):
        """Number of elements."""
        return len(self.matrices)

    weights = renamed("haar_weights")


class Group:
    """Base of all groups: FiniteGroup, ContinuousGroup, LieGroup, and LieSample, which stands for a Lie group in tests.

    Attributes:
        name: as written in `group="D4"`; `groups.get` gives one object for it.
        dimension: of the points that it moves.
        order: number of elements; infinite if there is no end of them.
        is_finite: whether its elements are listed, numbered `0 .. order - 1`.
        mirrors: whether it holds reflections.
        orthogonal: whether its elements are orthogonal matrices `(d, d)`, which move a grid about its center and the
            fields above it; those of the others are matrices `(d + 1, d + 1)` of homogeneous points.
        axes_of_rotation: of a continuous group in space those about which it rotates by any angle, `(n, 3)`; else None.
        factors: the groups that it is the direct product of; empty for others.
        spherical: whether it is SO3 or O3, which hold all rotations of space.
        is_lie: whether layers on points take it: it has an exponential, a logarithm and lifts.
        on_grid: the FiniteGroup of the elements that map the pixel grid onto itself.
        finite: the finite group, or sample of elements, on which errors are measured; itself if it is finite.
        matrices: those of its elements; of an infinite group those of `on_grid`.
        beyond: of a sample of a continuous group the elements that are none of `on_grid`.
    """

    order = math.inf
    is_finite = False
    mirrors = False
    orthogonal = True
    is_lie = False
    spherical = False
    factors = ()
    axes_of_rotation = None
    beyond = ()

    def contains(self, other):
        """Whether a matrix is an element, or all elements of another group are.

        Args:
            other: an orthogonal matrix `(d, d)`, a matrix of homogeneous points `(d + 1, d + 1)`, or a group.

        Example:
            >>> from keras_equivariant import groups
            >>> groups.get("SO2").contains(groups.get("C5")), groups.get("D4").contains(groups.get("C8"))
            (True, False)
        """
        if not isinstance(other, Group):
            return self._has(np.asarray(other, dtype=np.float64))
        if other.dimension != self.dimension:
            return False
        return all(self._has(matrix) for matrix in other.matrices) if other.is_finite else self._holds(other)

    def exact_elements(self, on_pixels):
        """The numbers of the elements for which a law can be exact.

        Args:
            on_pixels: whether features lie on pixels, which some elements move in between; of a sample it is known
                beforehand which they are.
        """
        return tuple(self.grid_elements)

    def sample(self, frequency):
        """A Quadrature whose means of products of representations are exact up to this sum of their frequencies."""
        raise ValueError(
            f"A mean over a group needs one that is compact. Received: sample({frequency}) of {self.name}; use its "
            "rotations alone, or random elements by groups.LieSample"
        )

    def classes(self, frequency):
        """The same, of means of products of characters only: elements of every conjugacy class will do."""
        return self.sample(frequency)

    def _has(self, matrix):
        """Whether the matrix is an element."""
        raise NotImplementedError

    def _holds(self, other):
        """Whether all elements of an infinite group of the same dimension are elements."""
        return False

    def __deepcopy__(self, memo):
        return self  # immutable; Keras deep-copies layer attributes when it clones


def homogeneous(matrices):
    """Orthogonal matrices `(..., d, d)` as ones of homogeneous points, `(..., d + 1, d + 1)`."""
    d = matrices.shape[-1]
    found = np.zeros((*matrices.shape[:-2], d + 1, d + 1))
    found[..., :d, :d], found[..., d, d] = matrices, 1.0
    return found
