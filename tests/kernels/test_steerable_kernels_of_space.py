"""Facts of the kernels of 3D Steerable CNNs: their number, their law, what they are at the center, how well sampled."""

import numpy as np
import pytest
from null_space import band_limited_volumes
from scipy.spatial.transform import Rotation

from keras_equivariant import FieldType, groups
from keras_equivariant.groups import grid
from keras_equivariant.kernels import Rings, steerable_basis
from keras_equivariant.kernels.steerable import irrep_kernels

# Rows are the degree that comes out, columns the one that goes in.
COUNTS = {
    (5, None): [[3, 2, 2, 2], [2, 7, 6, 5], [2, 6, 10, 8], [2, 5, 8, 11]],
    (5, "conservative"): [[3, 2, 2, 1], [2, 7, 5, 4], [2, 5, 9, 6], [1, 4, 6, 9]],
    (5, "sfcnn"): [[3, 2, 2, 2], [2, 7, 6, 6], [2, 6, 11, 9], [2, 6, 9, 13]],
    (3, None): [[2, 1, 1, 1], [1, 4, 3, 2], [1, 3, 5, 3], [1, 2, 3, 5]],
}


def kernels(group, source, target, size, name="steerable", rings=None):
    size = (size,) * 3 if isinstance(size, int) else size
    found = irrep_kernels(group, source, target, size, name, rings)
    return found.reshape(-1, *size, *found.shape[2:])


@pytest.mark.parametrize(("size", "cutoff"), COUNTS)
def test_published_numbers_of_kernels(size, cutoff):
    rings = Rings(frequency_cutoff=cutoff)
    found = [[len(kernels("SO3", str(i), str(o), size, rings=rings)) for i in range(4)] for o in range(4)]
    assert found == COUNTS[size, cutoff]


def test_numbers_per_shell():
    one_shell = Rings(frequency_cutoff=[0, 9])
    for i in range(4):
        for o in range(4):
            center = 1 if i == o else 0  # which carries degree 0 only
            assert len(
                kernels("SO3", str(i), str(o), (7, 7, 7), rings=Rings(num_rings=2, frequency_cutoff=[0, 9]))
            ) == (2 * min(i, o) + 1 + center)
    assert len(kernels("SO3", "0", "0", 3, rings=one_shell)) == 2


@pytest.mark.parametrize(
    ("group", "labels", "name"),
    [
        ("SO3", ("0", "1", "2", "3"), "steerable"),
        ("O3", ("0e", "1o", "1e", "2e"), "steerable"),
        ("O", ("A1", "E", "T1", "T2"), "exact"),
        ("O", ("A2", "E", "T1"), "steerable"),
        ("Oh", ("A1g", "T1u"), "exact"),
        ("I", ("A", "T1", "H"), "steerable"),
    ],
)
@pytest.mark.parametrize("size", [3, 4])
def test_law_on_the_grid(group, labels, name, size):
    group = groups.get(group)
    elements = [matrix for matrix in group.matrices if grid.is_signed_permutation(matrix)]
    for source in labels:
        for target in labels:
            found = kernels(group, source, target, size, name)
            before, after = (groups.irrep(group, label).rho(np.stack(elements)) for label in (source, target))
            for rho_in, rho_out, matrix in zip(before, after, elements, strict=True):
                moved = rho_out @ grid.permute_pixels(found, matrix) @ rho_in.T
                np.testing.assert_allclose(moved, found, atol=1e-12)
            rows = found.reshape(len(found), -1) if len(found) else np.zeros((0, 1))
            np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-10)
    vectors = kernels(group, labels[-1], labels[-1], size, name)
    rotated = max(np.abs(grid.permute_pixels(vectors, matrix) - vectors).max() for matrix in elements)
    assert rotated > 0.1  # moving the voxels alone does not do


def test_parity_forbids_half_of_them():
    assert len(kernels("O3", "0e", "1e", 5)) == 0 and len(kernels("O3", "0e", "1o", 5)) == 2
    for i in range(3):
        for o in range(3):
            both = sum(len(kernels("O3", f"{i}e", f"{o}{p}", 5)) for p in "eo")
            assert both == len(kernels("SO3", str(i), str(o), 5))
    with pytest.raises(ValueError, match='none from "1x0e" to "0o" on O3'):
        steerable_basis(FieldType.parse("1x0e", "O3"), FieldType.parse("1x0o", "O3"), (5, 5, 5))


def test_values_at_the_center():
    for source, target in (("0", "1"), ("1", "2"), ("0", "3")):
        assert np.abs(kernels("SO3", source, target, 5)[:, 2, 2, 2]).max() < 1e-14
    centers = kernels("SO3", "1", "1", 5)[:, 2, 2, 2]
    assert np.abs(centers).max() > 0.1
    for center in centers:  # degree 0 couples a vector to itself
        np.testing.assert_allclose(center, center[0, 0] * np.eye(3), atol=1e-14)


def test_kernels_of_scalars_are_isotropic():
    radius = np.linalg.norm(grid.centered_points((5, 5, 5)), axis=1)
    for kernel in kernels("SO3", "0", "0", 5).reshape(3, -1):
        for length in np.unique(np.round(radius, 9)):
            assert np.ptp(kernel[np.isclose(radius, length)]) < 1e-14


