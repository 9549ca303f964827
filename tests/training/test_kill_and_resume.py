"""A training process is killed; the run it left continues to the result of an undisturbed one."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_run import RECIPE, save_shapes, start

from keras_equivariant.training.run_folder import RunFolder

HERE = Path(__file__).parent


def rows(folder):
    path = folder / "run" / "log.csv"
    return path.read_text().count("\n") - 1 if path.exists() else 0


def test_a_killed_run_resumes_to_the_same_weights(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
        save_shapes(folder / "shapes.npz", count=800)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(HERE / "tiny_run.py"), str(killed)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while rows(killed) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors.decode()[-2000:]
    finished = rows(killed)
    assert 3 <= finished < RECIPE["epochs"], "the kill came too late to test anything"
    with np.load(killed / "run" / "checkpoint.npz") as checkpoint:
        assert finished - 1 <= checkpoint["epoch"] <= finished, "more than one epoch was lost"
    assert not (killed / "run" / "model.keras").exists()

    resumed, undisturbed = start(killed, resume=True), start(whole)

    for a, b in zip(resumed.model.get_weights(), undisturbed.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert resumed.test_accuracy == undisturbed.test_accuracy
    with open(killed / "run" / "log.csv", newline="") as file:
        log = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in log] == list(range(RECIPE["epochs"]))
    np.testing.assert_allclose(resumed.history["loss"], undisturbed.history["loss"], rtol=1e-4)
    np.testing.assert_allclose(resumed.history["learning_rate"], undisturbed.history["learning_rate"], rtol=1e-6)


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
    from tiny_run import plain

    from keras_equivariant.training.callbacks import Checkpoint
    from keras_equivariant.training.fit import compile_classifier

    model = plain()
    compile_classifier(model)
    model.optimizer.build(model.trainable_variables)
    checkpoint = Checkpoint(tmp_path / "checkpoint.npz")
    assert checkpoint.restore(model) == 0
    checkpoint.set_model(model)
    checkpoint.on_epoch_end(4)
    assert checkpoint.restore(model) == 5
    larger = plain(size=9)
    compile_classifier(larger)
    with pytest.raises(ValueError, match="belong to the network that resumes"):
        checkpoint.restore(larger)
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"whole file.*checkpoint\.npz.*Delete it"):
        checkpoint.restore(model)
