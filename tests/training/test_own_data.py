"""From files to a trained, certified, reported network: each job from the command line and in Python, on tiny data."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import yaml

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training.network import make_network
from keras_equivariant.training.tasks import task_of

RNG = np.random.default_rng(0)
ANGLES = ["--angle-step", "90", "--quiet"]
HEAD = {"spec": 1, "params": {"classes": 1, "size": 8, "channels": 1}}
PLANE = {"shape": ["${size}", "${size}", "${channels}"]}

pytestmark = pytest.mark.tensorflow


def spec(folder, name, layers, law="invariance", **training):
    path = folder / f"{name}.yaml"
    recipe = {"epochs": 1, "batch_size": 4, **training}
    path.write_text(
        yaml.safe_dump({**HEAD, "name": name, "law": law, "input": PLANE, "layers": layers, "training": recipe})
    )
    return str(path)


def classifier(folder):
    layers = [
        {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "C4"}},
        {"GroupPooling": "max"},
        "GlobalAveragePooling2D",
        {"Dense": "${classes}"},
    ]
    return spec(folder, "classifier", layers)


def save(path, array):
    image = pytest.importorskip("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(array).save(path)


def pictures(folder):
    """Three classes of 16, 8 and 4 pictures, wider than high."""
    for name, count, gray in (("blue", 16, 40), ("green", 8, 120), ("red", 4, 220)):
        for i in range(count):
            save(
                folder / name / f"{i}.png",
                np.full((8, 12, 3), gray, "uint8") + RNG.integers(0, 20, (8, 12, 3), "uint8"),
            )
    return folder


def summary(run):
    return json.loads((run / "summary.json").read_text())


def test_a_folder_of_pictures(tmp_path, capsys):
    data, run, network = pictures(tmp_path / "pictures"), tmp_path / "run", classifier(tmp_path)
    options = ["--validation", "0.25", "--recipe", "class_weight=balanced", "--recipe", "early_stopping=3"]
    options += ["--recipe", "epochs=2", "--formats", "tflite"]
    assert main(["train", network, "--data", str(data), "--run-dir", str(run), *options, *ANGLES]) == 0
    found = summary(run)
    assert found["certificate"]["verdict"] == "exact" and found["certificate"]["group"] == "C2", (
        "8x12 has no quarter turns"
    )
    settings = json.loads((run / "config.json").read_text())["settings"]
    assert settings["classes"] == ["blue", "green", "red"] and found["chance_accuracy_percent"] == 50
    assert (run / "export" / "classifier.tflite").is_file() and (run / "best.npz").is_file()
    assert main(["evaluate", str(run), "--angle-step", "180"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("Test error ")
    size = ["--size", "9", "9", "9", "--run-dir", str(tmp_path / "b")]
    assert main(["train", network, "--data", str(data), *size, *ANGLES]) == 2
    assert "has a number for each of their axes" in capsys.readouterr().err
    options = ["--recipe", "early_stopping=3", "--run-dir", str(tmp_path / "c"), "--no-export"]
    assert main(["train", network, "--data", str(data), *options, *ANGLES]) == 2
    assert "Use --validation 0.2" in capsys.readouterr().err


def test_images_with_masks_of_three_classes(tmp_path):
    for i in range(12):
        mask = np.zeros((8, 8), "uint8")
        mask[2:5, 1 + i % 3 : 6], mask[6:] = 128, 255
        save(tmp_path / "set" / "images" / f"{i}.png", mask // 2 + RNG.integers(0, 20, (8, 8), "uint8"))
        save(tmp_path / "set" / "masks" / f"{i}.png", mask)
    layers = [{"Conv2D": {"filters": "${classes}", "kernel_size": 3, "padding": "same"}}]
    network = spec(tmp_path, "masks", layers, task="segmentation", augment={"flip": "horizontal"})
    result = ke.train(
        network, tmp_path / "set", tmp_path / "run", angle_step=90, export_formats=(), verbose=0, recipe={"epochs": 2}
    )
    assert {"test_f1_percent", "test_accuracy_percent", "f1_percent_by_angle"} <= set(result.summary)
    assert result.model.output_shape == (None, 8, 8, 3) and "f1" in result.history


def vectors(folder):
    """Bright halves whose edge looks somewhere, and the angle, in a table."""
    rows = [("file", "angle")]
    for i in range(16):
        angle = 22.5 * i
        y, x = 3.5 - np.indices((8, 8))[0], np.indices((8, 8))[1] - 3.5
        side = x * np.cos(np.deg2rad(angle)) + y * np.sin(np.deg2rad(angle))
        save(folder / f"{i}.png", (200 / (1 + np.exp(-2 * side))).astype("uint8"))
        rows.append((f"{i}.png", angle))
    with open(folder / "angles.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "angles.csv"


def test_an_angle_for_each_image(tmp_path):
    (tmp_path / "set").mkdir()
    table = vectors(tmp_path / "set")
    layers = [
        {"Rescaling": 0.01},
        {"SteerableConv2D": {"out_type": "1x1", "kernel_size": 5, "group": "SO2", "use_bias": False}},
        "GlobalAveragePooling2D",
    ]
    network = spec(
        tmp_path,
        "angles",
        layers,
        "equivariance",
        task="vectors",
        epochs=30,
        optimizer={"Adam": {"learning_rate": 0.05}},
    )
    result = ke.train(
        network,
        table,
        tmp_path / "run",
        angle_step=90,
        export_formats=(),
        verbose=0,
        recipe={"augment": {"rotate": 180}},
    )
    by_angle = result.summary["angle_error_degrees_by_angle"]
    assert result.summary["test_angle_error_degrees"] < 8, "chance is 90"
    assert max(by_angle.values()) - min(by_angle.values()) < 1e-3, "the answer rotates with the image"
    assert result.certificate.verdict in ("exact", "approximate") and result.summary["chance_angle_error_degrees"] == 90
    numbers = ke.train(
        classifier(tmp_path), table, tmp_path / "n", data_options={"target": "number"}, export_formats=(), verbose=0
    )
    assert {"test_mae", "chance_mae", "mean_mae_over_angles"} <= set(numbers.summary)


def test_extended_xyz_with_forces(tmp_path, capsys):
    pytest.importorskip("ase")
    clusters = ke.data.load("clusters", count=24, atoms=4)
    lines = []
    for x, y in ((clusters.x_train, clusters.y_train), (clusters.x_test, clusters.y_test)):
        for i in range(len(x)):
            there = x.arrays["mask"][i]
            lines += [str(there.sum()), f"Properties=species:S:1:pos:R:3:forces:R:3 energy={y.arrays['energy'][i, 0]}"]
            for place, values, force in zip(
                x.arrays["positions"][i][there], x.arrays["values"][i][there], y.arrays["forces"][i][there], strict=True
            ):
                lines.append(" ".join(["HO"[int(values[1])], *map(str, place), *map(str, force)]))
    path = tmp_path / "clusters.xyz"
    path.write_text("\n".join(lines) + "\n")
    dataset = ke.data.load(path)
    assert dataset.task == "molecules" and list(dataset.y_train.arrays) == ["energy", "forces"]
    small = [text for k, v in {"width": 4, "layers": 1, "neighbors": 3}.items() for text in ("--set", f"{k}={v}")]
    options = ["--epochs", "1", "--run-dir", str(tmp_path / "run"), "--no-export", *small]
    assert main(["train", "lieconv_molecules", "--data", str(path), *options, *ANGLES]) == 0
    found = summary(tmp_path / "run")
    assert found["certificate"]["verdict"] == "exact" and {"test_mae", "test_force_mae"} <= set(found)
    assert main(["train", "lieconv_molecules", "--data", "digits", *options, *ANGLES]) == 2
    error = capsys.readouterr().err
    assert "for molecules of points in space, data" in error and "p4_cnn" in error, "what fits is named"
    path.write_text("2\ncomment\nH 0 0 0\nH 0 0 1\n")
    with pytest.raises(ValueError, match="Frames of an xyz file say their energy"):
        ke.data.load(path)


def test_volumes_whose_voxels_are_no_cubes(tmp_path, caplog):
    volumes = RNG.normal(size=(12, 8, 8, 8, 1)).astype("float32")
    masks = (volumes > 1).astype("float32")
    parts = (volumes[:8], masks[:8], volumes[8:], masks[8:])
    dataset = ke.data.Dataset("scan", "noise", *parts, task="segmentation", voxel_size=(1.0, 1.0, 2.5))
    for params, swaps in (({}, True), ({"group": "D4z"}, False)):
        caplog.clear()
        make_network("unet_volumes", dataset, {"width": 2, "levels": 1, **params})
        found = [record.getMessage() for record in caplog.records if "voxels differ" in record.getMessage()]
        assert bool(found) == swaps
        assert all("--set group=D4z" in text and "--option voxel_size=1" in text for text in found)
    along = dataclasses.replace(
        dataset, task="vectors", target_type="1x1", y_train=volumes[:8] * np.ones(3), y_test=volumes[8:] * np.ones(3)
    )
    caplog.clear()
    model = make_network("se3_vector_field", along, {"width": 1, "depth": 1, "kernel_size": 3}).model
    assert model.layers[1].get_config()["voxel_size"] == [1.0, 1.0, 2.5] and "voxels differ" not in caplog.text


def test_trajectories(tmp_path):
    options = ["--data", "springs", "--option", "systems=24", "--set", "width=8", "--epochs", "1", "--no-export"]
    assert main(["train", "fc_springs", *options, "--run-dir", str(tmp_path / "run"), *ANGLES]) == 0
    found = summary(tmp_path / "run")
    assert found["test_rollout_error"] > 0 and found["certificate"]["verdict"] == "none"
    command = json.loads((tmp_path / "run" / "config.json").read_text())
    assert "--option systems=24" in json.dumps(command) or "systems" in json.dumps(command)


def test_motions_of_which_positions_are_known():
    small = {"systems": 20, "test": 8, "start": 0.2, "duration": 0.3, "substeps": 4, "test_substeps": 5}
    dataset = ke.data.load("nbody", **small)
    task, model = task_of(dataset), ke.build_from_spec("hamiltonian_nbody")
    model.trainable_weights[-1].assign(0 * model.trainable_weights[-1])  # free particles
    q, v = np.moveaxis(dataset.x_test.arrays["state"], 1, 0)
    wanted = dataset.y_test.arrays["positions"][:, 0]
    error = np.mean((q + 0.3 * v - wanted) ** 2)
    assert abs(task.scores(model, dataset.x_test, dataset.y_test)["position_mse"] - error) < 1e-6 < error
    by_angle = task.score_by_angle(model, dataset.x_test, dataset.y_test, [0, 70])
    assert all(abs(found - error) < 1e-5 for found in by_angle.values())
    assert task.motion(model, 1, task.substeps).substeps == 4 and task.test_substeps == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "options", "params"),
    [
        ("hlieconv_springs", "springs", {"systems": 40}, {"width": 8, "layers": 1}),
        (
            "hamiltonian_nbody",
            "nbody",
            {"systems": 60, "test": 20, "substeps": 4, "test_substeps": 8},
            {"num_rings": 4},
        ),
        ("hfc_springs", "pendulums", {"systems": 40}, {"width": 8}),
        ("tfn_dipole", "clusters", {"target": "dipole", "count": 40}, {"scalars": 4, "vectors": 2, "layers": 2}),
        ("ponita_tetris", "tetris_points", {"draws": 4, "places": 4}, {"width": 4, "layers": 1}),
        ("ponita_molecules", "clusters", {"count": 40}, {"width": 4, "layers": 1}),
        ("tfn_molecules", "clusters", {"count": 40}, {"scalars": 4, "vectors": 2, "layers": 2}),
        ("lieconv_dipole", "clusters", {"target": "dipole", "count": 40}, {"width": 8, "layers": 1, "neighbors": 4}),
        ("se3_vector_field", "flows", {}, {"width": 1, "depth": 1, "kernel_size": 3}),
        ("se3_vector_field", "flows", {"pooled": True}, {"width": 1, "depth": 1, "kernel_size": 3, "pooled": True}),
        ("so2_orientation", "oriented_digits", {}, {"filters": 2}),
    ],
)
def test_every_task_has_a_packaged_spec_that_trains(tmp_path, name, data, options, params):
    result = ke.train(
        *(name, data, tmp_path / "run"),
        **{"data_options": options, "params": params, "epochs": 1, "limit": 40, "angle_step": 120},
        **{"export_formats": (), "verbose": 0},
    )
    assert all(np.isfinite(v) for k, v in result.summary.items() if k.startswith("test_"))


def save_crystals(path, count=20):
    """Frames of two atoms in cells of their own, in the extended xyz format."""
    rng, lines = np.random.default_rng(0), []
    for _ in range(count):
        cell, x = 3.0 * np.eye(3) + 0.1 * rng.normal(size=(3, 3)), rng.uniform(0, 3, (2, 3))
        lattice = " ".join(f"{number:.6f}" for number in cell.ravel())
        lines += ["2", f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 energy={rng.normal()} pbc="T T F"']
        lines += [" ".join([kind, *map(str, place)]) for kind, place in zip("HO", x, strict=True)]
    path.write_text("\n".join(lines) + "\n")


def test_periodic_structures_keep_their_cell(tmp_path, capsys):
    pytest.importorskip("ase")
    path = tmp_path / "crystals.extxyz"
    save_crystals(path)
    positions = ke.data.load(path).x_train.arrays["positions"]
    assert positions.shape[1:] == (2, 12) and (positions[:, 0, 3:] == positions[:, 1, 3:]).all()
    assert abs(positions[:, 0, 3:].mean(axis=0) - [3, 0, 0, 0, 3, 0, 0, 0, 0]).max() < 0.2, "no period along z"
    size = {"scalars": 4, "vectors": 2, "layers": 1, "max_degree": 1}.items()
    small = [text for name, value in size for text in ("--set", f"{name}={value}")]
    options = ["--data", str(path), "--epochs", "1", "--run-dir", str(tmp_path / "run"), *ANGLES, "--no-export"]
    assert main(["train", "tfn_molecules", *options, *small]) == 2
    assert "--set images=2" in capsys.readouterr().err
    assert main(["train", "tfn_molecules", *options, *small, "--set", "radius=2.5"]) == 0
    found = summary(tmp_path / "run")
    assert found["certificate"]["verdict"] == "exact"
    scores = found["mean_mae_over_angles"], found["test_mae"]
    assert abs(scores[0] - scores[1]) < 1e-3 * scores[1], "the cell is rotated with its points"
    assert main(["train", "lieconv_molecules", *options]) == 2
    assert "--option periodic=false" in capsys.readouterr().err
    assert ke.data.load(path, periodic=False).x_train.arrays["positions"].shape[1:] == (2, 3)
    path.write_text("1\nenergy=1.0\nH 0 0 0\n")
    with pytest.raises(ValueError, match="needs frames with a cell"):
        ke.data.load(path, periodic=True)
