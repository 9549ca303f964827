"""Tetris shapes and densities of atoms: volumes that are computed, not read."""

import numpy as np
import pytest

from keras_equivariant import data, groups
from keras_equivariant.data.sets.tetris import SHAPES, draw


def test_tetris_is_learned_in_one_orientation_and_tested_in_many():
    found = data.load("tetris", seed=3, size=13, draws=2, places=3)
    assert found.x_train.shape == (24, 13, 13, 13, 1) and found.x_test.shape == (16, 13, 13, 13, 1)
    assert found.y_train.tolist() == 3 * list(range(8)) and found.y_test.tolist() == 2 * list(range(8))
    again, other = (data.load("tetris", seed=seed, size=13, draws=2, places=3) for seed in (3, 4))
    np.testing.assert_array_equal(found.x_test, again.x_test)
    assert np.abs(found.x_test - other.x_test).max() > 0.1


def _moments(volume):
    """Center of mass and the covariance of the mass about it."""
    mass, axis = volume[..., 0].astype("float64"), np.arange(len(volume))
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    weights = mass.ravel() / mass.sum()
    center = weights @ points
    return center, (points - center).T * weights @ (points - center)


def test_tetris_to_train_on_is_moved_and_not_rotated():
    found = data.load("tetris", size=25, draws=1, places=4)
    for shape in range(8):
        moments = [_moments(volume) for volume in found.x_train[found.y_train == shape]]
        centers = np.array([center for center, _ in moments])
        assert np.abs(centers - 12).max() < 1.51 and centers.std(axis=0).min() > 0.1
        for _, covariance in moments:
            np.testing.assert_allclose(covariance, moments[0][1], atol=1e-2)
        _, rotated = _moments(found.x_test[found.y_test == shape][0])
        assert np.abs(rotated - moments[0][1]).max() > 0.1
    (single,) = data.load("tetris", size=25, draws=1, places=1).x_train[:1]
    np.testing.assert_allclose(_moments(single)[0], 12, atol=1e-3)


def test_the_mirrored_screw_is_learned_in_the_screws_mirror_images():
    found = data.load("tetris", size=13, draws=1, places=3)
    screws, mirrored = (found.x_train[found.y_train == shape] for shape in (0, 1))
    np.testing.assert_allclose(mirrored, screws[:, :, ::-1], atol=1e-6)
    assert np.abs(mirrored - screws).max() > 0.1


def test_a_rotated_tetris_shape_is_the_rotated_volume():
    rotation = groups.get("O").matrices[5]
    for cubes in SHAPES.values():
        upright, rotated = (draw(np.array(cubes, float), matrix, 15) for matrix in (np.eye(3), rotation))
        moved = groups.move_pixels(upright[None], rotation)[0]
        np.testing.assert_allclose(rotated, moved, atol=1e-6)
    assert np.abs(rotated - upright).max() > 0.1


def test_the_screws_are_mirror_images_and_no_rotation_takes_one_to_the_other():
    screw, mirrored = (draw(np.array(SHAPES[name], float), np.eye(3), 15) for name in ("screw", "mirrored screw"))

    def nearest(group):
        rotated = (groups.move_pixels(screw[None], m)[0] for m in groups.get(group).matrices)
        return min(np.abs(volume - mirrored).max() for volume in rotated)

    assert nearest("Oh") < 1e-6 < 0.1 < nearest("O")


def test_a_density_holds_one_for_each_atom_wherever_it_lies():
    positions = np.array([[0.0, 0.3, 0.1], [2.4, 0.0, 0.0], [-1.0, 1.0, 3.0], [np.nan] * 3])
    volume = data.density(positions, size=17, voxel_size=1.0)
    assert volume.shape == (17, 17, 17) and volume.dtype == np.float32
    assert abs(volume.sum() - 3) < 1e-5
    np.testing.assert_allclose(data.density(positions + 7.0, 17, 1.0), volume, atol=1e-6)
    rotation = groups.get("O").matrices[7]
    moved = groups.move_pixels(volume[None, ..., None], rotation)[0, ..., 0]
    np.testing.assert_allclose(data.density(positions @ rotation.T, 17, 1.0), moved, atol=1e-6)
    assert np.abs(moved - volume).max() > 0.01
    assert not data.density(positions[3:], 9).any()
    far = np.array([[0.0, 0, 0], [0, 0, 0], [100.0, 0, 0]])
    assert data.density(far, 9, 1.0).sum() < 2.5  # outside the volume


@pytest.fixture
def structures(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "positions_train": rng.normal(size=(4, 6, 3)),
        "y_train": np.array([0, 1, 0, 1]),
        "positions_test": rng.normal(size=(2, 5, 3)),
        "y_test": np.array([0, 1]),
    }
    path = tmp_path / "atoms.npz"

    def write(**changes):
        np.savez(path, **{key: value for key, value in {**arrays, **changes}.items() if value is not None})
        return str(path)

    return write


def test_an_archive_of_atoms_is_a_data_set_of_densities(structures):
    found = data.load(structures(), size=9, voxel_size=0.5)
    assert found.x_train.shape == (4, 9, 9, 9, 1) and found.x_test.shape == (2, 9, 9, 9, 1)
    assert found.num_classes == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "must hold positions_train, y_train, positions_test and y_test"),
        ({"positions_test": np.zeros((2, 5, 2))}, r"must have the shape \(structures, atoms, 3\)"),
    ],
)
def test_a_bad_archive_of_atoms_is_refused(structures, changes, message):
    with pytest.raises(ValueError, match=message):
        data.load(structures(**changes))


def test_bad_sizes_of_tetris_are_refused():
    for options in ({"size": 5}, {"draws": 0}, {"places": 0}):
        with pytest.raises(ValueError, match="at least 12 voxels, `draws` and `places` at least 1"):
            data.load("tetris", **options)
