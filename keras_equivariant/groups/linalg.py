"""Linear algebra whose results are the same in every process: orthonormal rows, clean entries, runs of eigenvalues."""

import numpy as np

MIRROR = np.diag([-1.0, 1.0])  # left and right


def irrep_of_rotation(matrices, frequency):
    """Every rotation of the plane by t as one by `frequency` t, mirrors kept: [M R(t)] -> M R(frequency t)."""
    matrices = np.asarray(matrices, dtype=np.float64)
    mirrored = np.linalg.det(matrices) < 0
    rotations = np.where(mirrored[:, None, None], MIRROR @ matrices, matrices)
    powers = (rotations[:, 0, 0] + 1j * rotations[:, 1, 0]) ** frequency
    rotated = np.stack([np.stack([powers.real, -powers.imag], -1), np.stack([powers.imag, powers.real], -1)], axis=1)
    rotated = snapped(rotated)
    return np.where(mirrored[:, None, None], MIRROR @ rotated + 0.0, rotated)


def gram_schmidt(rows, most=None, tolerance=1e-6):
    """The rows made orthonormal one after the other, dependent ones left out; signs and order stay.

    The same in every process, which an eigensolver's vectors are not. A row counts as dependent if less than
    `tolerance` of its length is left.
    """
    rows = np.asarray(rows, dtype=np.float64)
    lengths = np.sqrt(np.sum(rows**2, axis=1))
    found = np.zeros((min(rows.shape) if most is None else min(most, *rows.shape), rows.shape[1]))
    count = 0
    for row, length in zip(rows, lengths, strict=True):
        if count == len(found):
            break
        if length < tolerance:
            continue
        before = found[:count]
        rest = row - (before @ row) @ before
        rest = rest - (before @ rest) @ before  # removes what rounding left
        left = np.sqrt(rest @ rest)
        if left > tolerance * length:
            found[count] = rest / left
            count += 1
    return without_noise(found[:count])


def without_noise(values):
    """The values with those that only rounding keeps from 0 set to 0, and no negative zeros."""
    return np.where(np.abs(values) < 1e-14, 0.0, values)


def snapped(matrices):
    """Entries that only rounding keeps from a multiple of 1/2 set to it, and no negative zeros."""
    halves = np.round(2 * matrices) / 2 + 0.0
    return np.where(np.abs(matrices - halves) < 1e-12, halves, matrices)


def runs(values):
    """Start and stop of each run of equal eigenvalues."""
    edges = np.flatnonzero(np.diff(values) > 1e-8 * np.abs(values).max()) + 1
    return list(zip([0, *edges], [*edges, len(values)], strict=True))
