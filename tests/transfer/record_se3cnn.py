"""Filters of se3cnn's formulae and what they make of a volume, with the harmonics of lie_learn 0.0.2, as there:

python record_se3cnn.py se3cnn.npz
"""

import sys

import numpy as np
from lie_learn.representations.SO3.spherical_harmonics import sh
from lie_learn.representations.SO3.wigner_d import wigner_D_matrix

ANGLES = np.random.default_rng(0).uniform(0, 2 * np.pi, size=(5, 3))


def harmonics(degree, points):
    """`(2 l + 1, ...)` at points (x, y, z) along the axes of a volume: polar axis z, at pi - beta."""
    x, y, z = np.moveaxis(points, -1, 0)
    radius = np.sqrt(x**2 + y**2 + z**2)
    beta = np.arccos(np.divide(z, radius, out=np.zeros_like(z), where=radius > 0))
    found = np.stack([sh(degree, m, np.pi - beta, np.arctan2(y, x)) for m in range(-degree, degree + 1)])
    return np.where(radius > 0, found, 1 / np.sqrt(4 * np.pi) if degree == 0 else 0.0)


def coupling(out, inside, degree):
    """The tensor that all rotations keep, by the null space of the product of the three representations."""
    rows = []
    for angles in ANGLES:
        d = [wigner_D_matrix(n, *angles) for n in (out, inside, degree)]
        whole = np.kron(np.kron(d[0], d[1]), d[2])
        rows.append(whole - np.eye(len(whole)))
    vector = np.linalg.svd(np.concatenate(rows))[2][-1]
    return vector.reshape(2 * out + 1, 2 * inside + 1, 2 * degree + 1)


def basis(size, inside, out):
    """`(n, out, in, x, y, z)`: shells of width 0.6 at 0, 1, ..., with degrees up to 0, 3, 5, ..."""
    axis = np.arange(size) - (size - 1) / 2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    radius = np.sqrt((points**2).sum(axis=-1))
    found = []
    for shell, highest in zip(range(size // 2 + 1), (0, 3, 5, 7), strict=False):
        window = np.exp(-0.5 * ((radius - shell) / 0.6) ** 2)
        for degree in range(abs(out - inside), out + inside + 1):
            if degree <= highest:
                kernel = np.einsum("ijm,mxyz->ijxyz", coupling(out, inside, degree), harmonics(degree, points))
                found.append(kernel * window)
    return np.stack(found)


def kernel(fields_in, fields_out, size, rng):
    """`(channels out, channels in, x, y, z)`, field after field, from `[(multiplicity, degree)]`."""
    rows = []
    for copies_out, out in fields_out:
        row = []
        for copies_in, inside in fields_in:
            functions = basis(size, inside, out)
            weights = rng.normal(size=(copies_out, copies_in, len(functions)))
            part = np.einsum("uvb,bijxyz->uivjxyz", weights, functions)
            row.append(part.reshape(copies_out * (2 * out + 1), copies_in * (2 * inside + 1), *[size] * 3))
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)


def main(path):
    rng = np.random.default_rng(1)
    fields_in, fields_out = [(2, 0), (1, 1), (1, 2)], [(1, 0), (2, 1), (1, 2), (1, 3)]
    filters = kernel(fields_in, fields_out, 5, rng)
    x = rng.normal(size=(filters.shape[1], 6, 6, 6))
    windows = np.lib.stride_tricks.sliding_window_view(x, (5, 5, 5), axis=(1, 2, 3))
    y = np.einsum("oiuvw,ixyzuvw->oxyz", filters, windows)
    np.savez_compressed(path, fields_in=fields_in, fields_out=fields_out, filters=filters.astype("float32"), x=x, y=y)


if __name__ == "__main__":
    main(*sys.argv[1:])
