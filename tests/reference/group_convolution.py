"""The definition of the lifting and the group convolution, loop by loop: slow, and independent of the fast path."""

import itertools

import numpy as np


def group_convolution(f, psi, group):
    """y(x, s) = sum over p, t of f(p, t) psi(s^-1 (p - x), s^-1 t), valid padding.

    Args:
        f: `(H, W, order, C)`, or `(H, W, 1, C)` for a lifting convolution.
        psi: `(k, k, order or 1, C, F)`.
        group: FiniteGroup of pixel permutations.
    """
    k, size = psi.shape[0], f.shape[0] - psi.shape[0] + 1
    lifting = f.shape[2] == 1
    y = np.zeros((size, size, group.order, psi.shape[-1]))
    centre = (k - 1) / 2
    for row, column, s in itertools.product(range(size), range(size), range(group.order)):
        inverse = group.matrices[group.inverse(s)]
        for u, v, t in itertools.product(range(k), range(k), range(f.shape[2])):
            point = np.array([v - centre, -(u - centre)])  # (x to the right, y up) about the kernel's centre
            x, up = inverse @ point
            source = int(round(-up + centre)), int(round(x + centre))
            plane = 0 if lifting else group.product(group.inverse(s), t)
            y[row, column, s] += f[row + u, column + v, t] @ psi[*source, plane]
    return y
