"""The definition of the lifting and the group convolution, loop by loop: slow, and independent of the fast path."""

import itertools

import numpy as np


def group_convolution(f, psi, group):
    """y(x, s) = sum over p, t of f(p, t) psi(s^-1 (p - x), s^-1 t), valid padding.

    Args:
        f: `(*space, order, C)`, or `(*space, 1, C)` for a lifting convolution.
        psi: `(*kernel_size, order or 1, C, F)`.
        group: FiniteGroup of pixel permutations.
    """
    window = psi.shape[: group.dimension]
    sizes = [n - k + 1 for n, k in zip(f.shape, window, strict=False)]
    center = (np.array(window) - 1) / 2
    lifting = f.shape[-2] == 1
    y = np.zeros((*sizes, group.order, psi.shape[-1]))
    for s in range(group.order):
        inverse = group.matrices[group.inverse(s)]
        for tap, t in itertools.product(np.ndindex(*window), range(f.shape[-2])):
            source = to_index(inverse @ to_point(np.array(tap) - center)) + center
            plane = 0 if lifting else group.product(group.inverse(s), t)
            kernel = psi[(*np.round(source).astype(int), plane)]
            for x in np.ndindex(*sizes):
                y[(*x, s)] += f[(*np.add(x, tap), t)] @ kernel
    return y


def to_point(index):
    """Array coordinates about the center as a point: in the plane (x to the right, y up), in space the same."""
    return np.array([index[1], -index[0]]) if len(index) == 2 else index


def to_index(point):
    """The inverse of `to_point`."""
    return np.array([-point[1], point[0]]) if len(point) == 2 else point
