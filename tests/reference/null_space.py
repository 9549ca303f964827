"""The slow oracle of steerable kernels: all constraints as one linear system, its null space by singular values."""

import numpy as np

from keras_equivariant.groups import grid


def null_space(constraints, tolerance=1e-8):
    """Orthonormal rows that span the solutions of constraints x = 0."""
    _, values, rows = np.linalg.svd(constraints)
    rank = int((values > tolerance * max(values.max(initial=0), 1)).sum())
    return rows[rank:]


def exact_kernels(source, target, kernel_size):
    """Solutions of K(g x) = target(g) K(x) source(g)^-1 on the pixels, `(n, pixels * out * in)`.

    Args:
        source, target: Representations of a finite group that permutes the pixels.
        kernel_size: (rows, columns).
    """
    pixels = int(np.prod(kernel_size))
    size = pixels * target.dim * source.dim
    index = np.arange(pixels).reshape(kernel_size)
    blocks = []
    for g, matrix in enumerate(source.group.matrices):
        moved = grid.permute_pixels(index, matrix, first_axis=0).ravel()  # the moved kernel's pixel p is moved[p]
        action = np.zeros((pixels, target.dim, source.dim, pixels, target.dim, source.dim))
        for p in range(pixels):
            action[p, :, :, moved[p]] = np.einsum("ab,cd->acbd", target.matrices[g], source.matrices[g])
        blocks.append(action.reshape(size, size) - np.eye(size))
    return null_space(np.concatenate(blocks))


def band_limited_kernels(source, target, kernel_size, rings, turns):
    """Sampled solutions among rings x {1, cos m phi, sin m phi} x all matrices, `(n, pixels * out * in)`.

    The constraint is evaluated on points off the grid, for the elements with the matrices `turns`.
    """
    points = np.random.default_rng(0).normal(size=(16, 2)) * max(kernel_size) / 3
    rho_in, rho_out = source.at(turns), target.at(turns)
    here, constraints = _functions(points, kernel_size, rings), []
    for matrix, before, after in zip(turns, rho_in, rho_out, strict=True):
        there = _functions(points @ matrix.T, kernel_size, rings)  # K(g x), points are (x, y)
        left = np.einsum("fx,ab,cd->xacfbd", there, np.eye(target.dim), np.eye(source.dim))
        right = np.einsum("fx,ab,cd->xacfbd", here, after, before)
        constraints.append((left - right).reshape(len(points) * target.dim * source.dim, -1))
    solutions = null_space(np.concatenate(constraints))
    on_grid = grid.centred_points(kernel_size)
    sampled = _functions(np.stack([on_grid[:, 1], -on_grid[:, 0]], axis=1), kernel_size, rings)
    kernels = solutions.reshape(len(solutions), len(sampled), target.dim, source.dim)
    return np.einsum("nfab,fp->npab", kernels, sampled).reshape(
        len(solutions), np.prod(kernels.shape[2:]) * len(on_grid)
    )


def _functions(points, kernel_size, rings):
    radius, angle = np.hypot(*points.T), np.arctan2(points[:, 1], points[:, 0])
    values = []
    for ring, width, limit in rings(kernel_size):
        profile = rings.profile(radius, ring, width)
        values.append(profile)
        for m in range(1, limit + 1):
            off = profile * (radius > 1e-9)
            values += [off * np.cos(m * angle), off * np.sin(m * angle)]
    return np.array(values)
