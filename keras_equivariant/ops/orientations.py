"""Invariants of pairs of points and orientations, and sums over the orientations of one point."""

import math

from keras import ops

from keras_equivariant.ops import solid_harmonics


def pair_features(offsets, directions, radius, rings, degree):
    """Functions of what two points and an orientation have that no motion changes, R_s(|r|) P_l(o.r / |r|).

    R_s are Gaussian rings from 0 to the radius, P_l Legendre polynomials, all of about the mean square 1; |r| is
    softened as in `solid_harmonics.softened`, so that they are smooth where two points meet.

    Args:
        offsets: planes (x, y, z) of the offsets r, `(B, N, K)` each.
        directions: unit vectors o, an array `(A, 3)`.
        radius: a number.
        rings: how many.
        degree: the highest l.

    Returns:
        `(B, N, K A, rings (degree + 1))`.
    """
    direction, distance = solid_harmonics.softened(offsets, radius)
    radial = solid_harmonics.gaussian_rings(distance / radius, rings)
    axes = [ops.convert_to_tensor(directions[:, i], dtype=distance.dtype) for i in range(len(offsets))]
    cosine = sum(ops.expand_dims(x, -1) * o for x, o in zip(direction, axes, strict=True))
    count, pairs = cosine.shape[1], cosine.shape[2] * cosine.shape[3]
    polar = [ops.ones_like(cosine), cosine]
    for n in range(2, degree + 1):
        polar.append(((2 * n - 1) * cosine * polar[-1] - (n - 1) * polar[-2]) / n)
    polar = ops.stack([math.sqrt(2 * n + 1) * p for n, p in enumerate(polar[: degree + 1])], axis=-1)
    polar = ops.reshape(polar, (-1, count, cosine.shape[2], cosine.shape[3] * (degree + 1)))
    features = ops.expand_dims(radial, -2) * ops.expand_dims(polar, -1)  # (B, N, K, A degrees, rings)
    return ops.reshape(features, (-1, count, pairs, (degree + 1) * rings))


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
