"""Clouds of points with labels in a file of one's own: read, divided, trained on and tested on others."""

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import data
from keras_equivariant.cli import main

RNG = np.random.default_rng(0)
SHAPES = {"rod": [[0, 0, -1], [0, 0, 0], [0, 0, 1]], "corner": [[1, 0, 0], [0, 0, 0], [0, 1, 0]]}
POSITIONS = np.stack([SHAPES[name] for name in ("rod", "corner") * 10]) + RNG.normal(0, 0.05, (20, 3, 3))
NAMES = np.array([*SHAPES] * 10)


def save(path, **arrays):
    kept = {"positions": POSITIONS, "y": NAMES, **arrays}
    np.savez(path, **{key: array for key, array in kept.items() if array is not None})
    return path


def test_a_fifth_is_drawn_with_each_class_in_its_share(tmp_path):
    found = data.load(save(tmp_path / "set.npz"))
    assert (found.task, found.layout, found.class_names) == ("classification", "points", ("corner", "rod"))
    assert (len(found.x_train), len(found.x_test)) == (16, 4) and np.bincount(found.y_test).tolist() == [2, 2]
    assert found.x_train.arrays["positions"].shape == (16, 3, 3) and found.x_train.arrays["values"].shape == (16, 3, 1)
    again = data.load(tmp_path / "set.npz", seed=1)
    assert not np.array_equal(again.x_test.arrays["positions"], found.x_test.arrays["positions"])


def test_values_places_without_points_and_parts_are_those_of_the_file(tmp_path):
    positions, values = POSITIONS.copy(), RNG.normal(size=(20, 3, 2))
    positions[::3, 2] = np.nan
    split = np.array(["train"] * 12 + ["val"] * 4 + ["testing"] * 4)
    path = save(tmp_path / "set.npz", positions=positions, values=values, y=np.arange(20) % 2, split=split)
    found = data.load(path, points=5)
    assert [len(x) for x in (found.x_train, found.x_val, found.x_test)] == [12, 4, 4]
    assert found.y_test.tolist() == [0, 1, 0, 1] and found.reading == {"points": 5}
    arrays = found.x_train.arrays
    assert arrays["positions"].shape == (12, 5, 3) and arrays["values"].shape == (12, 5, 2)
    assert arrays["mask"].sum(axis=1).tolist() == [2, 3, 3] * 4
    named = data.load(save(tmp_path / "named.npz", y=None, kind=NAMES), target="kind")
    assert named.class_names == ("corner", "rod")


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        ({"y": None}, {}, "have a label each"),
        ({"y": NAMES[:19]}, {}, "There must be one target a sample"),
        ({"y": RNG.normal(size=(20, 3))}, {}, "have a label each"),
        ({}, {"target": "kind"}, "have a label each"),
        ({}, {"points": 2}, "`points` are the places for atoms"),
        ({"split": np.array(["train"] * 19 + ["later"])}, {}, "'later'"),
        ({"split": np.array(["train"] * 20)}, {}, "20 for train, 0 for val, 0 for test"),
        ({"positions": POSITIONS[..., 0]}, {}, "Positions must be real numbers"),
        ({}, {"size": 3}, "Unknown option"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(arrays, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path / "set.npz", **arrays), **options)


@pytest.mark.tensorflow
def test_clouds_are_trained_on_tested_and_predicted_from_the_command_line(tmp_path, capsys):
    run, path = tmp_path / "run", save(tmp_path / "set.npz")
    few = ["--set", "width=4", "--set", "layers=1", "--epochs", "25", "--batch-size", "8", "--angle-step", "180"]
    assert main(["train", "ponita_tetris", "--data", str(path), *few, "--no-export", "--run-dir", str(run)]) == 0
    assert "EXACT" in (run / "certificate.txt").read_text() or "APPROXIMATE" in (run / "certificate.txt").read_text()
    rods = save(tmp_path / "rods.npz", positions=POSITIONS[::2, :2], y=np.array(["rod"] * 9 + ["corner"]))
    assert main(["evaluate", str(run), "--data", str(rods), "--angle-step", "180"]) == 0
    capsys.readouterr()
    found = ke.predict_files(run, save(tmp_path / "new.npz", y=None))
    assert [row[found.columns.index("class")] for row in found.rows] == NAMES.tolist()


GENERAL = POSITIONS + RNG.normal(0, 0.5, POSITIONS.shape)
NUMBERS = np.linalg.norm(POSITIONS, axis=-1).sum(axis=1)


@pytest.mark.parametrize(
    "arrays, target, task, shape, names",
    [
        ({"y": NUMBERS}, None, "regression", (1,), ("y",)),
        ({"y": np.stack([NUMBERS, 2 * NUMBERS], axis=1)}, None, "regression", (2,), ("y0", "y1")),
        ({"y": np.arange(20)}, "number", "regression", (1,), ("y",)),
        ({"y": None, "gap": NUMBERS}, "gap", "regression", (1,), ("gap",)),
        ({"y": POSITIONS.sum(axis=1)}, "number", "regression", (3,), ("y0", "y1", "y2")),
        ({"y": POSITIONS.sum(axis=1)}, "vector", "molecules", (3,), ("y",)),
        ({"y": None, "dipole": POSITIONS.sum(axis=1)}, "dipole", "molecules", (3,), ("dipole",)),
        ({"y": NUMBERS.astype(int) % 2}, "class", "classification", (), ()),
        ({"y": np.eye(2)[np.arange(20) % 2]}, None, "classification", (), ()),
    ],
)
def test_what_clouds_say_may_be_numbers_or_vectors(arrays, target, task, shape, names, tmp_path):
    found = data.load(save(tmp_path / "set.npz", **arrays), target=target)
    said = found.y_train.arrays["dipole"] if task == "molecules" else found.y_train
    assert (found.task, said.shape, found.target_names) == (task, (16, *shape), names)


