"""Deterministic sets of rotations about a point, on which points are lifted: subgroups where there are any."""

import numpy as np

_GOLDEN = (np.sqrt(5) - 1) / 2
SUBGROUPS_OF_SPACE = (1, 2, 4, 12, 24)


def rotations_of_plane(samples):
    """`samples` equally spaced rotations of the plane as (cosine, sine): the group C_n, `(samples, 2)`."""
    angles = 2 * np.pi * np.arange(samples) / samples
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def rotations_of_space(samples):
    """`samples` rotations of space as unit quaternions (w, x, y, z), `(samples, 4)`.

    A subgroup for 1, 2 (half turn), 4 (half turns about the axes), 12 (tetrahedron) and 24 (cube), on which lifting is
    exactly equivariant; else a spiral that covers all rotations evenly.
    """
    if samples in (1, 2):
        return np.array([[1.0, 0, 0, 0], [0, 0, 0, 1.0]])[:samples]
    if samples == 4:
        return np.eye(4)
    if samples in (12, 24):
        signs = np.array(np.meshgrid([1.0], *[[0.5, -0.5]] * 3, indexing="ij")).reshape(4, -1).T
        signs[:, 0] = 0.5
        found = [np.eye(4), signs]
        if samples == 24:
            pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
            edges = np.zeros((12, 4))
            for n, (i, j) in enumerate(pairs):
                edges[2 * n : 2 * n + 2, [i, j]] = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
            found.append(edges)
        return np.concatenate(found)
    return super_fibonacci(samples)


def super_fibonacci(samples):
    """Any number of rotations of space, evenly spread (Alexa, Super-Fibonacci Spirals, CVPR 2022)."""
    s = np.arange(samples) + 0.5
    r, big = np.sqrt(s / samples), np.sqrt(1 - s / samples)
    a, b = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    return np.stack([r * np.sin(a), r * np.cos(a), big * np.sin(b), big * np.cos(b)], axis=-1)


def low_discrepancy(count):
    """`count` numbers in [0, 1) that fill it evenly however many are taken."""
    return np.arange(count) * _GOLDEN % 1.0
