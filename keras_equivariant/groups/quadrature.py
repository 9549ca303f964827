"""Means over the sphere and over SO(3) that are exact up to a degree and do not change when the cube rotates.

The rotations of the cube permute the points, so that whatever is computed on them commutes with those rotations to
rounding. What they leave of a degree are its invariants, of which there are few: only those must be made to vanish.
"""

import functools

import numpy as np

from keras_equivariant.groups import spherical
from keras_equivariant.groups.point_groups import point_group

# Exact up to this degree: all directions of these kinds (50 points: Lebedev 1976), with the weights that make it so.
_KINDS = ((3, (0, 0, 1)), (5, (1, 1, 1)), (7, (0, 1, 1)), (11, (1, 1, 3)))


@functools.lru_cache(maxsize=32)
def cubic_sphere(degree):
    """Points and weights of a mean over the unit sphere, `(n, 3)` and `(n,)`: 6, 14, 26 or 50 up to degree 11."""
    cube = point_group("Oh").matrices
    if degree > _KINDS[-1][0]:
        points, weights = spherical.gauss_sphere(degree)
        return (points @ cube.swapaxes(1, 2)).reshape(-1, 3), np.tile(weights, len(cube)) / len(cube)
    number = next(i for i, (exact, _) in enumerate(_KINDS) if exact >= degree) + 1
    orbits = [_orbit(np.array(kind) / np.linalg.norm(kind), cube) for _, kind in _KINDS[:number]]
    moments = [[1.0] * number]
    for even in range(4, _KINDS[number - 1][0] + 1, 2):
        (invariant,) = _invariants(even, cube)
        moments.append([spherical.spherical_harmonics(even, points).mean(axis=0) @ invariant for points in orbits])
    shares = np.linalg.lstsq(np.array(moments), np.eye(len(moments))[0], rcond=None)[0]
    weights = [np.full(len(points), share / len(points)) for points, share in zip(orbits, shares, strict=True)]
    return np.concatenate(orbits), np.concatenate(weights)


@functools.lru_cache(maxsize=32)
def cubic_rotations(degree):
    """Rotations and weights of a mean over SO(3), `(n, 3, 3)` and `(n,)`: 24, 120 or 480 up to degree 9.

    The rotations of the cube leave invariants of the degrees 4, 6, 8, 9, ..., those of the icosahedron of 6, 10, ...;
    products of both only of 6, and none of it where the two are rotated to each other by the right angle.
    """
    cube = point_group("O").matrices
    if degree <= 3:
        found = cube
    elif degree <= 9:
        found = _products(cube, _third(_angle() if degree > 5 else 0.0), point_group("I").matrices)
    else:
        matrices, weights = spherical.gauss_rotations(degree)
        return (cube[:, None] @ matrices).reshape(-1, 3, 3), np.tile(weights, len(cube)) / len(cube)
    return found, np.full(len(found), 1.0 / len(found))


@functools.cache
def _angle():
    """The angle about (1, 1, 1) at which the invariants of degree 6 of cube and icosahedron are orthogonal."""
    (cube,), (other,) = (_invariants(6, point_group(name).matrices) for name in ("O", "I"))

    def overlap(angle):
        return cube @ spherical.wigner_d(6, _third(angle)[None])[0] @ other

    angles = np.linspace(0, 2 * np.pi / 3, 25)
    values = [overlap(angle) for angle in angles]
    start = next(i for i in range(len(angles) - 1) if values[i] * values[i + 1] < 0)
    low, high = angles[start], angles[start + 1]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if overlap(low) * overlap(middle) > 0 else (low, middle)
    return (low + high) / 2


def _third(angle):
    """The rotation about (1, 1, 1), which cube and icosahedron share as an axis."""
    cross = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / np.sqrt(3)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _products(first, between, second):
    """All different products of an element of each group with the rotation between them."""
    found = {}
    for matrix in ((first @ between)[:, None] @ second).reshape(-1, 3, 3):
        found.setdefault(tuple((np.round(matrix, 6) + 0.0).ravel()), matrix)
    return np.stack(list(found.values()))


def _orbit(point, matrices):
    moved = matrices @ point
    _, first = np.unique(np.round(moved, 6) + 0.0, axis=0, return_index=True)
    return moved[np.sort(first)]


def _invariants(degree, matrices):
    """Orthonormal invariants of a degree under a finite group, `(n, 2 l + 1)`."""
    values, vectors = np.linalg.eigh(spherical.wigner_d(degree, matrices).mean(axis=0))
    return vectors.T[values > 0.5]
