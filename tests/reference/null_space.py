"""The slow oracle of steerable kernels: all constraints as one linear system, its null space by singular values."""

import math

import numpy as np
from scipy.spatial.transform import Rotation

from keras_equivariant import groups
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


def band_limited_kernels(source, target, kernel_size, rings, rotations):
    """Sampled solutions among rings x {1, cos m phi, sin m phi} x all matrices, `(n, pixels * out * in)`.

    The constraint is evaluated on points off the grid, for the elements with the matrices `rotations`.
    """
    points = np.random.default_rng(0).normal(size=(16, 2)) * max(kernel_size) / 3
    rho_in, rho_out = source.rho(rotations), target.rho(rotations)
    here, constraints = _functions(points, kernel_size, rings), []
    for matrix, before, after in zip(rotations, rho_in, rho_out, strict=True):
        there = _functions(points @ matrix.T, kernel_size, rings)  # K(g x), points are (x, y)
        left = np.einsum("fx,ab,cd->xacfbd", there, np.eye(target.dim), np.eye(source.dim))
        right = np.einsum("fx,ab,cd->xacfbd", here, after, before)
        constraints.append((left - right).reshape(len(points) * target.dim * source.dim, -1))
    solutions = null_space(np.concatenate(constraints))
    on_grid = grid.centered_points(kernel_size)
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


def band_limited_volumes(source, target, kernel_size, rings, group="SO3", rotations=None):
    """The same in space between irreps of a continuous group, with products of coordinates in place of harmonics.

    Args:
        rotations: elements of the group, `(n, 3, 3)`, that generate it; by default random rotations.
    """
    if rotations is None:
        rotations = Rotation.from_quat(np.random.default_rng(1).normal(size=(3, 4))).as_matrix()
    points = np.random.default_rng(0).normal(size=(25, 3)) * max(kernel_size) / 3
    before, after = (groups.irrep(group, label).rho(rotations) for label in (source, target))
    dims, here, constraints = (after.shape[1], before.shape[1]), _monomials(points, kernel_size, rings), []
    for matrix, rho_in, rho_out in zip(rotations, before, after, strict=True):
        there = _monomials(points @ matrix.T, kernel_size, rings)
        left = np.einsum("fx,ab,cd->xacfbd", there, np.eye(dims[0]), np.eye(dims[1]))
        right = np.einsum("fx,ab,cd->xacfbd", here, rho_out, rho_in)
        constraints.append((left - right).reshape(len(points) * dims[0] * dims[1], -1))
    solutions = null_space(np.concatenate(constraints))
    sampled = _monomials(grid.centered_points(kernel_size), kernel_size, rings)
    found = np.einsum("nfab,fp->npab", solutions.reshape(len(solutions), len(sampled), *dims), sampled)
    return found.reshape(len(found), -1)


def _monomials(points, kernel_size, rings):
    """On each shell the products of coordinates of unit vectors that span the degrees up to its limit."""
    radius = np.linalg.norm(points, axis=1)
    x, y, z = (points / np.where(radius > 1e-9, radius, 1)[:, None]).T
    values = []
    for ring, width, limit in rings(kernel_size):
        profile = rings.profile(radius, ring, width)
        # Degrees n and n - 1 restricted to the sphere hold all lower ones.
        for degree in {limit, max(limit - 1, 0)}:
            for a in range(degree + 1):
                for b in range(degree + 1 - a):
                    monomial = x**a * y**b * z ** (degree - a - b)
                    values.append(profile * np.where(radius > 1e-9, monomial, _mean(a, b, degree - a - b)))
    return np.array(values)


def _mean(*powers):
    """The mean of a product of coordinates over the unit sphere, its value at the center."""
    if any(power % 2 for power in powers):
        return 0.0
    odd = [math.prod(range(1, power, 2)) for power in powers]
    return math.prod(odd) / math.prod(range(1, sum(powers) + 2, 2))
