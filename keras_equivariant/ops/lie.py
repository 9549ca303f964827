"""Lie groups on tensors: products, exponentials and logarithms of elements given by a few coordinates each.

Every function takes and returns tuples of planes, one tensor of any shape per coordinate: arithmetic on planes fuses,
and the coordinates need no axis of their own. Elements are written so that nothing cancels:

| group            | element                            | coordinates of the logarithm  |
|------------------|------------------------------------|-------------------------------|
| T(n), Tx, Ty     | the translation                    | the translation               |
| SO(2)            | cosine, sine                       | the angle                     |
| R_x              | the scale                          | log scale                     |
| R>0 x SO(2)      | x, y: scale times (cosine, sine)   | log scale, angle              |
| along the axes   | the scales of the axes             | those on the generators       |
| SE(2)            | cosine, sine, x, y                 | angle, V^-1 (x, y)            |
| SO(3)            | unit quaternion w, x, y, z         | axis times angle              |
| SE(3)            | unit quaternion, x, y, z           | axis times angle, V^-1 (x, y, z) |
| a user's own     | its matrix, row by row             | as its `log` says             |

The origin, which rotations and scalings leave where it is, has no element of its own: it is given by 0, the mean of
the elements that leave it there (over scalings the limit of the small ones). A logarithm to or from it is 0, and so is
every vector in its frame, as no other would keep the law.

The last `shifts` coordinates of an element grow as the points move away; of a user's own all may.

All branches of a `where` stay finite, so first and second derivatives do too.
"""

import functools
import math

import keras
from keras import ops

from keras_equivariant.ops import series
from keras_equivariant.ops.axis_scalings import AxisScalings

_TINY = 1e-30  # of squared lengths: below it a direction is arbitrary
# So near to half a turn a rotation counts as one: lifts on a grid meet it, and rounding must not tell.
_HALF_TURN = {"float64": 1e-12, "float32": 1e-5}


class Translations:
    """Translations along some axes of d."""

    def __init__(self, dimension, axes):
        self.dimension, self.axes = dimension, axes
        self.size = self.shifts = len(axes)

    def lift(self, points, rotation=None):
        """Elements that move the origin of each point's orbit to the point, and the orbits."""
        orbit = tuple(p for axis, p in enumerate(points) if axis not in self.axes)
        return tuple(points[axis] for axis in self.axes), orbit

    def relative(self, v, u):
        """v^-1 u."""
        return tuple(b - a for a, b in zip(v, u, strict=True))

    def product(self, v, u):
        return tuple(a + b for a, b in zip(v, u, strict=True))

    def exp(self, a):
        return a

    def log(self, u):
        return u

    def rotate(self, u, vector):
        """A vector rotated as the element rotates directions."""
        return vector


class Rotations2D:
    """SO(2), with translations SE(2)."""

    def __init__(self, moves):
        self.moves, self.dimension, self.size = moves, 2, 4 if moves else 2
        self.shifts = 2 if moves else 0

    def lift(self, points, rotation=None):
        x, y = points
        if self.moves:
            cos, sin = (ops.ones_like(x), ops.zeros_like(x)) if rotation is None else rotation
            return (cos, sin, x, y), ()
        unit, radius = _direction((x, y))
        return unit, (radius,)

    def relative(self, v, u):
        c, s, *p = v
        found = (c * u[0] + s * u[1], c * u[1] - s * u[0])
        if self.moves:
            x, y = u[2] - p[0], u[3] - p[1]
            found += (c * x + s * y, c * y - s * x)
        return found

    def product(self, v, u):
        c, s, *p = v
        found = (c * u[0] - s * u[1], s * u[0] + c * u[1])
        return found + tuple(a + b for a, b in zip(p, self.rotate(v, u[2:]), strict=True)) if self.moves else found

    def exp(self, a):
        angle, *p = a
        found = (ops.cos(angle), ops.sin(angle))
        if self.moves:
            square = angle * angle
            even, odd = series.sinc(square), angle * series.cosc(square)
            found += (even * p[0] - odd * p[1], odd * p[0] + even * p[1])
        return found

    def log(self, u):
        angle = _angle(u)
        if not self.moves:
            return (angle,)
        square, half = angle * angle, angle / 2
        even = 1 - square * series.inverse_coefficient(square, u[0], u[1], angle)
        return angle, even * u[2] + half * u[3], even * u[3] - half * u[2]

    def inverse(self, u):
        """Of a rotation without a translation."""
        return u[0], -u[1]

    def rotate(self, u, vector):
        return u[0] * vector[0] - u[1] * vector[1], u[1] * vector[0] + u[0] * vector[1]


