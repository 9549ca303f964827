"""What a trained network says of molecules and clouds of points in files without targets."""

import csv

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training import predict_files as module
from keras_equivariant.training.saved import Trained, load_trained

QUICK = {"epochs": 1, "export_formats": (), "angle_step": 180, "angle_samples": 4, "verbose": 0}
SIZES = {"scalars": 2, "vectors": 1, "layers": 1}


def molecules(count=20, places=4):
    rng = np.random.default_rng(0)
    z = np.where(np.arange(places) < rng.integers(2, places + 1, (count, 1)), rng.choice([1, 8], (count, places)), 0)
    z[0] = 8
    return z, (rng.normal(size=(count, places, 3)) + 5).round(4), rng.normal(size=count)


def write_xyz(path, z, positions, cells=None):
    lines = []
    for i, (charges, places) in enumerate(zip(z, positions, strict=True)):
        lattice = "" if cells is None else f'Lattice="{" ".join(map(str, cells[i].ravel()))}" '
        lines += [str((charges > 0).sum()), f"{lattice}Properties=species:S:1:pos:R:3"]
        symbols = {1: "H", 8: "O"}
        lines += [f"{symbols[c]} {x} {y} {w}" for c, (x, y, w) in zip(charges, places, strict=True) if c]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on energies, called E_total, and forces."""
    pytest.importorskip("ase")
    place = tmp_path_factory.mktemp("molecules")
    z, pos, energy = molecules()
    forces = np.random.default_rng(1).normal(size=pos.shape)
    np.savez(place / "own.npz", z=z, pos=pos, energy_kcal=energy, forces=forces)
    ke.train("tfn_molecules", place / "own.npz", place / "run", params=SIZES, **QUICK)
    return place / "run"


def test_molecules_have_a_row_each(run, tmp_path, capsys):
    z, pos, _ = molecules(3)
    # Places that no molecule fills are none.
    np.savez(tmp_path / "bare.npz", z=np.pad(z, ((0, 0), (0, 2))), pos=np.pad(pos, ((0, 0), (0, 2), (0, 0))))
    write_xyz(tmp_path / "bare.xyz", z, pos)
    own = run.parent / "own.npz"
    answers, frames = tmp_path / "new" / "answers.csv", tmp_path / "answers.extxyz"
    assert main(["predict", str(run), str(tmp_path), str(own), "--output", str(answers)]) == 0
    assert "energy_kcal" in capsys.readouterr().out
    rows = list(csv.DictReader(answers.open()))
    assert list(rows[0]) == ["file", "number", "energy_kcal", "largest of forces"]
    assert [(row["file"], row["number"]) for row in rows[:6]] == [
        (str(tmp_path / name), str(i)) for name in ("bare.npz", "bare.xyz") for i in range(3)
    ]
    energies = [float(row["energy_kcal"]) for row in rows]
    np.testing.assert_allclose(energies[:3], energies[3:6], atol=1e-5)
    inputs = ke.data.load_molecules(own, elements=[1, 8], points=4).inputs
    found = ke.dynamics.EnergyAndForces(load_trained(run).model)(inputs)
    np.testing.assert_allclose(energies[6:], found["energy"].numpy()[:, 0], atol=1e-5)
    largest = np.linalg.norm(found["forces"], axis=-1).max(axis=1)
    np.testing.assert_allclose([float(row["largest of forces"]) for row in rows[6:]], largest, atol=1e-5)
    ke.predict_files(run, tmp_path / "bare.xyz", frames)
    again = ke.data.load(frames)
    assert set(again.y_train.arrays) == {"energy", "forces"}, "what is written is data to train on"
    with pytest.raises(ValueError, match="replace no file that is read"):
        ke.predict_files(run, frames, frames)


def test_what_is_written_is_what_was_said(run, tmp_path):
    ase = pytest.importorskip("ase.io")
    z, pos, _ = molecules(3)
    path = write_xyz(tmp_path / "bare.xyz", z, pos)
    said = ke.predict_files(run, path, tmp_path / "out.extxyz")
    frames = ase.read(tmp_path / "out.extxyz", index=":")
    for frame, charges, places, row in zip(frames, z, pos, said.rows, strict=True):
        np.testing.assert_array_equal(frame.numbers, charges[charges > 0])
        np.testing.assert_allclose(frame.positions, places[charges > 0], atol=1e-6)
        assert frame.get_potential_energy() == pytest.approx(row[2]) and not frame.pbc.any()
        assert np.linalg.norm(frame.get_forces(), axis=1).max() == pytest.approx(row[3], rel=1e-5)
        assert np.abs(frame.get_forces().sum(axis=0)).max() < 1e-5


def test_molecules_that_a_run_cannot_read_are_refused(run, tmp_path):
    z, pos, _ = molecules(3)
    for name, change, text in (
        ("nitrogen", {"z": np.where(z == 8, 7, z)}, r"atoms of N beside H, O.*--option elements=\[1,7,8\]"),
        ("large", {"z": np.tile(z[:1], (1, 2)), "pos": np.tile(pos[:1], (1, 2, 1))}, "up to 8 atoms"),
        ("cell", {"cell": 9 * np.eye(3)}, "seen no periodic cells.*leave out `cell`"),
    ):
        np.savez(tmp_path / f"{name}.npz", **{"z": z, "pos": pos, **change})
        with pytest.raises(ValueError, match=f"{text}.*"):
            ke.predict_files(run, tmp_path / f"{name}.npz")
    path = write_xyz(tmp_path / "bare.xyz", z, pos)
    for output in ("answers", "answers.txt"):
        with pytest.raises(ValueError, match=r"\.csv or \.extxyz.*answers\.csv"):
            ke.predict_files(run, path, tmp_path / output)
    with pytest.raises(ValueError, match="keeps none. Give the folder of such a run"):
        ke.predict_files(run / "model.keras", path)
    with pytest.raises(ValueError, match=r"molecules or points \(\.xyz, \.extxyz, .*\.npz, "):
        ke.predict_files(run, write_xyz(tmp_path / "bare.txt", z, pos))


def of_dipoles(width, **fields):
    positions, values, mask = keras.Input((4, width)), keras.Input((4, 6)), keras.Input((4,), dtype="bool")
    dipole = keras.layers.GlobalAveragePooling1D()(positions)[:, :3] + 0 * keras.ops.sum(values, axis=(1, 2))[:, None]
    model = keras.Model([positions, values, mask], dipole)
    kept = {"data_options": {"elements": [1, 8], "points": 4, **fields}}
    return Trained(model, settings=kept, task="molecules", targets=("dipole",), target_names=("mu",))


def test_molecules_in_another_unit_of_length_are_named(run, tmp_path, caplog, capsys):
    z, pos, energy = molecules()
    for name, unit in (("angstrom", 1.0), ("nanometers", 0.1)):
        np.savez(tmp_path / f"{name}.npz", z=z, pos=unit * pos, energy_kcal=energy, forces=pos)
        for command in ("predict", "evaluate"):
            caplog.clear()
            given = [str(tmp_path / f"{name}.npz")]
            given = given if command == "predict" else ["--angle-step", "180", "--data", *given]
            assert main([command, str(run), *given]) == 0
            assert ("in another unit, its answers are wrong" in caplog.text + capsys.readouterr().out) == (unit != 1)


def test_molecules_lie_in_cells_where_they_did_in_training(tmp_path, monkeypatch):
    pytest.importorskip("ase")
    z, pos, _ = molecules(2)
    cells = np.array([9 * np.eye(3), 10 * np.eye(3)])
    celled, bare = write_xyz(tmp_path / "cells.xyz", z, pos, cells), write_xyz(tmp_path / "bare.xyz", z, pos)
    np.savez(tmp_path / "cells.npz", z=z, pos=pos, cell=cells)
    monkeypatch.setattr(module, "load_trained", lambda run: of_dipoles(12))
    found = [ke.predict_files("run", path) for path in (celled, tmp_path / "cells.npz")]
    assert found[0].columns == ("file", "number", "mu x", "mu y", "mu z")
    np.testing.assert_allclose([r[2:] for r in found[0].rows], [r[2:] for r in found[1].rows], atol=1e-6)
    with pytest.raises(ValueError, match="reads molecules in cells.*Lattice"):
        ke.predict_files("run", bare)
    monkeypatch.setattr(module, "load_trained", lambda run: of_dipoles(3))
    with pytest.raises(ValueError, match='pbc="F F F"'):
        ke.predict_files("run", celled)
    celled.write_text(celled.read_text().replace("Properties", 'pbc="F F F" Properties'))
    assert len(ke.predict_files("run", celled).rows) == 2
    monkeypatch.setattr(module, "load_trained", lambda run: of_dipoles(3, periodic=False))
    assert len(ke.predict_files("run", tmp_path / "cells.npz").rows) == 2


def test_clouds_of_points_have_classes(tmp_path, monkeypatch):
    data = ke.data.load("tetris_points", draws=2, places=2)
    result = ke.train("ponita_tetris", data, tmp_path / "run", params={"width": 4, "layers": 1}, **QUICK)
    points, values, _ = (array[:3] for array in data.x_test.arrays.values())
    np.savez(tmp_path / "clouds.npz", positions=np.pad(points, ((0, 0), (0, 2), (0, 0)), constant_values=np.nan))
    found = ke.predict_files(tmp_path / "run", tmp_path / "clouds.npz", tmp_path / "answers.csv")
    logits = result.model.predict([points, values, np.ones((3, 4), bool)], verbose=0)
    assert [row[2] for row in found.rows] == [data.class_names[i] for i in logits.argmax(axis=1)]
    with pytest.raises(ValueError, match=r"such as a\.csv"):
        ke.predict_files(tmp_path / "run", tmp_path / "clouds.npz", tmp_path / "a.extxyz")
    np.savez(tmp_path / "more.npz", positions=np.zeros((1, 5, 3)))
    with pytest.raises(ValueError, match="up to 4 points.*with up to 5"):
        ke.predict_files(tmp_path / "run", tmp_path / "more.npz")
    monkeypatch.setattr(module, "load_trained", lambda run: Trained(result.model, task="trajectories"))
    with pytest.raises(ValueError, match="Files are predicted by networks"):
        ke.predict_files(tmp_path / "run", tmp_path / "clouds.npz")