@pytest.mark.parametrize(
    "arrays, options, message",
    [
        ({"y": POSITIONS.sum(axis=1)}, {}, "may be either. Say which, --target number, or --target vector"),
        ({"y": POSITIONS}, {}, r"\(20, 3, 3\) for 20 clouds"),
        ({"y": NUMBERS}, {"target": "vector"}, "or a vector"),
        ({"y": np.full(20, np.nan)}, {}, "must be finite"),
        ({"groups": np.zeros(20)}, {}, "20 for test|20 for train|to train on and to test on"),
    ],
)
def test_what_is_wrong_with_numbers_is_said(arrays, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path / "set.npz", **arrays), **options)


def test_clouds_of_one_patient_stay_together_and_classes_have_the_names_of_the_file(tmp_path):
    patient = np.repeat(np.arange(5), 4)
    names = np.array(["corner", "rod"])
    found = data.load(save(tmp_path / "set.npz", y=np.arange(20) % 2, patient=patient, class_names=names, made=2026))
    assert found.class_names == ("corner", "rod") and len(found.groups) == len(found.x_train) == 16
    seen = {float(p[0, 0]) for p in found.x_test.arrays["positions"]}
    owners = [patient[np.flatnonzero(np.isclose(POSITIONS[:, 0, 0], x))[0]] for x in seen]
    assert len(owners) == 4 and len(set(owners)) == 1


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "spec, target, arrays",
    [
        ("ponita_tetris", None, {"y": NUMBERS}),
        ("tfn_molecules", None, {"y": np.stack([NUMBERS, 2 * NUMBERS], axis=1)}),
        ("tfn_dipole", "vector", {"y": (GENERAL**3).sum(axis=1)}),
        ("tfn_molecules", None, {}),
    ],
)
def test_numbers_of_clouds_are_learned_tested_and_predicted_in_their_units(spec, target, arrays, tmp_path):
    # Rods are symmetric, so that what rotates nearly cancels.
    path = save(tmp_path / "set.npz", **{"positions": GENERAL, **arrays})
    small = {"width": 4} if spec == "ponita_tetris" else {"scalars": 4, "vectors": 2}
    options = {"epochs": 1, "angle_step": 180, "export_formats": (), "run_dir": tmp_path / "run"}
    dataset = data.load(path, target=target)
    result = ke.train(spec, dataset, params={**small, "layers": 1}, **options)
    assert result.certificate.exact and (tmp_path / "run" / "report.html").is_file()
    wanted = arrays.get("y", NAMES)
    found = ke.predict_files(tmp_path / "run", path)
    assert len(found.rows) == 20
    if wanted.dtype.kind == "f":
        inputs = [GENERAL + 1, np.ones((20, 3, 1)), np.ones((20, 3), bool)]  # no answer depends on where a cloud lies
        answers = np.array([row[2:] for row in found.rows], float)
        assert answers.shape == wanted.reshape(20, -1).shape
        np.testing.assert_allclose(answers, result.model(inputs), rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="written to a file, .csv"):
        ke.predict_files(tmp_path / "run", path, tmp_path / "answers.extxyz")


@pytest.mark.tensorflow
def test_clouds_of_the_plane_are_for_specs_of_the_plane(tmp_path):
    rng = np.random.default_rng(0)
    clouds = save(tmp_path / "flat.npz", positions=rng.normal(size=(20, 4, 2)), y=rng.normal(size=20))
    options = {"epochs": 1, "batch_size": 4, "angle_step": 90, "export_formats": (), "verbose": 0}
    with pytest.raises(ValueError, match="Use a spec for points of 2 coordinates, `space: 2` in its input"):
        ke.train("tfn_molecules", clouds, tmp_path / "a", params={"scalars": 4, "vectors": 1}, **options)
    layers = (
        "[{SteerablePointConv: {out_type: 4x0, group: SO2, radius: 5.0, neighbors: 4}}, {Activation: tanh}, "
        "{Dense: 1}, {SteerablePointPooling: {reduction: mean, group: SO2}}]"
    )
    spec = tmp_path / "flat.yaml"
    spec.write_text(
        f"spec: 1\nname: flat\ninput: {{shape: [4, 1], space: 2}}\nlayers: {layers}\ntraining: {{task: regression}}\n"
    )
    found = ke.train(str(spec), clouds, tmp_path / "b", **options).summary
    assert found["certificate"]["verdict"] == "exact"
    assert list(found["mae_by_angle"].values()) == pytest.approx([found["test_mae"]] * 4, rel=1e-4)
