"""The Lie groups of point features: exponential and logarithm as matrices in float64, the reference of `ops.lie`.

An element is a matrix that moves homogeneous points (x, 1). Its logarithm has coordinates `a` in a fixed order: the
logarithm of the scale, then the rotation (an angle, or an axis times an angle), then the translation, as far as the
group has them. Where the group does not reach every point from every other, a point also has an `orbit`, numbers that
the group leaves alone: its distance from the origin for rotations, its direction for scalings, the other coordinate
for translations along one axis, all of it for the trivial group.
"""

import dataclasses
import difflib
import re
from collections.abc import Callable

import numpy as np

_SMALL = 0.25  # squared angle below which the series are used


@dataclasses.dataclass(frozen=True, eq=False)
class LieGroup:
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

    Example:
        >>> import numpy as np
        >>> from keras_equivariant import groups
        >>> se2 = groups.lie_group("SE2")
        >>> quarter_turn = se2.matrix([np.pi / 2, 0.0, 0.0])
        >>> groups.move_points(np.array([[1.0, 0.0]]), quarter_turn).round(6).tolist()
        [[0.0, 1.0]]
    """

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

    def __post_init__(self):
        if self.custom and (not callable(self.log) or not callable(self.lift) or not self.algebra):
            raise ValueError(
                "A group of your own needs `algebra`, `exp`, `log` and `lift`. Received: "
                f"algebra={self.algebra!r}, log={self.log!r}, lift={self.lift!r}; see LieGroup"
            )
        if self.dimension not in (1, 2, 3):
            raise ValueError(f"`dimension` must be 1, 2 or 3. Received: dimension={self.dimension!r}")
        if self.algebra is None:
            object.__setattr__(self, "algebra", len(self.scale_and_angles) + len(self.axes))
        if self.orbit is None:
            object.__setattr__(self, "orbit", 0 if self.custom else self._orbit())

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
    def turning(self):
        """The rotations that leave a lifted point where it is: `"circle"`, `"sphere"` or None for the identity only."""
        if self.custom or not self.rotates or self.scales:
            return None
        if self.dimension == 3:
            return "sphere" if self.axes else "circle"
        return "circle" if self.axes else None

    @property
    def metric(self):
        """Squared Frobenius norms of the generators, one per coordinate: weights of the squared distance."""
        if self.custom:
            return (1.0,) * self.algebra
        return tuple({"scale": float(self.dimension), "angle": 2.0}[name] for name in self.scale_and_angles) + (
            (1.0,) * len(self.axes)
        )

    def _orbit(self):
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
        a, d = np.asarray(a, dtype=np.float64), self.dimension
        generator = self.hat(a)
        rotation = generator[..., :d, :d] - np.swapaxes(generator[..., :d, :d], -1, -2)
        rotation, square = rotation / 2, (self._angle(a) ** 2)[..., None, None]
        found = np.zeros_like(generator)
        scale = np.exp(a[..., :1, None]) if self.scales else 1.0
        eye = np.eye(d)
        found[..., :d, :d] = scale * (eye + _sinc(square) * rotation + _cosc(square) * rotation @ rotation)
        around = eye + _cosc(square) * rotation + _sincc(square) * rotation @ rotation
        found[..., :d, d:] = around @ generator[..., :d, d:]
        found[..., d, d] = 1.0
        return found

    def logarithm(self, matrix):
        """log: the coordinates `(..., algebra)` of the elements with these matrices, rotations by less than pi."""
        if self.custom:
            return np.asarray(self.log(np.asarray(matrix, dtype=np.float64)), dtype=np.float64)
        matrix, d = np.asarray(matrix, dtype=np.float64), self.dimension
        linear, found = matrix[..., :d, :d], []
        if self.scales:
            scale = np.abs(np.linalg.det(linear)) ** (1 / d)
            found.append(np.log(scale)[..., None])
            linear = linear / scale[..., None, None]
        angles = _rotation_vector(linear) if self.rotates else np.zeros((*matrix.shape[:-2], 0))
        found.append(angles)
        square = np.sum(angles**2, axis=-1)[..., None, None]
        k = (linear - np.swapaxes(linear, -1, -2)) / 2
        k = k / np.where(square == 0, 1.0, _sinc(square))
        back = np.eye(d) - k / 2 + _inverse_coefficient(square) * k @ k
        found.append((back @ matrix[..., :d, d:])[..., list(self.axes), 0])
        return np.concatenate(found, axis=-1)

    def random_logarithms(self, count, seed=0):
        """Logarithms of random elements, the first 0: uniform rotations, normal translations and scales."""
        rng = np.random.default_rng(seed)
        a = rng.normal(size=(count, self.algebra))
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

    def _angle(self, a):
        first = int(self.scales)
        return np.sqrt(np.sum(a[..., first : first + self.angles] ** 2, axis=-1))

    def _generators(self):
        d = self.dimension
        found = np.zeros((self.algebra, d + 1, d + 1))
        i = 0
        if self.scales:
            found[i, range(d), range(d)] = 1.0
            i += 1
        if self.rotates:
            for row, column in [(1, 0)] if d == 2 else [(2, 1), (0, 2), (1, 0)]:
                found[i, row, column], found[i, column, row] = 1.0, -1.0
                i += 1
        for axis in self.axes:
            found[i, axis, d] = 1.0
            i += 1
        return found

    def __repr__(self):
        return f"<LieGroup {self.name}>"

    def __deepcopy__(self, memo):
        return self


def move_points(points, matrix):
    """Points `(..., d)` moved by a matrix `(d + 1, d + 1)` of homogeneous coordinates."""
    d = points.shape[-1]
    return (points @ matrix[:d, :d].T + matrix[:d, d]).astype(points.dtype)


def lie_group(group):
    """The Lie group of this name.

    Args:
        group: `"T1"`, `"T2"`, `"T3"` (translations), `"Tx"`, `"Ty"` (of the plane, along one axis), `"SO2"`, `"SO3"`
            (rotations), `"Rx"` (scalings of the plane), `"RxSO2"` (both), `"SE2"`, `"SE3"` (rigid motions),
            `"Trivial1"`, `"Trivial2"`, `"Trivial3"`; parentheses as in `"SE(2)"` are allowed; the name of a registered
            group; or a LieGroup.
    """
    if isinstance(group, LieGroup):
        return group
    if not isinstance(group, str):
        raise TypeError(f'`group` must be the name of a Lie group such as "SE2", or a LieGroup. Received: {group!r}')
    if group in _registered:
        return _registered[group]
    plain = re.sub(r"[()]", "", group).lower()
    if plain in _BUILT_IN:
        return _BUILT_IN[plain]
    known = [*(g.name for g in _BUILT_IN.values()), *_registered]
    near = difflib.get_close_matches(group, known, n=1, cutoff=0.4)
    hint = f'Did you mean "{near[0]}"?' if near else f"Use one of {', '.join(known)}."
    raise ValueError(f"`group` must be a Lie group that moves points. Received: {group!r}. {hint}")


def is_lie_name(name):
    """Whether `lie_group` knows the name."""
    return isinstance(name, str) and (name in _registered or re.sub(r"[()]", "", name).lower() in _BUILT_IN)


def register_lie(group):
    """Makes a LieGroup of your own known by its name, for `group="name"`, YAML specs and models loaded from a file."""
    if not isinstance(group, LieGroup):
        raise TypeError(f"`group` must be a LieGroup. Received: {group!r}")
    if re.sub(r"[()]", "", group.name).lower() in _BUILT_IN or _registered.get(group.name, group) is not group:
        raise ValueError(f"The name of a group must be unique. Received: {group.name!r}, which is another group's")
    _registered[group.name] = group
    return group


def _rotation_vector(rotation):
    """Angle `(..., 1)` of rotations of the plane, axis times angle `(..., 3)` of those of space."""
    if rotation.shape[-1] == 2:
        return np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0])[..., None]
    twice_sine = np.stack([rotation[..., i, j] - rotation[..., j, i] for i, j in ((2, 1), (0, 2), (1, 0))], axis=-1)
    sine = np.linalg.norm(twice_sine, axis=-1, keepdims=True) / 2
    angle = np.arctan2(sine, ((np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2)[..., None])
    return twice_sine / 2 * np.where(sine == 0, 1.0, angle / np.where(sine == 0, 1.0, sine))


def _series(square, coefficients, exact):
    """`exact(angle)` away from 0, its power series in the squared angle near it."""
    angle = np.sqrt(np.where(square < _SMALL, 1.0, square))
    return np.where(square < _SMALL, np.polynomial.polynomial.polyval(square, coefficients), exact(angle))


def _sinc(square):
    return _series(square, [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800], lambda x: np.sin(x) / x)


def _cosc(square):
    coefficients = [1 / 2, -1 / 24, 1 / 720, -1 / 40320, 1 / 3628800, -1 / 479001600]
    return _series(square, coefficients, lambda x: (1 - np.cos(x)) / x**2)


def _sincc(square):
    coefficients = [1 / 6, -1 / 120, 1 / 5040, -1 / 362880, 1 / 39916800, -1 / 6227020800]
    return _series(square, coefficients, lambda x: (x - np.sin(x)) / x**3)


def _inverse_coefficient(square):
    """c in V^-1 = I - K / 2 + c K^2."""
    coefficients = [1 / 12, 1 / 720, 1 / 30240, 1 / 1209600, 1 / 47900160, 691 / 1307674368000]
    return _series(square, coefficients, lambda x: 1 / x**2 - (1 + np.cos(x)) / (2 * x * np.sin(x)))


_registered = {}
_BUILT_IN = {
    group.name.lower(): group
    for group in (
        *(LieGroup(f"T{d}", d, axes=tuple(range(d))) for d in (1, 2, 3)),
        LieGroup("Tx", 2, axes=(0,)),
        LieGroup("Ty", 2, axes=(1,)),
        LieGroup("SO2", 2, rotates=True),
        LieGroup("Rx", 2, scales=True),
        LieGroup("RxSO2", 2, rotates=True, scales=True),
        LieGroup("SE2", 2, axes=(0, 1), rotates=True),
        LieGroup("SO3", 3, rotates=True),
        LieGroup("SE3", 3, axes=(0, 1, 2), rotates=True),
        *(LieGroup(f"Trivial{d}", d) for d in (1, 2, 3)),
    )
}