class Scalings2D:
    """R_x, scalings of the plane; with rotations R>0 x SO(2), which acts on points as the complex numbers do.

    The origin, which every element leaves where it is, is 0, and so is the logarithm of it to any other.
    """

    shifts = 0

    def __init__(self, rotates):
        self.rotates, self.dimension, self.size = rotates, 2, 2 if rotates else 1

    def lift(self, points, rotation=None):
        unit, radius = _direction(points)
        if not self.rotates:
            return (radius,), unit
        return (radius * unit[0], radius * unit[1]), ()

    def relative(self, v, u):
        square = sum(x * x for x in v)
        square = ops.where(square > 0, square, 1.0)
        if not self.rotates:
            return (u[0] * v[0] / square,)
        return (v[0] * u[0] + v[1] * u[1]) / square, (v[0] * u[1] - v[1] * u[0]) / square

    def apart(self, v, u):
        """Whether one of the two is the origin and the other is not: they are farther apart than any others."""
        return ops.logical_xor(sum(x * x for x in v) > 0, sum(x * x for x in u) > 0)

    def product(self, v, u):
        if not self.rotates:
            return (v[0] * u[0],)
        return v[0] * u[0] - v[1] * u[1], v[0] * u[1] + v[1] * u[0]

    def exp(self, a):
        scale = ops.exp(a[0])
        return (scale * ops.cos(a[1]), scale * ops.sin(a[1])) if self.rotates else (scale,)

    def log(self, u):
        square = sum(x * x for x in u)
        scale = ops.log(ops.where(square > 0, square, 1.0)) / 2
        return (scale, _angle(u)) if self.rotates else (scale,)

    def rotate(self, u, vector):
        if not self.rotates:
            return tuple(u[0] * x for x in vector)
        return self.product(u, vector)


class Rotations3D:
    """SO(3) as unit quaternions, with translations SE(3)."""

    def __init__(self, moves):
        self.moves, self.dimension, self.size = moves, 3, 7 if moves else 4
        self.shifts = 3 if moves else 0

    def lift(self, points, rotation=None):
        if self.moves:
            one, zero = ops.ones_like(points[0]), ops.zeros_like(points[0])
            return (*((one, zero, zero, zero) if rotation is None else rotation), *points), ()
        (x, y, z), radius = _direction(points)
        # The rotation that takes the x axis to the point by the shortest way; half a turn about z to its opposite.
        w = ops.sqrt(at_least((1 + x) / 2, 1e-12))
        back = (1 + x) / 2 < 1e-9
        q = (ops.where(back, 0.0, w), ops.zeros_like(x), -z / (2 * w), ops.where(back, 1.0, y / (2 * w)))
        q = tuple(ops.where(radius > 0, c, 0.0) for c in q)
        if rotation is not None:
            # A half angle of a rotation about the x axis: the rotations that leave the point's orbit origin alone.
            half = ops.sqrt(at_least((1 + rotation[0]) / 2, 0.0)), ops.sqrt(at_least((1 - rotation[0]) / 2, 0.0))
            sign = _sign(rotation[1])
            zero = ops.zeros_like(rotation[0])
            q = _multiply(q, (half[0], sign * half[1], zero, zero))
        return q, (radius,)

    def relative(self, v, u):
        back = (v[0], -v[1], -v[2], -v[3])
        found = _multiply(back, u[:4])
        if self.moves:
            found += self.rotate(back, tuple(b - a for a, b in zip(v[4:], u[4:], strict=True)))
        return found

    def product(self, v, u):
        found = _multiply(v[:4], u[:4])
        if self.moves:
            found += tuple(a + b for a, b in zip(v[4:], self.rotate(v, u[4:]), strict=True))
        return found

    def exp(self, a):
        omega, p = a[:3], a[3:]
        square = sum(x * x for x in omega)
        half = series.sinc(square / 4) / 2
        found = (series.cos(square / 4), *(half * x for x in omega))
        if not self.moves:
            return found
        first, second = cross(omega, p), cross(omega, cross(omega, p))
        c, s = series.cosc(square), series.sincc(square)
        return found + tuple(x + c * y + s * z for x, y, z in zip(p, first, second, strict=True))

    def log(self, u):
        sign = _hemisphere(u[:4])
        w, vector = sign * u[0], tuple(sign * x for x in u[1:4])
        square = sum(x * x for x in vector)
        near = square < 0.01
        sine = ops.sqrt(ops.where(near, 1.0, square))
        ratio = ops.where(near, series.polynomial(square, series.ARCSINE), 2 * arctan2(sine, w) / sine)
        omega = tuple(ratio * x for x in vector)
        if not self.moves:
            return omega
        p, angle_square = u[4:], sum(x * x for x in omega)
        first, second = cross(omega, p), cross(omega, cross(omega, p))
        # (cos, sin) of the whole angle from those of its half.
        safe = ops.where(near, 0.0, w)
        c = series.inverse_coefficient(angle_square, 2 * safe * safe - 1, 2 * safe * sine, ratio * sine)
        return omega + tuple(x - y / 2 + c * z for x, y, z in zip(p, first, second, strict=True))

    def inverse(self, u):
        """Of a rotation without a translation."""
        return (u[0], *(-x for x in u[1:4]))

    def rotate(self, u, vector):
        w, axis = u[0], u[1:4]
        first = cross(axis, vector)
        one = w * w + sum(x * x for x in axis)  # 0 in the origin
        return tuple(one * x + 2 * (w * y + z) for x, y, z in zip(vector, first, cross(axis, first), strict=True))


