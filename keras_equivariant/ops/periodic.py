"""Copies of points in the cells around a periodic cell."""

import itertools

import numpy as np
from keras import ops

from keras_equivariant.ops.neighborhoods import FAR

_LEAST = 1e-6  # of the radius, the reach in a cell without volume


def copies(points, mask, vectors, images, radius):
    """Points moved into their cell by lattice vectors, and their copies in so many cells on each side of it.

    Args:
        points: positions `(B, N, d)`, d = 2 or 3.
        mask: `(B, N)` booleans, which points are there.
        vectors: `(B, N, d d)`, the lattice vectors one after the other; one of zeros is none: no period along it. All
            points of a sample are in one cell, the mean of theirs.
        images: how many cells on each side.
        radius: a number, within which copies are looked for.

    Returns:
        `(copies (B, M, d), mask (B, M), reach (B, 1, 1))`: the first N of the M are the points in their cell. Within
        `reach` there is no further copy: `images` times the least height of the cell, `FAR` where there is no period.
    """
    d = points.shape[2]
    weights = ops.cast(ops.expand_dims(mask, -1), points.dtype)
    number = ops.sum(weights, axis=1, keepdims=True)
    vectors = ops.sum(weights * vectors, axis=1, keepdims=True) / ops.where(number > 0, number, 1.0)
    rows = [[vectors[..., d * i + j] for j in range(d)] for i in range(d)]
    there = [sum(x * x for x in row) > 0 for row in rows]
    inverse, whole = _inverse_gram(rows, there)
    along = [sum(points[..., j] * row[j] for j in range(d)) for row in rows]
    fractions = [ops.stop_gradient(sum(inverse[i][j] * along[j] for j in range(d))) for i in range(d)]
    steps = [ops.floor(x) for x in fractions]
    inside = points - sum(ops.expand_dims(s, -1) * vectors[..., d * i : d * (i + 1)] for i, s in enumerate(steps))
    heights = [1 / ops.sqrt(inverse[i][i]) for i in range(d)]
    reach = _least([ops.where(t, images * h, FAR) for t, h in zip(there, heights, strict=True)])
    reach = ops.where(whole, reach, _LEAST * radius)

    shifts = np.array(list(itertools.product(range(-images, images + 1), repeat=d)))
    shifts = shifts[np.argsort(np.abs(shifts).sum(axis=1), kind="stable")]
    found, near = ops.expand_dims(inside, 1), ops.expand_dims(mask, 1)
    for i in range(d):
        shift = ops.convert_to_tensor(shifts[:, i, None], points.dtype)  # (cells, 1)
        found = found + ops.expand_dims(shift, -1) * ops.expand_dims(vectors[..., d * i : d * (i + 1)], 1)
        at, margin = ops.expand_dims(fractions[i] - steps[i], 1) + shift, ops.expand_dims(1.01 * radius / heights[i], 1)
        close = ops.logical_and(ops.expand_dims(there[i], 1), ops.logical_and(at > -margin, at < 1 + margin))
        near = ops.logical_and(near, ops.logical_or(ops.equal(shift, 0.0), close))
    found, near = (
        ops.reshape(found, (-1, len(shifts) * points.shape[1], d)),
        ops.reshape(near, (-1, near.shape[1] * near.shape[2])),
    )
    return found, near, ops.expand_dims(reach, -1)


def _inverse_gram(rows, there):
    """The inverse of the products of the vectors, 1 for those that are none, and whether they are independent."""
    d = len(rows)
    gram = [[sum(a * b for a, b in zip(rows[i], rows[j], strict=True)) for j in range(d)] for i in range(d)]
    for i in range(d):
        gram[i][i] = ops.where(there[i], gram[i][i], 1.0)
    if d == 2:
        (a, b), (_, c) = gram
        cofactors, size = [[c, -b], [-b, a]], a * c
    else:
        (a, b, c), (_, e, f), (_, _, i) = gram
        x, y, z = c * f - b * i, b * f - c * e, b * c - a * f
        cofactors, size = [[e * i - f * f, x, y], [x, a * i - c * c, z], [y, z, a * e - b * b]], a * e * i
    determinant = sum(g * c for g, c in zip(gram[0], cofactors[0], strict=True))
    whole = determinant > 1e-6 * size  # of the squared volume: thinner cells have no reach worth the name
    inverse = [[ops.where(whole, x / ops.where(whole, determinant, 1.0), 0.0) for x in row] for row in cofactors]
    for i in range(d):
        inverse[i][i] = ops.where(whole, inverse[i][i], 1.0)
    return inverse, whole


def _least(planes):
    found = planes[0]
    for plane in planes[1:]:
        found = ops.where(plane < found, plane, found)
    return found
