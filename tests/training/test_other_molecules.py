"""A run reads the molecules of other files as its own; what it cannot read is refused."""

import json

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training.network import make_network
from keras_equivariant.training.tasks import task_of

SIZES = {"scalars": 2, "vectors": 1, "layers": 1}
OPTIONS = {"epochs": 1, "angle_step": 180, "export_formats": (), "verbose": 0}


def write(path, kinds, atoms=3, count=20, cell=None, test_cell=None):
    rng, lines = np.random.default_rng(1), []
    for _ in range(count):
        lattice = "" if cell is None else f'Lattice="{cell} 0 0 0 {cell} 0 0 0 {cell}" '
        lines += [str(atoms), f"{lattice}Properties=species:S:1:pos:R:3 energy={rng.normal()}"]
        lines += [" ".join([kinds[j % len(kinds)], *map(str, rng.normal(size=3))]) for j in range(atoms)]
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def test_a_run_reads_other_files_as_its_own(tmp_path, capsys):
    pytest.importorskip("ase")
    own, run, out = write(tmp_path / "own.xyz", "HO"), str(tmp_path / "run"), tmp_path / "found.json"
    small = [text for k, v in SIZES.items() for text in ("--set", f"{k}={v}")]
    angles = ["--angle-step", "180"]
    train = ["train", "tfn_molecules", "--epochs", "1", "--no-export", "--quiet", *angles, *small]
    assert main([*train, "--data", own, "--run-dir", run, "--option", f"test={own}"]) == 0
    kept = json.loads((tmp_path / "run" / "config.json").read_text())["settings"]["data_options"]
    assert kept == {"test": own, "elements": [1, 8], "points": 3}
    evaluate = ["evaluate", run, *angles, "--json", str(out)]
    assert main(evaluate) == 0
    assert (
        json.loads(out.read_text())["test_mae"]
        == json.loads((tmp_path / "run" / "summary.json").read_text())["test_mae"]
    )
    z = np.array([[8, 0]] * 20)
    np.savez(tmp_path / "oxygen.npz", z=z, pos=np.zeros((20, 2, 3)), energy=np.arange(20.0))
    for name in (write(tmp_path / "less.xyz", "O", atoms=2), str(tmp_path / "oxygen.npz")):
        assert main([*evaluate, "--data", name]) == 0
    capsys.readouterr()
    for kinds, atoms, text in (("CN", 3, "atoms of C, N beside H, O"), ("HO", 5, "points=3 for molecules of up to 5")):
        other = write(tmp_path / "other.xyz", kinds, atoms)
        assert main([*evaluate, "--data", other]) == 2
        error = capsys.readouterr().err
        assert text in error
        option = error.split("--option ")[1].split(".")[0].split()[0]
        again = str(tmp_path / f"run{kinds}")
        assert main([*train, "--data", own, "--run-dir", again, "--option", option]) == 0
        assert main(["evaluate", again, *angles, "--data", other]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run" / "model.keras"), "--data", other, *angles]) == 2
    assert "Points must have the shapes" in capsys.readouterr().err


def test_the_radius_ends_within_the_cells_of_every_part(tmp_path):
    pytest.importorskip("ase")
    large, small = (write(tmp_path / f"{cell}.xyz", "HO", cell=cell) for cell in (6.0, 1.5))
    params = {**SIZES, "radius": 5.0}
    with pytest.raises(ValueError, match="cells of height 1.5.*--set images=4"):
        ke.train("tfn_molecules", large, tmp_path / "a", params=params, data_options={"test": small}, **OPTIONS)
    data = ke.data.load(large)
    other, model = ke.data.load(small), make_network("tfn_molecules", data, params).model
    with pytest.raises(ValueError, match="cells of height 1.5"):
        task_of(other).scores(model, other.x_test, other.y_test)