class Matrices:
    """A group of a user's own, by its `exp` and `log` alone."""

    def __init__(self, dimension, exp, log, lift):
        self.dimension, self._exp, self._log, self._lift = dimension, exp, log, lift
        self.side = dimension + 1
        self.size = self.shifts = self.side**2

    def lift(self, points, rotation=None):
        coordinates, orbit = self._lift(ops.stack(points, axis=-1))
        return self.exp(unstack(coordinates)), unstack(orbit)

    def relative(self, v, u):
        inverse = self._exp(-self._log(self._matrix(v)))
        return self._planes(inverse @ self._matrix(u))

    def product(self, v, u):
        return self._planes(self._matrix(v) @ self._matrix(u))

    def exp(self, a):
        return self._planes(self._exp(ops.stack(a, axis=-1)))

    def log(self, u):
        return unstack(self._log(self._matrix(u)))

    def rotate(self, u, vector):
        linear = self._matrix(u)[..., : self.dimension, : self.dimension]
        return unstack(ops.squeeze(linear @ ops.expand_dims(ops.stack(vector, axis=-1), -1), -1))

    def _matrix(self, planes):
        rows = [ops.stack(planes[i * self.side : (i + 1) * self.side], axis=-1) for i in range(self.side)]
        return ops.stack(rows, axis=-2)

    def _planes(self, matrix):
        return tuple(matrix[..., i, j] for i in range(self.side) for j in range(self.side))


@functools.lru_cache(maxsize=64)
def arithmetic(dimension, axes=(), rotates=False, scales=False, exp=None, log=None, lift=None, generators=()):
    """The arithmetic of the group with these attributes of a LieGroup."""
    if generators:
        return AxisScalings(generators)
    if exp is not None:
        return Matrices(dimension, exp, log, lift)
    if scales:
        return Scalings2D(rotates)
    if rotates:
        return (Rotations2D if dimension == 2 else Rotations3D)(bool(axes))
    return Translations(dimension, axes)


def unstack(x):
    """The planes along the last axis."""
    return tuple(x[..., i] for i in range(x.shape[-1]))


def stack(planes, like):
    """Planes along a new last axis, which may have no coordinates at all."""
    return ops.stack(planes, axis=-1) if planes else ops.expand_dims(like, -1)[..., :0]


def _direction(points):
    """Unit vector and length; both 0 at the origin, the mean of all directions."""
    square = sum(p * p for p in points)
    here = square > _TINY
    length = ops.sqrt(ops.where(here, square, 1.0))
    return tuple(ops.where(here, p / length, 0.0) for p in points), ops.where(here, length, 0.0)


def _angle(u):
    """The angle of (cosine, sine) in (-pi, pi]; half a turn is pi however it is rounded; 0 for two zeros."""
    here = ops.logical_or(ops.abs(u[0]) > 0, ops.abs(u[1]) > 0)
    angle = arctan2(u[1], ops.where(here, u[0], 1.0))
    return ops.where(angle < -math.pi + _half_turn(angle), angle + 2 * math.pi, angle)


def _half_turn(x):
    """How near to half a turn an angle in the precision of x counts as one."""
    return _HALF_TURN[keras.backend.standardize_dtype(x.dtype)]


def arctan2(y, x):
    """The angle of (x, y), in their own precision: Keras rounds it to float32 on some backends."""
    angle = ops.arctan2(y, x)
    if keras.backend.standardize_dtype(angle.dtype) == keras.backend.standardize_dtype(y.dtype):
        return angle
    angle = ops.cast(angle, y.dtype)
    return angle + (y * ops.cos(angle) - x * ops.sin(angle)) / ops.sqrt(x * x + y * y)


def at_least(x, least):
    """The larger of both; `ops.maximum` rounds float64 on some backends."""
    return ops.where(x < least, least, x)


def _hemisphere(q):
    """The sign that makes w positive; at half a turn, where both axes are right, that of the first coordinate."""
    sign, least = _sign(q[3]), _half_turn(q[0])
    for x in (q[2], q[1]):
        sign = ops.where(ops.abs(x) > least, _sign(x), sign)
    return ops.where(ops.abs(q[0]) > least, _sign(q[0]), sign)


def _sign(x):
    """-1 below 0, else 1; without a gradient."""
    return ops.where(x < 0, -ops.ones_like(x), ops.ones_like(x))


def _multiply(p, q):
    a, b, c, d = p
    e, f, g, h = q
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def cross(a, b):
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]
