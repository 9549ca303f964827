"""Files of kinds that are not read say how they become one that is."""

import numpy as np
import pytest

import keras_equivariant as ke


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("crystal.cif", "`ase convert crystal.cif crystal.xyz`"),
        ("Drug.SDF", "`ase convert Drug.SDF Drug.xyz`"),
        ("chair.ply", r"`positions` \(clouds, points, 3\)"),
        ("scan.laz", r"`positions` \(clouds, points, 3\)"),
        ("images.mat", "x_train, y_train, x_test and y_test"),
        ("table.parquet", "a table of file names as .csv"),
    ],
)
def test_the_way_is_named(tmp_path, name, remedy):
    (tmp_path / name).write_text("anything")
    with pytest.raises(ValueError, match=f"Unknown kind of file. Received: .*{name}. .*{remedy}"):
        ke.data.load(tmp_path / name)


def test_points_saved_so_are_read(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "clouds.npz", positions=rng.normal(size=(10, 6, 3)), y=np.arange(10) % 2)
    assert ke.data.load(tmp_path / "clouds.npz").task == "classification"


def test_crystals_converted_so_are_read(tmp_path):
    io, build = pytest.importorskip("ase.io"), pytest.importorskip("ase.build")
    main = pytest.importorskip("ase.cli.main").main
    io.write(tmp_path / "salt.cif", build.bulk("NaCl", "rocksalt", a=5.64))
    main(args=["convert", str(tmp_path / "salt.cif"), str(tmp_path / "salt.xyz")])
    frames = io.read(tmp_path / "salt.xyz", index=":")
    for frame in frames:
        frame.info["energy"] = -1.0
    io.write(tmp_path / "salts.xyz", frames * 10)
    assert ke.data.load(tmp_path / "salts.xyz").task == "molecules"
