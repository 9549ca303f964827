"""Kernels of the continuous groups about one axis: their number, their law at any angle, and that they are all."""

import numpy as np
import pytest
from null_space import band_limited_volumes

import keras_equivariant as ke
from keras_equivariant import groups
from keras_equivariant.groups import grid
from keras_equivariant.kernels import Rings
from keras_equivariant.kernels.harmonic_maps import harmonic_maps
from keras_equivariant.kernels.steerable import irrep_kernels

NAMES = ["Cinfz", "Cinfv", "Cinfh", "Dinfz", "Dinfh"]


def rotated(group):
    """Elements at two angles that generate a dense part of each component."""
    group = groups.get(group)
    return np.array([m @ groups.rotation_matrix(a, (0, 0, 1)) for a in (25, 131) for m in group.components.matrices])


@pytest.mark.parametrize("name", NAMES)
def test_number_and_law_of_the_maps(name):
    """As many as the characters say, and steerable at points anywhere, rotated by any angle."""
    group, elements = groups.get(name), rotated(name)
    points = np.random.default_rng(0).normal(size=(20, 3))
    irreps = groups.irreps(group, 2)
    for degree in range(4):
        sample = group.sample(degree + 4)
        waves = np.trace(groups.wigner_d(degree, sample.matrices), axis1=1, axis2=2)
        traces = {rho: np.trace(rho.rho(sample.matrices), axis1=1, axis2=2) for rho in irreps}
        here = groups.spherical_harmonics(degree, points)
        for source in irreps:
            for target in irreps:
                maps = harmonic_maps(group, source.name, target.name, degree)
                assert len(maps) == round(float(sample.haar_weights @ (waves * traces[source] * traces[target])))
                rows = maps.reshape(len(maps), target.dim * source.dim * (2 * degree + 1))
                np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-12)
                kernels = np.einsum("noic,pc->npoi", maps, here)
                for matrix, before, after in zip(elements, source.rho(elements), target.rho(elements), strict=True):
                    there = groups.spherical_harmonics(degree, points @ matrix.T)
                    moved = np.einsum("noic,pc->npoi", maps, there)
                    np.testing.assert_allclose(moved, after @ kernels @ before.T, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "source", "target"),
    [
        ("Cinfz", "1", "2"),
        ("Cinfv", "0-", "1"),
        ("Cinfh", "0o", "1e"),
        ("Dinfz", "0+", "1"),
        ("Dinfh", "0e+", "2e"),
        ("Dinfh", "1o", "0o-"),
    ],
)
def test_the_band_limited_kernels_are_all_there_are(name, source, target):
    ours = irrep_kernels(name, source, target, (3, 3, 3), "steerable")
    oracle = band_limited_volumes(source, target, (3, 3, 3), Rings(), name, rotated(name))
    assert len(ours) == np.linalg.matrix_rank(oracle, tol=1e-6) > 0
    ours = ours.reshape(len(ours), -1)
    np.testing.assert_allclose(oracle @ ours.T @ ours, oracle, atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(3, 3, 3), (4, 4, 2), (2, 2, 3)])
def test_law_on_the_grid(name, size):
    group, largest = groups.get(name), 0.0
    for source in groups.irreps(group, 2):
        for target in groups.irreps(group, 2):
            found = irrep_kernels(group, source.name, target.name, size, "steerable")
            found = found.reshape(-1, *size, *found.shape[2:])
            for matrix in group.matrices if len(found) else ():
                before, after = (rho.rho(matrix[None])[0] for rho in (source, target))
                moved = grid.permute_pixels(found, matrix)
                np.testing.assert_allclose(after @ moved @ before.T, found, atol=1e-12)
                largest = max(largest, np.abs(moved - found).max())
    assert largest > 0.1  # moving the voxels alone does not do


def test_more_kernels_than_of_all_rotations_and_all_of_its():
    """Degree 1 of SO(3) is (x, y, z): its kernels are some of those between 1x0 + 1x1 of Cinfz."""
    theirs = irrep_kernels("SO3", "1", "1", (3, 3, 3), "steerable")
    restricted = groups.restriction(ke.FieldType.parse("1x1", "SO3"), "Cinfz")
    change = np.concatenate([copies[0] for copies in restricted.maps[0]])
    moved = change @ theirs @ change.T
    count = 0
    for a, rows in (("0", slice(0, 1)), ("1", slice(1, 3))):
        for b, columns in (("0", slice(0, 1)), ("1", slice(1, 3))):
            ours = irrep_kernels("Cinfz", b, a, (3, 3, 3), "steerable")
            ours, part = ours.reshape(len(ours), -1), moved[:, :, rows, columns].reshape(len(moved), -1)
            np.testing.assert_allclose(part @ ours.T @ ours, part, atol=2e-2)
            count += len(ours)
    assert count > 3 * len(theirs)
