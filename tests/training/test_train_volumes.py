"""`train` on volumes: learned upright, tested rotated in space, certified, exported, evaluated again."""

import json

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training.evaluation import accuracy_by_rotation

pytestmark = pytest.mark.tensorflow
PLAIN = {
    "spec": 1,
    "name": "plain",
    "params": {"classes": 3, "size": 8},
    "input": {"shape": ["${size}", "${size}", "${size}", 1]},
    "layers": ["Flatten", {"Dense": "${classes}"}],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 48), ("test", 24)):  # a dot, a bar along one axis, a cross
        labels = np.arange(count) % 3
        x = rng.integers(0, 30, (count, 8, 8, 8))
        x[:, 3:5, 3:5, 3:5] = 250
        x[labels > 0, :, 3:5, 3:5] = 250
        x[labels > 1, 3:5, :, 3:5] = 250
        arrays |= {f"{part}_images": x.astype("uint8"), f"{part}_labels": labels[:, None]}
    np.savez(folder / "bars.npz", **arrays)
    options = {"params": {"width": 5}, "epochs": 6, "batch_size": 12, "angle_step": 90, "verbose": 0}
    recipe = {"augment": {"translate": 1}, "optimizer": {"Adam": {"learning_rate": 0.01}}}
    data = str(folder / "bars.npz")
    return ke.train(
        "octahedral_resnet", data, folder / "run", recipe=recipe, compare=PLAIN, export_formats=["tflite"], **options
    )


def test_the_network_fits_the_volumes_and_is_exact(finished):
    assert finished.model.input_shape == (None, 8, 8, 8, 1) and finished.model.output_shape == (None, 3)
    assert finished.certificate.exact and finished.certificate.group == "O"
    assert finished.comparison.certificate.verdict == "broken"
    assert finished.test_accuracy > 0.6


def test_rotated_volumes_make_no_difference_to_it_but_to_the_plain_network(finished):
    own, plain = finished.scores, finished.comparison.scores
    assert own["accuracy_over_cube_rotations"] == own["worst_accuracy_of_cube_rotations"] == own["accuracy"]
    assert plain["worst_accuracy_of_cube_rotations"] < plain["accuracy"]
    summary = json.loads((finished.run_dir / "summary.json").read_text())
    assert summary["error_over_cube_rotations_percent"] == summary["test_error_percent"]
    assert 0 <= summary["error_over_random_rotations_percent"] <= 100
    assert set(summary["error_percent_by_angle"]) == {"0", "90", "180", "270"}


def test_it_is_exported_and_evaluated_by_the_command_line(finished, capsys):
    assert (finished.run_dir / "export" / "octahedral_resnet.tflite").is_file()
    assert main(["evaluate", str(finished.run_dir), "--angle-step", "180"]) == 0
    assert "Over the 24 rotations of the cube" in capsys.readouterr().out


def test_volumes_that_are_no_cubes_are_not_rotated(finished):
    with pytest.raises(ValueError, match="move cubes only. Received: volumes of shape"):
        accuracy_by_rotation(finished.model, np.zeros((2, 8, 8, 4, 1)), np.zeros(2))


def test_boxes_are_trained_on_too(tmp_path):
    x = np.random.default_rng(0).integers(1, 255, (12, 6, 6, 4, 1)).astype("uint8")
    np.savez(tmp_path / "box.npz", x_train=x, y_train=np.arange(12) % 3, x_test=x[:6], y_test=np.arange(6) % 3)
    spec = {**PLAIN, "params": {"classes": 3}, "input": {"shape": [6, 6, 4, 1]}}
    options = {"epochs": 1, "angle_step": 90, "export_formats": (), "verbose": 0}
    result = ke.train(spec, str(tmp_path / "box.npz"), tmp_path / "run", **options)
    assert "accuracy_over_random_rotations" in result.scores and "accuracy_over_cube_rotations" not in result.scores
    assert result.certificate.group == "D2h" and result.certificate.verdict == "broken"


def test_integers_are_refused_before_the_training(tmp_path):
    with pytest.raises(ValueError, match="no convolution of volumes in integers.*Use tflite_float16"):
        ke.train("octahedral_resnet", "shapes", tmp_path / "run", export_formats=["tflite_int8"])
    assert not (tmp_path / "run").exists()


def test_data_of_another_rank_are_refused(tmp_path):
    planar = {**PLAIN, "params": {"classes": 6}, "input": {"shape": [16, 16, 1]}}
    with pytest.raises(ValueError, match="must take the images as they are.*for 16x16x1.*of 16x16x16x1"):
        ke.train(planar, "shapes", tmp_path / "run", export_formats=())


@pytest.mark.parametrize(
    ("spec", "data", "params", "remedy"),
    [
        ("octahedral_resnet", "shapes", {"size": 24}, "Use data of that size, or set the spec's input parameters"),
        ("d4_unet", "cells", {"size": 96}, "Use data of that size, or set the spec's input parameters"),
        ("so2_irreps", "digits", {"channels": 3}, "Use data of that shape, or set the spec's input parameters"),
        ("z2_cnn", "digits", {"size": 31}, r"--set, or add `preprocess: \[{resize: 31}\]` to the recipe"),
    ],
)
def test_resizing_is_named_where_it_helps_alone(spec, data, params, remedy, tmp_path):
    with pytest.raises(ValueError, match=f"must take the images as they are.*{remedy}"):
        ke.train(spec, data, tmp_path / "run", params=params, limit=20, export_formats=())
