"""A training process is killed; the run it left continues to the result of an undisturbed one."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_training import SPEC, plain, save_shapes

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training.callbacks import Best, Checkpoint
from keras_equivariant.training.run_folder import RunFolder
from keras_equivariant.training.tasks.classification import Classification

ROOT = Path(__file__).parents[2]
EPOCHS = 6
NETWORK = {
    **SPEC,
    "layers": [*SPEC["layers"][:3], {"Dropout": 0.3}, *SPEC["layers"][3:]],
    "training": {
        "epochs": EPOCHS,
        "batch_size": 16,
        "augment": {"rotate": 180, "translate": 1},
        "schedule": {"cosine": {"warmup_epochs": 1}},
    },
}


def command(folder):
    """A run of random weights, random order, random rotations and shifts, Dropout, and a rate of each step's own."""
    spec = folder / "tiny.yaml"
    spec.write_text(yaml.safe_dump(NETWORK, sort_keys=False))
    data = save_shapes(folder / "shapes.npz", count=800)
    options = ["--run-dir", str(folder / "run"), "--seed", "4", "--angle-step", "180", "--no-export", "--quiet"]
    return ["train", str(spec), "--data", data, *options]


def rows(folder):
    path = folder / "run" / "log.csv"
    return path.read_text().count("\n") - 1 if path.exists() else 0


def weights(folder):
    with np.load(folder / "run" / "checkpoint.npz") as checkpoint:
        return dict(checkpoint)


def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    arguments = command(killed)
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_equivariant", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 120
    while rows(killed) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()[-2000:]
    finished = rows(killed)
    assert 2 <= finished < EPOCHS, "the kill came too late to test anything"
    assert finished - 1 <= weights(killed)["epoch"] <= finished, "more than one epoch was lost"
    assert not (killed / "run" / "model.keras").exists()

    assert main([*arguments, "--resume"]) == 0
    assert main(command(whole)) == 0

    resumed, undisturbed = weights(killed), weights(whole)
    assert resumed.keys() == undisturbed.keys() and resumed["epoch"] == EPOCHS
    for key in resumed:
        np.testing.assert_allclose(resumed[key], undisturbed[key], rtol=1e-5, atol=1e-6)
    logs = []
    for folder in (killed, whole):
        with open(folder / "run" / "log.csv", newline="") as file:
            logs.append(list(csv.DictReader(file)))
    assert [int(row["epoch"]) for row in logs[0]] == list(range(EPOCHS))
    for column in ("loss", "accuracy", "learning_rate"):
        np.testing.assert_allclose(*([float(row[column]) for row in log] for log in logs), rtol=1e-4)


def test_wherever_the_end_of_the_best_epoch_is_cut_off_it_is_not_lost(tmp_path):
    data, recipe = save_shapes(tmp_path / "shapes.npz"), {"batch_size": 16, "keep_best": True}
    options = {"recipe": recipe, "epochs": 2, "validation": 12, "angle_step": 180, "export_formats": (), "verbose": 0}
    whole = ke.train(plain(), data, tmp_path / "whole", **options)
    assert np.argmin(whole.history["val_loss"]) == 1, "without the last epoch another network would be kept"
    for kind in (Best, Checkpoint):
        written, folder = kind.on_epoch_end, tmp_path / kind.__name__

        def killed(self, number, logs=None, written=written):
            if number == 1:
                raise KeyboardInterrupt
            written(self, number, logs)

        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(kind, "on_epoch_end", killed)
            ke.train(plain(), data, folder, **options)
        resumed = ke.train(plain(), data, folder, resume=True, **options)
        for found, expected in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_log_is_trimmed_to_the_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss\n0,2.5\n1,1.5\n2,0.5\n3,0.")
    folder.trim_log(2)
    assert log.read_text() == "epoch,loss\n0,2.5\n1,1.5\n"
    log.write_text("epoch,loss\n0,2.5\n1,1")
    folder.trim_log(5)
    assert log.read_text() == "epoch,loss\n0,2.5\n", "a half-written row stays"
    log.write_text("epoch,loss\n0,2.5\n")
    folder.trim_log(0)
    assert log.read_text() == ""


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path):
    model = plain()
    Classification().compile(model)
    model.optimizer.build(model.trainable_variables)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz")
    assert checkpoint.restore(model) == 0
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(4)
    assert checkpoint.restore(model) == 5
    larger = plain(size=9)
    Classification().compile(larger)
    with pytest.raises(ValueError, match="belong to the network that resumes"):
        checkpoint.restore(larger)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"whole file.*checkpoint\.npz.*Delete it"):
        checkpoint.restore(model)


def test_a_run_of_a_version_without_a_setting_is_resumed(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.open({"seed": 1, "recipe": {"augment": {"rotate": 5}}}, resume=False)
    folder.close()
    (folder / "checkpoint.npz").touch()
    folder.open({"seed": 1, "recipe": {"loss": None, "augment": {"rotate": 5, "quarter_turns": False}}}, resume=True)
    folder.close()
    with pytest.raises(ValueError, match="recipe: .* then"):
        folder.open({"seed": 1, "recipe": {"augment": {"rotate": 5, "quarter_turns": True}}}, resume=True)