@pytest.mark.parametrize("degree", [1, 2])
def test_overlap_of_a_rotated_kernel(degree):
    """A shell of radius 5 in a volume of 20 voxels: rotated by interpolation it is as good as computed anew."""
    rings = Rings(num_rings=1, ring_width=2.0, frequency_cutoff=[2 * degree])
    matrix = Rotation.from_euler("zyz", [40, 70, 20], degrees=True).as_matrix()
    points, label = grid.centered_points((20, 20, 20)), str(degree)
    radius = np.linalg.norm(points, axis=1)
    for order in range(2 * degree + 1):
        tensor = groups.wigner_3j(degree, degree, order)

        def sample(points, order=order, tensor=tensor):
            harmonics = groups.spherical_harmonics(order, points)
            return np.einsum("oic,pc->poi", tensor, harmonics) * rings.profile(radius, 5.0, 2.0)[:, None, None]

        rho = groups.irrep("SO3", label).rho(matrix[None])[0]
        kernel = sample(points)
        moved = grid.resample(kernel.reshape(1, 20, 20, 20, -1), matrix).reshape(kernel.shape)
        moved = rho @ moved @ rho.T
        overlap = np.sum(moved * kernel) / np.sqrt(np.sum(moved**2) * np.sum(kernel**2))
        assert overlap > 0.98
        if order:
            wrong = rho.T @ grid.resample(kernel.reshape(1, 20, 20, 20, -1), matrix).reshape(kernel.shape) @ rho
            assert np.sum(wrong * kernel) / np.sqrt(np.sum(wrong**2) * np.sum(kernel**2)) < 0.9


def test_finite_groups_have_more_kernels_than_so3_and_all_of_its():
    for source, target in (("A1", "T1"), ("T1", "T1")):
        ours = kernels("O", source, target, 5).reshape(-1, 125 * 3 * (3 if source == "T1" else 1))
        labels = {"A1": "0", "T1": "1"}
        theirs = kernels("SO3", labels[source], labels[target], 5).reshape(-1, ours.shape[1])
        np.testing.assert_allclose(theirs @ ours.T @ ours, theirs, atol=0.05)
        assert len(ours) > len(theirs)
        complete = kernels("O", source, target, 5, "exact").reshape(-1, ours.shape[1])
        np.testing.assert_allclose(ours @ complete.T @ complete, ours, atol=1e-10)


def test_regular_fields_of_the_exact_basis_are_a_group_convolution():
    regular = FieldType.parse("1xregular", "O")
    assert steerable_basis(regular, regular, (3, 3, 3)).size == 24 * 27


@pytest.mark.parametrize(("source", "target"), [("0", "1"), ("1", "1")])
def test_anisotropic_voxels(source, target):
    rings = Rings(voxel_size=(1, 1, 2))
    found = kernels("SO3", source, target, (5, 5, 3), rings=rings)
    assert [radius for radius, _, _ in rings((5, 5, 3))] == [0, 1, 2]
    dense = kernels("SO3", source, target, (5, 5, 5))
    assert len(found) == len(dense)
    # The law of the elements that keep the voxels: quarter turns about z, half turns about x.
    for name in ("C4z", "D2z"):
        for matrix in groups.get(name).matrices:
            rho = {"0": np.eye(1), "1": matrix}
            moved = rho[target] @ grid.permute_pixels(found, matrix) @ rho[source].T
            np.testing.assert_allclose(moved, found, atol=1e-12)
    # Every kernel is that of dense voxels, every other plane of it.
    rows = dense[:, :, :, ::2].reshape(len(dense), -1)
    flat = found.reshape(len(found), -1)
    np.testing.assert_allclose(flat @ np.linalg.pinv(rows) @ rows, flat, atol=1e-10)


def test_the_band_limited_kernels_are_all_there_are():
    for source, target in (("0", "0"), ("0", "1"), ("1", "1")):
        ours = irrep_kernels("SO3", source, target, (3, 3, 3), "steerable")
        oracle = band_limited_volumes(source, target, (3, 3, 3), Rings())
        rank = np.linalg.matrix_rank(oracle, tol=1e-6)
        ours = ours.reshape(len(ours), -1)
        assert len(ours) == rank
        np.testing.assert_allclose(oracle @ ours.T @ ours, oracle, atol=1e-8)


def test_bases_are_cached_and_the_same_twice():
    types = FieldType.parse("2xirreps(2)", "SO3"), FieldType.parse("1xirreps(2)", "SO3")
    first = steerable_basis(*types, (5, 5, 5))
    assert steerable_basis(*types, (5, 5, 5)) is first


@pytest.mark.parametrize(
    ("rings", "message"),
    [
        ({"frequency_cutoff": [0, 2]}, "one for each ring, 3"),
        ({"frequency_cutoff": "none"}, "must be one of"),
        ({"frequency_cutoff": [0, -1, 2]}, "list of integers"),
        ({"voxel_size": (1, 1)}, "one number for each axis of space, 3"),
        ({"voxel_size": (1, 0, 1)}, "positive number"),
    ],
)
def test_what_cannot_be_is_refused(rings, message):
    with pytest.raises(ValueError, match=message):
        kernels("SO3", "0", "1", 5, rings=Rings(**rings))


def test_cutoffs_of_space_are_refused_in_the_plane():
    with pytest.raises(ValueError, match="in 2 dimensions"):
        irrep_kernels("SO2", "0", "1", (5, 5), "steerable", Rings(frequency_cutoff="compromise"))
