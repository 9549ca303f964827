"""Sets of points: archives of molecules, xyz files, point clouds, pixels; what is wrong with one is said in a line."""

import numpy as np
import pytest

import keras_equivariant as ke

WATER = """3
gdb 3\t799.6\t437.9\t282.9\t1.8511\t6.31\t-0.2928\t0.0687\t0.3615\t19.0002\t0.021375\t-76.4\t-76.4\t-76.4\t-76.4\t6.002
O\t-0.0343604951\t 0.9775395708\t 0.0076015923\t-0.589706
H\t 0.0647664923\t 2.0572115e-2\t 1.5346341*^-3\t 0.294853
H\t 0.8717903737\t 1.3007924048\t 0.0006931336\t 0.294853
1671.4\t3803.6\t3907.6
O\tO
"""


def molecules(path, **arrays):
    z = np.array([[8, 1, 1], [9, 1, 0]], "uint8")
    rng = np.random.default_rng(0)
    np.savez(path, **{"z": z, "pos": rng.normal(size=(2, 3, 3)), "energy_ha": np.array([1.0, 2.0]), **arrays})
    return path


def test_archive_of_molecules(tmp_path):
    found = ke.data.load_molecules(molecules(tmp_path / "some.npz"))
    assert found.values.shape == (2, 3, 9) and found.mask.tolist() == [[True] * 3, [True, True, False]]
    np.testing.assert_allclose(found.values[0, 0], [0, 1, 0, 0, 8 / 9, 0, 0, 64 / 81, 0], rtol=1e-6)
    np.testing.assert_array_equal(found.values[1, 2], 0)
    np.testing.assert_allclose(found.targets["energy_kcal"], [627.509474, 1255.018948])
    train, test = found.split(1)
    assert len(train) == len(test) == 1 and len(train.targets["energy_ha"]) == 1


def test_archive_is_found_in_the_data_folder(tmp_path, monkeypatch):
    molecules(tmp_path / "qm7.npz", energy_pbe0_kcal=np.zeros(2))
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    assert set(ke.data.load_molecules("qm7.npz").targets) == {"energy_pbe0_kcal"}
    with pytest.raises(FileNotFoundError, match="KERAS_EQUIVARIANT_DATA"):
        ke.data.load_molecules("qm8.npz")


def test_xyz(tmp_path):
    (tmp_path / "water.xyz").write_text(WATER)
    found = ke.data.load_xyz([tmp_path / "water.xyz"], points=4)
    assert found.mask.tolist() == [[True, True, True, False]]
    np.testing.assert_allclose(found.positions[0, 1], [0.0647664923, 2.0572115e-2, 1.5346341e-3], rtol=1e-6)
    assert found.targets["mu"][0] == 1.8511 and found.targets["Cv"][0] == 6.002
    (tmp_path / "cut.xyz").write_text("\n".join(WATER.splitlines()[:4]))
    with pytest.raises(ValueError, match="cut.xyz"):
        ke.data.load_xyz([tmp_path / "cut.xyz"])
    with pytest.raises(ValueError, match="largest molecule"):
        ke.data.load_xyz([tmp_path / "water.xyz"], points=2)


def test_point_cloud(tmp_path):
    positions = np.random.default_rng(0).normal(size=(3, 5, 2))
    positions[1, 3:] = np.nan
    np.savez(tmp_path / "cloud.npz", positions=positions, label=np.arange(3))
    found = ke.data.load_point_cloud(tmp_path / "cloud.npz")
    assert found.mask.sum(axis=1).tolist() == [5, 3, 5] and found.values.shape == (3, 5, 1)
    np.testing.assert_array_equal(found.positions[1, 3:], 0)
    np.savez(tmp_path / "none.npz", label=np.arange(3))
    with pytest.raises(ValueError, match="positions"):
        ke.data.load_point_cloud(tmp_path / "none.npz")


def test_pixels_become_points():
    images = np.zeros((2, 5, 5, 1))
    images[0, 0, 4] = 1.0  # the upper right corner
    images[1, 2, 2], images[1, 4, 0] = 2.0, 3.0
    found = ke.data.points_of_images(images)
    assert found.positions[0, 0].tolist() == [2.0, 2.0] and found.mask.tolist() == [[True, False], [True, True]]
    assert found.values[1, :, 0].tolist() == [2.0, 3.0]
    layer = ke.layers.ImageToPoints()
    x, f, _ = layer(images.astype("float32"))
    brightest = int(np.argmax(f[0, :, 0]))
    assert np.asarray(x)[0, brightest].tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"positions": np.full((2, 3, 2), np.nan)}, "finite"),
        ({"positions": np.zeros((2, 0, 2)), "values": np.zeros((2, 0, 1)), "mask": np.ones((2, 0), bool)}, "at least"),
        ({"mask": np.zeros((2, 3), bool)}, "Every sample"),
        ({"values": np.zeros((2, 4, 1))}, "shapes"),
        ({"targets": {"y": np.zeros(5)}}, "one target"),
    ],
)
def test_bad_sets(change, text):
    good = {"positions": np.zeros((2, 3, 2)), "values": np.zeros((2, 3, 1)), "mask": np.ones((2, 3), bool)}
    with pytest.raises(ValueError, match=text) as error:
        ke.data.PointSet(**{"name": "test", **good, "targets": {}, **change})
    assert "Received: test" in str(error.value)


@pytest.mark.parametrize("cell", [False, True])
def test_points_far_from_the_origin_keep_what_is_between_them(cell):
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=(3, 5, 3)), np.array([5.4e5, 5.2e6, 300.0])  # meters on a map
    mask = np.array([[True] * 5, [True] * 4 + [False], [True] * 5])
    positions = np.where(mask[..., None], near + far, 0.0)
    positions = ke.data.in_cells(positions, 4 * np.eye(3)) if cell else positions
    found = ke.data.PointSet("map", positions, np.ones((3, 5, 1)), mask, {})
    for points, there, wanted in zip(found.positions, mask, near, strict=True):
        points, wanted = points[there, :3].astype("float64"), wanted[there]
        apart, truth = (p[:, None] - p for p in (points, wanted))
        np.testing.assert_allclose(apart, truth, atol=1e-5)
    assert found.positions.dtype == np.float32 and not found.positions[~mask][:, :3].any()
    if cell:
        np.testing.assert_array_equal(found.positions[0, 0, 3:].reshape(3, 3), 4 * np.eye(3))
    close = ke.data.PointSet("near", near + 10, np.ones((3, 5, 1)), mask, {})
    np.testing.assert_allclose(close.positions[mask], (near + 10)[mask], rtol=1e-6)
