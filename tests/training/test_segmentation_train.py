"""A network for masks from end to end: training, rotated images, certificate, resume, export, command line."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from tiny_training import save_shapes

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.data import Preprocess
from keras_equivariant.data.references import HumanMaps, ObjectCounts, objects
from keras_equivariant.training.network import make_network
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.tasks import task_of

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

SPEC = {
    "spec": 1,
    "name": "marker",
    "params": {"size": 32, "channels": 1, "filters": 4},
    "input": {"shape": ["${size}", "${size}", "${channels}"]},
    "defaults": {"GroupConv2D": {"group": "C4", "padding": "same"}},
    "layers": [
        {"Normalization": {"axis": None}},
        {"LiftingConv2D": {"filters": "${filters}", "kernel_size": 5, "group": "C4", "padding": "same"}},
        {"BatchNormalization": {"activation": "relu"}},
        {"GroupConv2D": {"filters": "${filters}", "kernel_size": 3}},
        {"BatchNormalization": {"activation": "relu"}},
        {"GroupPooling": "max"},
        {"Conv2D": {"filters": 1, "kernel_size": 1}},
    ],
    "training": {
        "dataset": "cells",
        "epochs": 4,
        "batch_size": 8,
        "loss": "balanced_crossentropy",
        "optimizer": {"Adam": {"learning_rate": 0.02}},
        "augment": {"rotate": 45, "quarter_turns": True, "flip": "horizontal", "fill": "reflect"},
    },
}


@pytest.fixture(scope="module")
def cells():
    return ke.data.load("cells", size=32)


def quiet(spec, data, folder, **options):
    return ke.train(spec, data, folder, **{"angle_step": 90, "export_formats": (), "verbose": 0, **options})


@pytest.fixture(scope="module")
def finished(cells, tmp_path_factory):
    return quiet(SPEC, cells, tmp_path_factory.mktemp("cells") / "run", validation=20, angle_step=45)


def test_it_learns_and_its_masks_rotate_with_the_images(finished, cells):
    assert finished.history["loss"][-1] < finished.history["loss"][0]
    assert finished.history["f1"][-1] > finished.history["f1"][0]
    assert len(finished.history["val_f1"]) == len(finished.history["val_average_precision"]) == 4
    rate = cells.y_test.mean()
    assert finished.scores["f1"] > 2 * rate / (1 + rate) + 0.1, "no better than marking every pixel"
    assert finished.certificate.verdict == "exact" and finished.certificate.law == "equivariance"
    curve = finished.score_by_angle
    assert set(curve) == {45.0 * i for i in range(8)}
    quarters = [curve[angle] for angle in (0.0, 90.0, 180.0, 270.0)]
    assert np.ptp(quarters) < 1e-3 and min(curve[45.0], curve[225.0]) < min(quarters) + 0.05


def test_the_reports_speak_of_f1(finished):
    summary = json.loads((finished.run_dir / "summary.json").read_text())
    assert summary["test_f1_percent"] == pytest.approx(100 * finished.scores["f1"], abs=1e-3)
    assert summary["test_average_precision_percent"] > 100 * 0.25 and 0 < summary["threshold"] < 1
    assert summary["worst_f1_over_angles_percent"] == min(summary["f1_percent_by_angle"].values())
    assert not [key for key in summary if "error_percent" in key or "accuracy" in key]
    assert (finished.run_dir / "f1_by_angle.png").is_file()
    assert not (finished.run_dir / "accuracy_by_angle.png").exists()


def test_a_stopped_run_continues_to_the_same_weights(cells, tmp_path):
    recipe = {"schedule": {"piecewise": {"epochs": [1], "factor": 0.5}}}
    whole = quiet(SPEC, cells, tmp_path / "whole", epochs=2, limit=40, recipe=recipe)
    quiet(SPEC, cells, tmp_path / "part", epochs=1, limit=40, recipe=recipe)
    resumed = quiet(SPEC, cells, tmp_path / "part", epochs=2, limit=40, recipe=recipe, resume=True)
    for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert resumed.history["f1"] == pytest.approx(whole.history["f1"], rel=1e-3)
    assert len(resumed.history["f1"]) == 2


def answer(layers, size=32):
    inputs = keras.Input((size, size, 1))
    x = inputs
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x, name="net")


def test_networks_and_recipes_that_do_not_fit(cells, tmp_path):
    classifier = answer([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)])
    with pytest.raises(ValueError, match=r"one logit for each pixel.*\(10,\).*masks of \(32, 32, 1\)"):
        quiet(classifier, cells, tmp_path / "run")
    with pytest.raises(ValueError, match=r"output shape \(16, 16, 1\)"):
        quiet(answer([keras.layers.AveragePooling2D(2)]), cells, tmp_path / "run")
    with pytest.raises(ValueError, match="not resized.*resize"):
        quiet(SPEC, cells, tmp_path / "run", recipe={"preprocess": [{"resize": 16}]})
    with pytest.raises(ValueError, match="for segmentation. Use balanced_crossentropy or crossentropy"):
        quiet(SPEC, cells, tmp_path / "run", recipe={"loss": "squared_error"})
    shapes = save_shapes(tmp_path / "shapes.npz")
    with pytest.raises(ValueError, match="for classification. Use crossentropy"):
        network = answer([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)], size=8)
        quiet(network, shapes, tmp_path / "run", recipe={"loss": "balanced_crossentropy"})
    with pytest.raises(ValueError, match="an output for each class"):
        quiet(answer([], size=8), shapes, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("lowest", "augment", "named"),
    [
        (1, {"rotate": 90}, True),
        (1, {"translate": 2, "fill": "constant"}, True),
        (1, {"rotate": 90, "fill": "reflect"}, False),
        (1, {"quarter_turns": True}, False),
        (0, {"rotate": 90}, False),
    ],
)
def test_corners_that_count_as_a_class_are_named(lowest, augment, named, tmp_path, caplog):
    """Maps in which every pixel has a class know no rest: what comes in from outside would be of the first one."""
    rng = np.random.default_rng(0)
    x, y = rng.random((12, 16, 16)).astype("float32"), lowest + rng.integers(0, 3, (12, 16, 16))
    np.savez(tmp_path / "maps.npz", x=x, y=y)
    layers = [*SPEC["layers"][:-1], {"Conv2D": {"filters": "${classes}", "kernel_size": 1}}]
    spec = {**SPEC, "params": {**SPEC["params"], "classes": 1}, "layers": layers}
    make_network(spec, ke.data.load(tmp_path / "maps.npz"), recipe={"augment": augment})
    assert ("counts as the class of the masks' value 1" in caplog.text) == named


def test_the_command_line_trains_and_evaluates_the_plain_network(tmp_path, capsys):
    run = str(tmp_path / "run")
    small = ["--set", "width=2", "--set", "levels=2", "--limit", "24", "--angle-step", "90"]
    assert main(["train", "unet_segmentation", "--data", "cells", "--epochs", "1", "--run-dir", run, *small]) == 0
    output = capsys.readouterr().out
    assert "F1 of the pixels" in output and "Test error" not in output and "generated cells" in output
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert sorted(summary["export"]) == ["unet_segmentation.tflite", "unet_segmentation/1"]
    target = tmp_path / "scores.json"
    assert main(["evaluate", run, "--limit", "24", "--angle-step", "90", "--json", str(target)]) == 0
    assert "F1 of the pixels" in capsys.readouterr().out
    found = json.loads(target.read_text())
    for key in ("test_f1_percent", "worst_f1_over_angles_percent"):
        assert found[key] == pytest.approx(summary[key], abs=0.01)


def test_whole_photographs_and_counted_objects_are_scored_beside_the_crops(cells, finished):
    wide = [np.tile(image, (2, 3, 1))[:50, :70] for image in cells.x_test[:2]]
    masks = [np.tile(mask, (2, 3, 1))[None, :50, :70, 0] > 0 for mask in cells.y_test[:2]]
    task, scores = task_of(cells), {"threshold": 0.5}
    assert task.against_references(finished.model, cells, None, scores) == {}
    people = replace(cells, references=HumanMaps(wide, masks))
    found = task.against_references(finished.model, people, None, scores)
    assert set(found) == {"test_ods_percent", "test_ois_percent", "test_ap_percent", "ods_threshold"}
    assert 30 < found["test_ods_percent"] <= found["test_ois_percent"] + 1e-9 <= 100
    counted = replace(cells, references=ObjectCounts(cells.x_test, np.full(len(cells.x_test), 3)))
    preprocess = Preprocess(("contrast",))
    found = task.against_references(finished.model, counted, preprocess, scores)
    logits = predict(finished.model, cells.x_test, preprocess)[..., 0]
    assert found["test_count_bias"] == pytest.approx(np.mean([objects(one >= 0) for one in logits]) - 3, rel=1e-4)
    text = task.text({**finished.summary, "test_ods_percent": 61.234, "test_count_error": 2.5})
    assert "ODS 61.23 %, count error 2.5;" in text
