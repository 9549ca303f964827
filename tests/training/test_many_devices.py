"""Many devices give the loss curve and the weights of one: two virtual CPUs, two workers of which one dies, JAX."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from device_runs import EPOCHS

from keras_equivariant.training.distribution import Distribution, check_cluster, make_distribution
from keras_equivariant.training.run import train

HERE = Path(__file__).parent
DEADLINE = 1200  # seconds
HALF = {"mixed_precision": "bfloat16"}


def start(runs, folder, **environment):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    command = [sys.executable, "device_runs.py", json.dumps(runs), str(folder)]
    return subprocess.Popen(command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def finish(process):
    output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, output.decode()[-3000:]


def log(folder):
    path = folder / "log.csv"
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def column(folder, name):
    return [float(row[name]) for row in log(folder)]


def weights(folder):
    with np.load(folder / "checkpoint.npz") as checkpoint:
        return dict(checkpoint)


def check_same(found, expected):
    assert [int(row["epoch"]) for row in log(found)] == list(range(EPOCHS))
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        np.testing.assert_allclose(column(found, name), column(expected, name), rtol=1e-4)
    one, other = weights(found), weights(expected)
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], rtol=1e-4, atol=1e-5)
    settings = json.loads((found / "config.json").read_text())["settings"]
    assert settings["distribute"] != "none" and (found / "summary.json").exists()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One process of two CPUs: a run on one of them, one on both, the same in bfloat16, one without common statistics,
    and an epoch of a network that computes its features twice."""
    folder = tmp_path_factory.mktemp("devices")
    both = {"distribute": "mirrored"}
    half = {"half": HALF, "half_mirrored": {**HALF, **both}}
    others = {"alone": {**both, "alone": True}, "twice": {**both, "epochs": 1, "recipe": {"rematerialize": True}}}
    finish(start({"single": {}, "mirrored": both, **half, **others}, folder))
    return folder


def loss_differs(one, other):
    """The largest relative difference of the losses, epoch by epoch."""
    found, expected = (np.array([column(folder, name) for name in ("loss", "val_loss")]) for folder in (one, other))
    return np.abs(found / expected - 1).max()


@pytest.mark.tensorflow
def test_two_devices_learn_what_one_learns(runs):
    check_same(runs / "mirrored", runs / "single")


@pytest.mark.tensorflow
def test_statistics_of_each_replica_by_itself_learn_something_else(runs):
    assert loss_differs(runs / "alone", runs / "single") > 0.1


def check_half(found, expected, single):
    assert len(log(found)) == EPOCHS
    assert loss_differs(found, expected) <= 2**-6  # two roundings: 1 + 2^-7 follows 1 in bfloat16
    assert loss_differs(found, single) > 1e-4  # it is not float32


@pytest.mark.tensorflow
def test_two_devices_learn_in_bfloat16_what_one_learns(runs):
    check_half(runs / "half_mirrored", runs / "half", runs / "single")


@pytest.mark.tensorflow
def test_features_computed_twice_have_the_same_statistics(runs):
    np.testing.assert_allclose(column(runs / "twice", "loss"), column(runs / "single", "loss")[:1], rtol=1e-4)


@pytest.mark.tensorflow
def test_a_killed_worker_restarts_from_the_checkpoint_and_both_learn_in_bfloat16(runs, tmp_path):
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        hosts = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]

    def both(then=None, **options):
        many = {"many": {"distribute": "multi_worker", **options}, **(then or {})}
        cluster = {"cluster": {"worker": hosts}}
        configs = [json.dumps({**cluster, "task": {"type": "worker", "index": index}}) for index in range(2)]
        return [start(many, tmp_path, TF_CONFIG=config) for config in configs]

    chief, worker = both()
    path, deadline = tmp_path / "many" / "checkpoint.npz", time.monotonic() + DEADLINE
    while not path.exists() and time.monotonic() < deadline and chief.poll() is worker.poll() is None:
        time.sleep(0.005)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()
    output, _ = chief.communicate(timeout=DEADLINE)
    assert worker.returncode == -signal.SIGKILL and chief.returncode != 0, "the first worker went on alone"
    assert len(log(tmp_path / "many")) < EPOCHS, "the kill came too late to test anything"
    assert b"ConnectionError: All workers must live" in output and b"with --resume" in output
    assert not (tmp_path / "many" / "model.keras").exists()
    for process in both({"half": {"distribute": "multi_worker", **HALF}}, resume=True):
        finish(process)
    check_same(tmp_path / "many", runs / "single")
    check_half(tmp_path / "half", runs / "half", runs / "single")


def test_jax_learns_on_two_devices_what_it_learns_on_one(tmp_path):
    both = {"single": {}, "parallel": {"distribute": "data_parallel"}}
    finish(start(both, tmp_path, KERAS_BACKEND="jax"))
    check_same(tmp_path / "parallel", tmp_path / "single")


def test_batches_are_cut_into_equal_parts():
    distribution = Distribution()
    distribution.replicas = 4
    assert distribution.divide("batch_size", 12) == 12
    with pytest.raises(ValueError, match="Received: batch_size=30 for 4 replicas. Use 28 or 32"):
        distribution.divide("batch_size", 30)
    with pytest.raises(ValueError, match=r"validation=3 for 4 replicas. Use 4\."):
        distribution.divide("validation", 3)


@pytest.mark.parametrize(("backend", "kind", "remedy"), [
    ("tensorflow", "data_parallel", '"mirrored" or "multi_worker", or set KERAS_BACKEND=jax'),
    ("jax", "mirrored", '"data_parallel", or set KERAS_BACKEND=tensorflow'),
    ("torch", "multi_worker", '"none", or set KERAS_BACKEND=tensorflow'),
])  # fmt: skip
def test_an_engine_of_another_backend_is_refused(monkeypatch, backend, kind, remedy):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(ValueError) as error:
        make_distribution(kind)
    assert f"Received: the backend {backend}" in str(error.value) and remedy in str(error.value)


def test_an_unknown_distribution_is_refused():
    with pytest.raises(ValueError, match="must be one of none, mirrored.*Received: distribute=.mirror."):
        make_distribution("mirror")


GOOD = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("", "TF_CONFIG='' .*Set it on each"),
        ("{", "JSONDecodeError"),
        (json.dumps({**GOOD, "task": {"type": "worker", "index": 2}}), "IndexError"),
        (json.dumps({**GOOD, "task": {"type": "evaluator", "index": 0}}), "KeyError"),
        (json.dumps({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}), "`chief` and `worker`, lists"),
    ],
)
def test_a_cluster_that_is_not_described_is_refused(monkeypatch, config, message):
    monkeypatch.setenv("TF_CONFIG", json.dumps(GOOD))
    check_cluster()
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=message):
        check_cluster()


@pytest.mark.tensorflow
def test_a_built_model_has_no_place_on_other_devices(tmp_path):
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    with pytest.raises(ValueError, match="built on all of them. Received: a built model.*Give a spec"):
        train(model, "digits", tmp_path / "run", distribute="mirrored", limit=8, export_formats=())
