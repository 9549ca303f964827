"""The Lie groups of point features: exponential and logarithm as matrices in float64, the reference of `ops.lie`.

An element is a matrix that moves homogeneous points (x, 1). Its logarithm has coordinates `a` in a fixed order: the
logarithm of the scale, then the rotation (an angle, or an axis times an angle), then the translation, as far as the
group has them; of scalings along the axes those on their generators. Where the group does not reach every point from
every other, a point also has an `orbit`, numbers that the group leaves alone: its distance from the origin for
rotations, its direction for scalings, the other coordinate for translations along one axis, all of it for the trivial
group.
"""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant.groups.exponential import PLANES, cosc, hat, inverse_coefficient, rotation_vector, sinc, sincc
from keras_equivariant.groups.finite import FiniteGroup
from keras_equivariant.groups.group import Group, homogeneous
from keras_equivariant.groups.lie_sample import LieSample
from keras_equivariant.groups.planar import cyclic
from keras_equivariant.groups.point_groups import point_group
from keras_equivariant.groups.registry import family, get


@dataclasses.dataclass(frozen=True, eq=False)
class LieGroup(Group):
    """A Lie group that moves the points of the plane or of space.

    The built-in ones follow from the first five attributes. A group of your own needs only `exp` and `log`, written
    with `keras.ops` so that they run inside a network, and `lift`; `register` makes it known by its name.

    Attributes:
        name: `"SE2"`.
        dimension: d, of the points.
        axes: the axes along which it translates.
        rotates: whether it holds the rotations.
        scales: whether it holds the scalings.
        algebra: number of coordinates of a logarithm.
        orbit: number of coordinates that tell its orbits apart; 0 where there is one orbit.
        exp: of a group of your own, from coordinates `(..., algebra)` to matrices `(..., d + 1, d + 1)`.
        log: of a group of your own, its inverse.
        lift: of a group of your own, from points `(..., d)` to `(coordinates (..., algebra), orbit (..., orbit))`:
            an element that moves the orbit's origin to the point.
        generators: `(algebra, d)` numbers, of a group of scalings along the axes, see `axis_scalings`.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant import groups
        >>> se2 = groups.lie_group("SE2")
        >>> quarter_turn = se2.matrix([np.pi / 2, 0.0, 0.0])
        >>> groups.move_points(np.array([[1.0, 0.0]]), quarter_turn).round(6).tolist()
        [[0.0, 1.0]]
    """

    orthogonal = False
    is_lie = True

    name: str
    dimension: int
    axes: tuple = ()
    rotates: bool = False
    scales: bool = False
    algebra: int | None = None
    orbit: int | None = None
    exp: Callable | None = None
    log: Callable | None = None
    lift: Callable | None = None
    generators: tuple = ()

    def __post_init__(self):
        if self.custom and (not callable(self.log) or not callable(self.lift) or not self.algebra):
            raise ValueError(
                "A group of your own needs `algebra`, `exp`, `log` and `lift`. Received: "
                f"algebra={self.algebra!r}, log={self.log!r}, lift={self.lift!r}; see LieGroup"
            )
        if self.dimension not in (1, 2, 3):
            raise ValueError(f"`dimension` must be 1, 2 or 3. Received: dimension={self.dimension!r}")
        if self.generators:
            self._check_generators()
        elif not self.custom and not self._built_from_attributes():
            raise ValueError(
                "Rotations go with translations along all axes or none, scalings are of the plane and go with "
                f"rotations only. Received: dimension={self.dimension}, axes={self.axes!r}, rotates={self.rotates}, "
                f"scales={self.scales}; give `algebra`, `exp`, `log` and `lift` of your own"
            )
        if self.algebra is None:
            free = len(self.scale_and_angles) + len(self.axes)
            object.__setattr__(self, "algebra", len(self.generators) or free)
        if self.orbit is None:
            object.__setattr__(self, "orbit", 0 if self.custom else self._orbit())

    def _check_generators(self):
        rows = np.array(self.generators, dtype=np.float64)
        fits = rows.ndim == 2 and rows.shape[1] == self.dimension and np.isfinite(rows).all()
        alone = not (self.custom or self.axes or self.rotates or self.scales)
        if not alone or not fits or np.linalg.matrix_rank(rows) < len(rows):
            raise ValueError(
                "`generators` must be independent rows of one number for each axis, and go with no other attribute. "
                f"Received: generators={self.generators!r} in {self.dimension} dimensions; e.g. [[1, -1]] for squeezes "
                "of the plane"
            )

    def _built_from_attributes(self):
        if self.scales:
            return self.dimension == 2 and not self.axes
        every = tuple(range(self.dimension))
        return not self.rotates or (self.dimension > 1 and tuple(self.axes) in ((), every))

    @property
    def custom(self):
        """Whether it is given by its own `exp` and `log`."""
        return self.exp is not None

    @property
    def angles(self):
        """Number of coordinates of a rotation."""
        return self.dimension * (self.dimension - 1) // 2 if self.rotates else 0

    @property
    def scale_and_angles(self):
        """The coordinates before the translation: `"scale"` and `"angle"`."""
        return ("scale",) * self.scales + ("angle",) * self.angles

    @property
    def stabilizer(self):
        """The group of the rotations that leave a lifted point where it is, SO2 or SO3; None for the identity only."""
        if self.custom or not self.rotates or self.scales:
            return None
        if self.dimension == 3:
            return get("SO3" if self.axes else "SO2")
        return get("SO2") if self.axes else None

    @property
    def turning(self):
        """The old spelling of `stabilizer`: `"circle"` for SO2, `"sphere"` for SO3, or None."""
        warnings.warn("LieGroup.turning is now `stabilizer`", DeprecationWarning, stacklevel=2)
        return self.stabilizer and {"SO2": "circle", "SO3": "sphere"}[self.stabilizer.name]

    @property
    def metric(self):
        """Squared Frobenius norms of the generators, one per coordinate: weights of the squared distance."""
        if self.custom:
            return (1.0,) * self.algebra
        if self.generators:
            return tuple(float(sum(g * g for g in row)) for row in self.generators)
        return tuple({"scale": float(self.dimension), "angle": 2.0}[name] for name in self.scale_and_angles) + (
            (1.0,) * len(self.axes)
        )

    def _orbit(self):
        if self.generators:
            return self.dimension
        if self.scales:
            return 0 if self.rotates else self.dimension
        if self.rotates:
            return 0 if self.axes else 1
        return self.dimension - len(self.axes)

    def hat(self, a):
        """The matrices `(..., d + 1, d + 1)` of the Lie algebra with these coordinates."""
        a = np.asarray(a, dtype=np.float64)
        found = np.zeros((*a.shape[:-1], self.dimension + 1, self.dimension + 1))
        for i, generator in enumerate(self._generators()):
            found += a[..., i, None, None] * generator
        return found

    def matrix(self, a):
        """exp(a): the matrices `(..., d + 1, d + 1)` of the elements with these logarithms."""
        if self.custom:
            return np.asarray(self.exp(np.asarray(a, dtype=np.float64)), dtype=np.float64)
        if self.generators:
            scales = np.exp(np.asarray(a, dtype=np.float64) @ np.array(self.generators, dtype=np.float64))
            return homogeneous(scales[..., None] * np.eye(self.dimension))
        a, d, first = np.asarray(a, dtype=np.float64), self.dimension, int(self.scales)
        angles = a[..., first : first + self.angles]
        square, k = np.sum(angles**2, axis=-1)[..., None, None], hat(angles, d)
        scale = np.exp(a[..., :1, None]) if self.scales else 1.0
        found = np.zeros((*a.shape[:-1], d + 1, d + 1))
        found[..., :d, :d] = scale * (np.eye(d) + sinc(square) * k + cosc(square) * k @ k)
        shift = np.zeros((*a.shape[:-1], d, 1))
        shift[..., list(self.axes), 0] = a[..., first + self.angles :]
        found[..., :d, d:] = shift + cosc(square) * k @ shift + sincc(square) * k @ (k @ shift)
        found[..., d, d] = 1.0
        return found

    def logarithm(self, matrix):
        """log: the coordinates `(..., algebra)` of the elements with these matrices, rotations by at most pi.

        To rounding for every element; at half a turn, where two axes are right, it is the same one each time.
        """
        if self.custom:
            return np.asarray(self.log(np.asarray(matrix, dtype=np.float64)), dtype=np.float64)
        matrix, d = np.asarray(matrix, dtype=np.float64), self.dimension
        if self.generators:
            scales = np.diagonal(matrix[..., :d, :d], axis1=-2, axis2=-1)
            return np.log(scales) @ np.linalg.pinv(np.array(self.generators, dtype=np.float64))
        linear, found = matrix[..., :d, :d], []
        if self.scales:
            # Scale times rotation has the norm scale * sqrt(d); the largest entry keeps its square from overflowing.
            largest = np.abs(linear).max(axis=(-1, -2), keepdims=True)
            linear = linear / largest
            norm = np.sqrt(np.sum(linear**2, axis=(-1, -2), keepdims=True) / d)
            found.append((np.log(largest) + np.log(norm))[..., 0])
            linear = linear / norm
        angles = rotation_vector(linear) if self.rotates else np.zeros((*matrix.shape[:-2], 0))
        square, k, shift = np.sum(angles**2, axis=-1)[..., None, None], hat(angles, d), matrix[..., :d, d:]
        back = shift - k @ shift / 2 + inverse_coefficient(square) * k @ (k @ shift)
        return np.concatenate([*found, angles, back[..., list(self.axes), 0]], axis=-1)

    def random_logarithms(self, count, seed=0):
        """Logarithms of random elements, the first 0: uniform rotations, normal translations and scales."""
        rng = np.random.default_rng(seed)
        a = rng.normal(size=(count, self.algebra))
        if self.generators:
            a *= 0.3
        if self.scales:
            a[:, 0] *= 0.3
        if self.angles == 1:
            a[:, int(self.scales)] = rng.uniform(-np.pi, np.pi, count)
        elif self.angles:
            q = rng.normal(size=(count, 4))
            q /= np.linalg.norm(q, axis=1, keepdims=True)
            axis = q[:, 1:] / np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
            a[:, :3] = axis * 2 * np.arccos(np.clip(np.abs(q[:, :1]), 0, 1))
        a[0] = 0.0
        return a

    def _generators(self):
        d = self.dimension
        found = np.zeros((self.algebra, d + 1, d + 1))
        if self.generators:
            found[:, range(d), range(d)] = self.generators
            return found
        i = 0
        if self.scales:
            found[i, range(d), range(d)] = 1.0
            i += 1
        if self.rotates:
            for row, column in PLANES[d]:
                found[i, row, column], found[i, column, row] = 1.0, -1.0
                i += 1
        for axis in self.axes:
            found[i, axis, d] = 1.0
            i += 1
        return found

    @functools.cached_property
    def on_grid(self):
        """The FiniteGroup of the elements that map the pixel grid onto itself and leave its center alone."""
        rotates = self.rotates and not self.custom
        if self.dimension == 1:
            return FiniteGroup("C1 of the line", np.eye(1)[None], ["e"])
        return cyclic(4 if rotates else 1) if self.dimension == 2 else point_group("O" if rotates else "C1z")

    @functools.cached_property
    def finite(self):
        """The LieSample on which errors are measured."""
        return LieSample(self, rotations=1 if self.stabilizer else None)

    @property
    def matrices(self):
        """The elements that map the pixel grid onto itself, of homogeneous points."""
        return homogeneous(self.on_grid.matrices)

    def _has(self, matrix):
        d = self.dimension
        if matrix.shape == (d, d):
            matrix = homogeneous(matrix)
        if matrix.shape != (d + 1, d + 1):
            return False
        with np.errstate(all="ignore"):  # what is no element may have no logarithm
            return bool(np.allclose(self.matrix(self.logarithm(matrix)), matrix, atol=1e-6))

    def _holds(self, other):
        if other.orthogonal and not self.custom:
            return self.rotates and all(self._has(matrix) for matrix in other.components.matrices)
        if other is self or self.custom or not other.is_lie or other.custom:
            return other is self
        if self.generators or other.generators:
            own, its = (group._generators().reshape(group.algebra, -1) for group in (self, other))
            return bool(np.linalg.matrix_rank(np.concatenate([own, its])) == np.linalg.matrix_rank(own))
        larger = self.rotates >= other.rotates and self.scales >= other.scales
        return larger and set(self.axes) >= set(other.axes)

    def __repr__(self):
        return f"<LieGroup {self.name}>"


