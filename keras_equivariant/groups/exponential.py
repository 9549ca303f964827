"""Rotations and their logarithms in float64, and the functions of an angle that exp and log of rigid motions need."""

import numpy as np

PLANES = {1: (), 2: ((1, 0),), 3: ((2, 1), (0, 2), (1, 0))}  # by dimension: the entry where the sine is positive

_SMALL = 0.25  # squared angle below which the series are used
_ROUNDING = 1e-14  # sines and angles below this are those of half a turn
_SAME = 1e-6  # coordinates of an axis below this count as 0


def _series(square, coefficients, exact):
    """`exact(angle)` away from 0, its power series in the squared angle near it."""
    angle = np.sqrt(np.where(square < _SMALL, 1.0, square))
    return np.where(square < _SMALL, np.polynomial.polynomial.polyval(square, coefficients), exact(angle))


def sinc(square):
    return _series(square, [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800], lambda x: np.sin(x) / x)


def cosc(square):
    coefficients = [1 / 2, -1 / 24, 1 / 720, -1 / 40320, 1 / 3628800, -1 / 479001600]
    return _series(square, coefficients, lambda x: (1 - np.cos(x)) / x**2)


def sincc(square):
    coefficients = [1 / 6, -1 / 120, 1 / 5040, -1 / 362880, 1 / 39916800, -1 / 6227020800]
    return _series(square, coefficients, lambda x: (x - np.sin(x)) / x**3)


def inverse_coefficient(square):
    """c in V^-1 = I - K / 2 + c K^2, (1 - (x / 2) cot(x / 2)) / x^2: finite at half a turn."""
    coefficients = [1 / 12, 1 / 720, 1 / 30240, 1 / 1209600, 1 / 47900160, 691 / 1307674368000]
    return _series(square, coefficients, lambda x: (1 - x / 2 * np.cos(x / 2) / np.sin(x / 2)) / x**2)


def hat(angles, dimension):
    """The antisymmetric matrices `(..., d, d)` of angles `(..., 1)` of the plane, or axes times angles of space."""
    found = np.zeros((*angles.shape[:-1], dimension, dimension))
    for i, (row, column) in enumerate(PLANES[dimension][: angles.shape[-1]]):
        found[..., row, column], found[..., column, row] = angles[..., i], -angles[..., i]
    return found


def rotation_vector(rotation):
    """The angle `(..., 1)` of rotations of the plane, the axis times the angle `(..., 3)` of those of space.

    To rounding at every angle. Near half a turn the antisymmetric part of a matrix vanishes, and the axis n is taken
    from the symmetric one, cos(t) I + (1 - cos(t)) n n^T. Of the two angles, or axes, of half a turn it is the one
    that is positive, or whose first coordinate off 0 is positive.
    """
    d = rotation.shape[-1]
    sines = np.stack([rotation[..., i, j] - rotation[..., j, i] for i, j in PLANES[d]], axis=-1) / 2
    if d == 2:
        angle = np.arctan2(sines[..., 0], np.trace(rotation, axis1=-2, axis2=-1) / 2)
        return np.where(angle < -np.pi + _ROUNDING, np.abs(angle), angle)[..., None]
    sine = np.linalg.norm(sines, axis=-1)[..., None]
    cosine = ((np.trace(rotation, axis1=-2, axis2=-1) - 1) / 2)[..., None]
    angle = np.arctan2(sine, cosine)
    near = sines * np.where(sine == 0, 1.0, angle / np.where(sine == 0, 1.0, sine))
    return np.where(cosine > 0, near, angle * _axis(rotation, sines, cosine))


def _axis(rotation, sines, cosine):
    """The axis of rotations by more than a quarter turn, `(..., 3)`."""
    outer = (rotation + np.swapaxes(rotation, -1, -2)) / 2 - cosine[..., None] * np.eye(3)
    longest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    axis = np.take_along_axis(outer, longest[..., None, None], axis=-1)[..., 0]
    length = np.linalg.norm(axis, axis=-1, keepdims=True)
    axis = axis / np.where(length == 0, 1.0, length)
    along = np.sum(axis * sines, axis=-1, keepdims=True)
    first = np.take_along_axis(axis, np.argmax(np.abs(axis) > _SAME, axis=-1)[..., None], axis=-1)
    return axis * np.where(np.where(np.abs(along) > _ROUNDING, along, first) < 0, -1.0, 1.0)
