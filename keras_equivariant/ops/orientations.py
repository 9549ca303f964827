"""Invariants of pairs of points and orientations, and sums over the orientations of one point."""

from keras import ops

SOFT = 0.05  # of the radius: nearer to its axis a point counts as off it


def pair_features(offsets, directions, radius, degree):
    """Monomials p^i q^j, 1 <= i + j <= degree, of the invariants of two points seen along each orientation.

    p = o.r / R and q = sqrt(|r - (o.r) o|^2 / R^2 + 0.05^2), smooth on the axis, too.

    Args:
        offsets: planes (x, y, z) of the offsets r, `(B, N, K)` each.
        directions: unit vectors o, an array `(A, 3)`.
        radius: R.
        degree: the highest.

    Returns:
        `(B, N, K A, features)`.
    """
    r = [ops.expand_dims(x / radius, -1) for x in offsets]
    count, pairs = r[0].shape[1], r[0].shape[2] * len(directions)
    axes = [ops.convert_to_tensor(directions[:, i], dtype=r[0].dtype) for i in range(len(r))]
    along = sum(x * o for x, o in zip(r, axes, strict=True))
    # The difference of |r|^2 and its part along the axis would round near the axis.
    rest = [x - along * o for x, o in zip(r, axes, strict=True)]
    across = ops.sqrt(sum(x * x for x in rest) + SOFT**2)
    p, q = (ops.reshape(x, (-1, count, pairs)) for x in (along, across))
    powers = [(i, total - i) for total in range(1, degree + 1) for i in range(total + 1)]
    return ops.stack([_power(p, i, q, j) for i, j in powers], axis=-1)


def feature_count(degree):
    """How many `pair_features` there are."""
    return degree * (degree + 3) // 2


def _power(p, i, q, j):
    found = [p] * i + [q] * j
    result = found[0]
    for factor in found[1:]:
        result = result * factor
    return result


def sums_by_angle(x, selection, angles):
    """For each orientation and each angle the sum of the orientations at that angle from it.

    Args:
        x: `(n, A, C)`.
        selection: an array of ones and zeros `(A angles, A)`, which orientations are summed for each pair.
        angles: how many.

    Returns:
        `(n, A, angles C)`.
    """
    # From the right: `ops.matmul` rounds float64 on some backends, and a constant has no `@` with a symbolic tensor.
    sums = ops.swapaxes(x, 1, 2) @ ops.convert_to_tensor(selection.T, dtype=x.dtype)
    return ops.reshape(ops.swapaxes(sums, 1, 2), (-1, x.shape[1], angles * x.shape[2]))