def axis_scalings(name: str, generators: ArrayLike) -> LieGroup:
    """The Lie group of the scalings of the axes that some generators span; make it known by `register`.

    exp(a) = diag(exp(a_1 g_11 + ... + a_k g_k1), ..., exp(a_1 g_1d + ... + a_k g_kd))

    A point off the axes is lifted to the element that moves (±1, ..., ±1), times what the group leaves alone of its
    coordinates, to it; a point with a coordinate 0, the limit of small scales, has no element of its own and is given
    by 0.

    Args:
        name: of the group.
        generators: `(k, d)` numbers, k independent rows: `[[1, -1]]` are the squeezes "SQ" of the plane,
            `[[1, 1], [1, -1]]` these and all scalings, "RxSQ".

    Returns:
        A LieGroup.

    Raises:
        ValueError: rows that depend on each other, or of another length than 1, 2 or 3.

    Example:
        >>> from keras_equivariant import groups
        >>> group = groups.register(groups.axis_scalings("squash", [[1, 1, -2]]))
        >>> groups.lie_group("squash").matrix([0.0]).shape, groups.lie_group("RxSQ").contains(groups.lie_group("SQ"))
        ((4, 4), True)

    Reference: Finzi et al., arXiv 2002.12880 (their code's SQ, RxSQ and LieSubGroup).
    """
    rows = np.asarray(generators, dtype=np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(
            "`generators` must be rows of one number for each axis. "
            f"Received: an array of shape {rows.shape}; e.g. [[1, -1]] for squeezes of the plane"
        )
    return LieGroup(name, rows.shape[1], generators=tuple(map(tuple, rows.tolist())))


def move_points(points: ArrayLike, matrix: ArrayLike) -> np.ndarray:
    """Points `(..., d)` moved by a matrix `(d + 1, d + 1)` of homogeneous coordinates."""
    d = points.shape[-1]
    return (points @ matrix[:d, :d].T + matrix[:d, d]).astype(points.dtype)


_BUILT_IN = {
    group.name.lower(): group
    for group in (
        *(LieGroup(f"T{d}", d, axes=tuple(range(d))) for d in (1, 2, 3)),
        LieGroup("Tx", 2, axes=(0,)),
        LieGroup("Ty", 2, axes=(1,)),
        LieGroup("Rx", 2, scales=True),
        LieGroup("RxSO2", 2, rotates=True, scales=True),
        axis_scalings("SQ", [[1, -1]]),
        axis_scalings("RxSQ", [[1, 1], [1, -1]]),
        LieGroup("SE2", 2, axes=(0, 1), rotates=True),
        LieGroup("SE3", 3, axes=(0, 1, 2), rotates=True),
        *(LieGroup(f"Trivial{d}", d) for d in (1, 2, 3)),
    )
}


@family(*(group.name for group in _BUILT_IN.values()))
def lie_by_name(name):
    """The Lie group of this name other than SO2 and SO3, parentheses allowed as in `"SE(2)"`; None if there is none."""
    return _BUILT_IN.get(name.lower().replace("(", "").replace(")", ""))
