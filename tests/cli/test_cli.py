"""The command line: what it prints, what it leaves, and one line with exit status 2 for what cannot be done."""

import json
import logging
import shutil

import numpy as np
import pytest
import yaml

from keras_equivariant.cli import main

SPEC = {
    "spec": 1,
    "name": "tiny",
    "description": "A small invariant network",
    "params": {"filters": 4, "classes": 10, "size": 28, "channels": 1, "strides": 1},
    "input": {"shape": ["${size}", "${size}", "${channels}"]},
    "layers": [
        {"Normalization": {"axis": None}},
        {"LiftingConv2D": {"filters": "${filters}", "kernel_size": 3, "strides": "${strides}", "group": "C4"}},
        {"BatchNormalization": {"activation": "relu"}},
        {"GroupPooling": "max"},
        "GlobalAveragePooling2D",
        {"Dense": "${classes}"},
    ],
    "training": {"epochs": 2, "batch_size": 16},
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(SPEC, sort_keys=False))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (70, 9, 9, 2)).astype("uint8")
    labels = np.arange(70) % 3
    arrays = {"x_train": images[:40], "y_train": labels[:40], "x_test": images[40:], "y_test": labels[40:]}
    np.savez(folder / "noise.npz", **arrays)
    return folder


@pytest.fixture(scope="module")
def run(work):
    arguments = ["train", str(work / "tiny.yaml"), "--data", str(work / "noise.npz"), "--set", "filters=3"]
    arguments += ["--recipe", "optimizer={SGD: {learning_rate: 0.01}}", "--run-dir", str(work / "run")]
    assert main([*arguments, "--angle-step", "90", "--quiet"]) == 0
    return work / "run"


def failure(capsys, *arguments):
    """The error text of a command that must end with status 2."""
    assert main([str(argument) for argument in arguments]) == 2
    found = capsys.readouterr().err
    assert "Traceback" not in found and all(
        line.startswith("keras-equivariant: error: ") for line in found.splitlines()
    )
    return found


