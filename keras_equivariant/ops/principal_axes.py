"""The rotation from the coordinate axes to the principal axes of a set of points: it rotates with the points.

Sums, products and roots only, so that it runs in every format that a network is exported to.
"""

from keras import ops

from keras_equivariant.ops.lie import arctan2, arithmetic, at_least, cross, unstack

_TINY = 1e-30
_GAP = 1e-4  # moments that differ by less of their sum are equal to the gradient
_SWEEPS = 5  # of Jacobi's rotations; the error is squared by each
_SPACE = arithmetic(3, rotates=True)
_PAIRS = ((0, 1), (0, 2), (1, 2))


def principal_rotation(positions, mask):
    """The rotation as planes `(B,)`: (cosine, sine) in the plane, a unit quaternion (w, x, y, z) in space.

    The first axis is that of the largest spread. An axis points to where the sum of the cubes of the coordinates about
    the mean is positive; the last one makes it a rotation. Where two moments are equal up to 1e-4 of their sum
    the gradient takes the axes for fixed: there the true one grows without bound, as the axes jump.

    Args:
        positions: `(B, N, d)`, d = 2 or 3.
        mask: `(B, N)`, false where no point is.
    """
    weights = ops.cast(mask, positions.dtype)
    planes = _centered(positions, weights)
    rotation = _rotation([ops.stop_gradient(p) for p in planes])
    # The axes of the same points again, now with a gradient: Newton's step makes the error its square, so that after
    # two the second derivatives are right, too.
    for _ in range(2):
        rotation = _towards_axes(rotation, planes)
    return rotation


def _centered(positions, weights):
    count = at_least(ops.sum(weights, axis=1), 1.0)
    planes = unstack(positions)
    means = [ops.sum(p * weights, axis=1) / count for p in planes]
    return [(p - ops.expand_dims(mean, 1)) * weights for p, mean in zip(planes, means, strict=True)]


def _moments(planes):
    """The matrix of second moments, of trace 1."""
    spread = [[ops.sum(p * q, axis=1) for q in planes] for p in planes]
    total = sum(spread[i][i] for i in range(len(planes))) + _TINY
    return [[entry / total for entry in row] for row in spread]


def _towards_axes(rotation, planes):
    """The rotation, by Newton's step nearer to the one that makes the moments of the points diagonal."""
    if len(planes) == 2:
        cos, sin = (ops.expand_dims(c, 1) for c in rotation)
        moments = _moments([cos * planes[0] + sin * planes[1], cos * planes[1] - sin * planes[0]])
        step = _quotient(moments[0][1], moments[0][0] - moments[1][1])
        length = ops.rsqrt(1 + step * step)
        cos, sin = rotation
        return (cos - step * sin) * length, (sin + step * cos) * length
    back = tuple(ops.expand_dims(c if i == 0 else -c, 1) for i, c in enumerate(rotation))
    moments = _moments(_SPACE.rotate(back, planes))
    steps = [_quotient(moments[i][j], moments[i][i] - moments[j][j]) / 2 for i, j in ((1, 2), (2, 0), (0, 1))]
    found = _SPACE.product(rotation, (ops.ones_like(rotation[0]), *steps))
    length = ops.rsqrt(sum(c * c for c in found))
    return tuple(c * length for c in found)


def _quotient(entry, difference):
    """entry / difference, 0 where the difference is none."""
    apart = ops.abs(difference) > _GAP
    return ops.where(apart, entry, 0.0) / ops.where(apart, difference, 1.0)


def _rotation(planes):
    """`principal_rotation` of centered points."""
    spread = _moments(planes)
    if len(planes) == 2:
        angle = arctan2(2 * spread[0][1], spread[0][0] - spread[1][1] + _TINY) / 2
        return _pointed((ops.cos(angle), ops.sin(angle)), planes)
    first, second, _ = _eigenvectors(spread)
    first, second = _pointed(first, planes), _pointed(second, planes)
    return quaternion(first, second, cross(first, second))


def _pointed(axis, planes):
    """The axis, or its opposite, along which the sum of cubes is not negative."""
    along = sum(ops.expand_dims(a, 1) * p for a, p in zip(axis, planes, strict=True))
    backwards = ops.sum(along * along * along, axis=1) < 0
    return tuple(ops.where(backwards, -a, a) for a in axis)


def _eigenvectors(matrix):
    """The eigenvectors of a symmetric 3 x 3 matrix of planes, those of the largest eigenvalues first."""
    a = [list(row) for row in matrix]
    one, zero = ops.ones_like(a[0][0]), ops.zeros_like(a[0][0])
    columns = [[one if i == j else zero for i in range(3)] for j in range(3)]
    for p, q in _PAIRS * _SWEEPS:
        difference, entry = a[q][q] - a[p][p], a[p][q]
        sign = ops.where(difference < 0, -one, one)
        tangent = 2 * sign * entry / (ops.abs(difference) + ops.sqrt(difference**2 + 4 * entry**2 + _TINY))
        cosine = ops.rsqrt(1 + tangent * tangent)
        sine = tangent * cosine
        (r,) = {0, 1, 2} - {p, q}
        a[p][p], a[q][q] = a[p][p] - tangent * entry, a[q][q] + tangent * entry
        a[p][q] = a[q][p] = zero
        a[r][p], a[r][q] = cosine * a[r][p] - sine * a[r][q], sine * a[r][p] + cosine * a[r][q]
        a[p][r], a[q][r] = a[r][p], a[r][q]
        columns[p], columns[q] = (
            [cosine * x - sine * y for x, y in zip(columns[p], columns[q], strict=True)],
            [sine * x + cosine * y for x, y in zip(columns[p], columns[q], strict=True)],
        )
    values = [a[i][i] for i in range(3)]
    for p, q in ((0, 1), (1, 2), (0, 1)):
        swap = values[p] < values[q]
        values[p], values[q] = ops.where(swap, values[q], values[p]), ops.where(swap, values[p], values[q])
        columns[p], columns[q] = (
            [ops.where(swap, y, x) for x, y in zip(columns[p], columns[q], strict=True)],
            [ops.where(swap, x, y) for x, y in zip(columns[p], columns[q], strict=True)],
        )
    return columns


def quaternion(x, y, z):
    """The unit quaternion of the rotation with these columns."""
    rows = (  # 4 q q^T: any row is a multiple of q; the one with the largest diagonal is best
        (1 + x[0] + y[1] + z[2], y[2] - z[1], z[0] - x[2], x[1] - y[0]),
        (y[2] - z[1], 1 + x[0] - y[1] - z[2], y[0] + x[1], z[0] + x[2]),
        (z[0] - x[2], y[0] + x[1], 1 - x[0] + y[1] - z[2], z[1] + y[2]),
        (x[1] - y[0], z[0] + x[2], z[1] + y[2], 1 - x[0] - y[1] + z[2]),
    )
    best, size = rows[0], rows[0][0]
    for i in (1, 2, 3):
        better = rows[i][i] > size
        best = tuple(ops.where(better, new, old) for new, old in zip(rows[i], best, strict=True))
        size = ops.where(better, rows[i][i], size)
    length = ops.sqrt(sum(c * c for c in best))
    return tuple(c / length for c in best)
