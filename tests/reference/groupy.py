"""GrouPy's definition of p4 and p4m convolutions, element by element: slow, and independent of our conventions."""

import itertools

import numpy as np


def matrix(element):
    """The matrix of element 4 m + r on (row, column): diag((-1)^m, 1) R(r)."""
    m, r = divmod(element, 4)
    c, s = [(1, 0), (0, 1), (-1, 0), (0, -1)][r]
    return np.array([[c * (-1) ** m, -s * (-1) ** m], [s, c]])


def index(wanted, order):
    return next(e for e in range(order) if np.array_equal(matrix(e), wanted))


def transformed(w, order):
    """W+[i, s', j, s, u, v] = W[i, j, s'^-1 (s, u, v)], (u, v) from the center of an odd kernel."""
    size, inside = w.shape[-1], w.shape[2]
    half = size // 2
    result = np.zeros((w.shape[0], order, *w.shape[1:]))
    for after, s, u, v in itertools.product(range(order), range(inside), range(size), range(size)):
        inverse = matrix(after).T
        source = 0 if inside == 1 else index(inverse @ matrix(s), order)
        a, b = inverse @ (u - half, v - half) + half
        result[:, after, :, s, u, v] = w[:, :, source, a, b]
    return result


def convolve(f, w, order, bias=0.0):
    """Valid cross-correlation: f `(C, |G| or 1, H, W)` to `(C_out, |G|, H', W')`."""
    filters = transformed(w, order)
    size = w.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(f, (size, size), axis=(2, 3))
    return np.einsum("itjsuv,jshwuv->ithw", filters, windows) + np.reshape(bias, (-1, 1, 1, 1))