def test_compare_puts_runs_side_by_side(run, tmp_path, capsys):
    twin = tmp_path / "twin"
    shutil.copytree(run, twin)
    capsys.readouterr()
    assert main(["compare", str(run), str(twin), "--plot", str(tmp_path / "plot.png")]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    summary = json.loads((run / "summary.json").read_text())
    assert [row.split()[0] for row in rows] == ["run", "twin"]
    assert all(f"{summary['test_error_percent']:.2f}" in row for row in rows)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "summary.json" in failure(capsys, "compare", tmp_path)
    assert "must differ" in failure(capsys, "compare", run, run)
    (twin / "summary.json").write_text(json.dumps({**summary, "test_images": 1}))
    assert main(["compare", str(run), str(twin)]) == 0
    head, first, second, last = capsys.readouterr().out.splitlines()
    assert "test images" in head and " 30 " in first and " 1 " in second and "unlike sets" in last
    (twin / "summary.json").write_text(json.dumps({**summary, "sha256_of_test": "0123456789abcdef"}))
    assert main(["compare", str(run), str(twin)]) == 0
    assert "as many, but other test images" in capsys.readouterr().out.splitlines()[-1]
    other = {**summary, "data": "elsewhere"}
    (twin / "summary.json").write_text(json.dumps(other))
    assert "same data" in failure(capsys, "compare", run, twin)


def test_train_leaves_a_run_with_an_exported_model(run):
    summary = json.loads((run / "summary.json").read_text())
    assert summary["network"] == "tiny" and summary["epochs"] == 2 and summary["certificate"]["verdict"] == "exact"
    assert sorted(summary["export"]) == ["tiny.tflite", "tiny/1"]
    assert (run / "export" / "tiny" / "1" / "saved_model.pb").is_file() and (run / "export" / "tiny.tflite").is_file()
    config = json.loads((run / "config.json").read_text())["settings"]
    assert config["recipe"]["optimizer"] == {"SGD": {"learning_rate": 0.01}}
    assert "filters: 3" in (run / "spec.yaml").read_text()


def test_resuming_a_finished_run_repeats_its_end(run, work, capsys):
    before = json.loads((run / "summary.json").read_text())
    arguments = ["train", str(work / "tiny.yaml"), "--data", str(work / "noise.npz"), "--set", "filters=3"]
    arguments += ["--recipe", "optimizer={SGD: {learning_rate: 0.01}}", "--run-dir", str(run)]
    assert "--resume" in failure(capsys, *arguments)
    assert main([*arguments, "--resume", "--angle-step", "90", "--no-export"]) == 0
    output = capsys.readouterr().out
    assert "Resuming after epoch 2 of 2." in output and "tiny under C4: EXACT" in output
    after = json.loads((run / "summary.json").read_text())
    assert after["test_error_percent"] == before["test_error_percent"]
    assert "filters: 3 then" not in output and "spec: " in failure(capsys, *arguments[:4], "--run-dir", run, "--resume")


def test_evaluate_a_run_and_a_file(run, work, capsys, tmp_path):
    target = tmp_path / "errors.json"
    assert main(["evaluate", str(run), "--angle-step", "90", "--json", str(target)]) == 0
    output = capsys.readouterr().out
    errors = json.loads(target.read_text())
    assert errors["test_error_percent"] == json.loads((run / "summary.json").read_text())["test_error_percent"]
    assert "30 test images" in output and "   270°" in output
    data = ["--data", str(work / "noise.npz"), "--angle-step", "180", "--limit", "10"]
    assert main(["evaluate", str(run / "model.keras"), *data]) == 0
    assert "10 test images" in capsys.readouterr().out
    message = failure(capsys, "evaluate", run, "--data", "cells", "--angle-step", "180")
    assert "what it learned, classification" in message and "for segmentation" in message


def test_check_tells_exact_from_broken(work, capsys, tmp_path):
    spec = str(work / "tiny.yaml")
    assert main(["check", spec, "--json", str(tmp_path / "c.json"), "--plot", str(tmp_path / "c.png")]) == 0
    assert "tiny under C4: EXACT" in capsys.readouterr().out
    assert json.loads((tmp_path / "c.json").read_text())["verdict"] == "exact" and (tmp_path / "c.png").stat().st_size
    assert main(["check", spec, "--set", "strides=2"]) == 1
    assert "error: tiny.yaml:" in capsys.readouterr().out
    assert main(["check", spec, "--group", "D4"]) == 1
    assert "under D4: BROKEN" in capsys.readouterr().out


def test_export_the_formats_asked_for(run, capsys, tmp_path):
    command = ["export", str(run), "--output", str(tmp_path), "--formats", "tflite_int8", "--model-version", "3"]
    assert main(command) == 0
    assert (tmp_path / "tiny_int8.tflite").is_file() and "tiny_int8.tflite" in capsys.readouterr().out
    assert "tiny_int8.tflite" in failure(capsys, *command)
    other = ["export", run, "--output", tmp_path / "other", "--inference-type", "int8"]
    assert "Add tflite_int8 to the formats" in failure(capsys, *other)
    assert main([*command, "--overwrite"]) == 0


def test_specs_and_schema(capsys):
    assert main(["specs"]) == 0
    assert "p4_cnn  " in capsys.readouterr().out
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].startswith("https://json-schema.org")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "p4_cnn", "--data", "digit"], 'Did you mean "digits"?'),
        (["train", "p4_cn"], "p4_cnn"),
        (["train", "p4_cnn", "--set", "filter=3"], "filters"),
        (["train", "p4_cnn", "--set", "filters"], "--set takes KEY=VALUE. Received: 'filters'"),
        (["train", "p4_cnn", "--set", "filters="], "--set takes KEY=VALUE. Received: 'filters='"),
        (["train", "p4_cnn", "--set", "filters=[1"], "--set takes a value as YAML has it. Received: 'filters=[1', bad"),
        (["train", "p4_cnn", "--recipe", "epoch=3"], 'Did you mean "epochs"?'),
        (["train", "p4_cnn", "--recipe", "keep_best=no"], "keep_best: must be true or false. Received: 'no'"),
        (["train", "p4_cnn", "--inference-type", "int8"], "Add tflite_int8 to the formats"),
        (["train", "p4_cnn", "--inference-type", "int8", "--no-export"], "Add tflite_int8 to the formats"),
        (["equivariant", "a.keras", "--inference-type", "int8"], "Add tflite_int8 to the formats"),
        (["train", "p4_cnn", "--data", "none.npz"], "No such data file. Received: none.npz"),
        (["train", "p4_cnn", "--limit", "0"], "limit=0"),
        (["train", "p4_cnn", "--angle-samples", "-3"], "angle_samples=-3"),
        (["train", "p4_cnn", "--option", "seed=3"], "`seed` is no option of a data set. Received: seed=3"),
        (["train", "p4_cnn", "--epochs", "0"], "epochs=0"),
        (["train", "p4_cnn", "--angle-step", "0"], "Received: 0"),
        (["train", "p4_cnn", "--validation", "5000"], "validation=5000 of 1297"),
        (["train", "p4_cnn", "--set", "classes=2"], "--set classes=10"),
        (["evaluate", "nowhere"], "a run folder or a .keras file. Received: nowhere"),
        (["evaluate", "nowhere", "--angle-samples", "-3"], "angle_samples=-3"),
        (["evaluate", "nowhere", "--angle-step", "-90"], "Received: -90"),
        (["export", "nowhere", "--output", "x"], "Received: nowhere"),
        (["check", "nothing.yaml"], "nothing"),
        (["check", "p4_cnn", "--group", "X9"], "X9"),
    ],
)
def test_mistakes_are_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in failure(capsys, *arguments)
    assert not list(tmp_path.iterdir()), "a failed command left something behind"


def test_damaged_files(run, capsys, tmp_path):
    (tmp_path / "model.keras").write_bytes((run / "model.keras").read_bytes()[:500])
    assert "whole Keras model" in failure(capsys, "evaluate", tmp_path / "model.keras")
    (tmp_path / "config.json").write_text("{")
    assert "must be whole" in failure(capsys, "evaluate", tmp_path)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "config.json").write_text((run / "config.json").read_text())
    assert "train command with --resume" in failure(capsys, "evaluate", tmp_path / "unfinished")
    blocked = tmp_path / "file"
    blocked.write_text("x")
    assert "--run-dir" in failure(capsys, "train", "p4_cnn", "--run-dir", blocked / "run")


def test_an_interrupted_command_says_how_to_go_on(monkeypatch, capsys):
    from keras_equivariant import training

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", interrupted)
    assert main(["train", "p4_cnn"]) == 130
    assert "--resume" in capsys.readouterr().err


def test_debug_shows_the_traceback():
    with pytest.raises(ValueError, match="Did you mean"):
        main(["--debug", "train", "p4_cnn", "--data", "digit"])


def test_help_names_every_command_and_usage_errors_have_status_2(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    output = capsys.readouterr().out
    assert all(name in output for name in ("train", "evaluate", "check", "export", "specs", "schema", "Example"))
    for arguments in (["train"], [], ["train", "p4_cnn", "--epochs", "many"], ["fly"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2


def test_a_command_leaves_the_logger_as_it_was():
    logger = logging.getLogger("keras_equivariant")
    before = logger.handlers, logger.propagate, logger.level
    assert main(["specs"]) == 0
    assert (logger.handlers, logger.propagate, logger.level) == before
