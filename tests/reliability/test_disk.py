"""Full disks, killed exports, two exports at once, folders that cannot be written: an error that says what to do."""

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.export import files
from keras_equivariant.training.run_folder import RunFolder

pytestmark = [pytest.mark.tensorflow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX")]
OPTIONS = {"formats": ["saved_model", "keras"], "verify": False}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    image = keras.Input((9, 9, 1), name="image")
    x = ke.layers.GroupPooling("max")(ke.layers.LiftingConv2D(16, 5, group="D4")(image))
    x = keras.layers.Dense(400)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, keras.layers.Dense(200)(x), name="tiny")


@contextlib.contextmanager
def full_disk(size):
    """No file may grow beyond this size: what a full disk answers, in one process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1000, 100_000])
def test_export_on_a_full_disk(model, tmp_path, size):
    with pytest.raises(OSError, match=r"needs room on its disk.*Free some.*tiny"), full_disk(size):
        ke.export(model, tmp_path, **OPTIONS)
    assert listed(tmp_path) == []
    ke.export(model, tmp_path, **OPTIONS)
    assert listed(tmp_path) == ["tiny", "tiny.keras", "tiny.report.json"]


def tiny(folder):
    """The arguments for a small spec, with a checkpoint of some tens of kilobytes, and small data."""
    layers = [{"LiftingConv2D": {"filters": 4, "kernel_size": 3, "group": "C4"}}, {"GroupPooling": "max"}]
    layers += ["GlobalAveragePooling2D", {"Dense": 600}, {"Dense": "${classes}"}]
    head = {"spec": 1, "name": "tiny", "params": {"classes": 3, "size": 8, "channels": 1}}
    spec = {**head, "input": {"shape": ["${size}", "${size}", "${channels}"]}, "layers": layers}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    images, labels = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype("uint8"), np.arange(60) % 3
    np.savez(folder / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return [str(folder / "tiny.yaml"), "--data", str(folder / "data.npz")]


@pytest.mark.parametrize("size", [0, 1000, 20_000])
def test_training_on_a_full_disk(tmp_path, size, capsys):
    arguments = ["train", *tiny(tmp_path), "--epochs", "1", "--angle-step", "180", "--no-export", "--quiet"]
    arguments += ["--run-dir", str(tmp_path / "run")]
    with full_disk(size):
        assert main(arguments) == 2
    message = capsys.readouterr().err
    assert "needs room on its disk" in message and str(tmp_path / "run") in message and "--resume" in message
    assert not [name for name in listed(tmp_path / "run") if "tmp" in name]
    if size == 20_000:
        assert main([*arguments, *(["--resume"] if (tmp_path / "run" / "config.json").exists() else [])]) == 0
        assert "summary.json" in listed(tmp_path / "run")


def test_what_a_killed_export_left_is_cleared(model, tmp_path):
    code = (
        "import sys, time; from keras_equivariant.export import files\n"
        "with files.staging(sys.argv[1], 'tiny') as stage:\n"
        "    (stage / 'half').write_text('x'); print('there', flush=True); time.sleep(600)"
    )
    start = lambda: subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)  # noqa: E731
    dead, living = start(), start()
    try:
        assert dead.stdout.readline() and living.stdout.readline()
        dead.kill()
        dead.wait()
        (tmp_path / ".tiny-notes").mkdir()  # somebody's own
        assert len(list(tmp_path.glob(".tiny-*"))) == 3
        ke.export(model, tmp_path, **OPTIONS)
        assert len(list(tmp_path.glob(".tiny-*"))) == 2
        assert [stage for stage in tmp_path.glob(".tiny-*") if (stage / "half").exists()]
    finally:
        for process in (dead, living):
            process.kill()
            process.wait()
            process.stdout.close()


def test_of_many_exports_at_once_one_wins(tmp_path):
    """Each moves two files; the winner's are both there, and nobody else's."""
    answers, barrier = [], threading.Barrier(8, timeout=60)

    def export(number):
        with files.staging(tmp_path, "net") as stage:
            pairs = []
            for name in ("net", "net.keras"):
                target = tmp_path / name
                (stage / name).mkdir() if name == "net" else (stage / name).write_text(str(number))
                if name == "net":
                    (stage / name / "part").write_text(str(number))
                pairs.append((stage / name, target))
            barrier.wait()
            try:
                files.publish(tmp_path, stage, pairs, overwrite=False)
                answers.append(number)
            except FileExistsError:
                pass

    threads = [threading.Thread(target=export, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1
    assert (tmp_path / "net.keras").read_text() == (tmp_path / "net" / "part").read_text() == str(answers[0])
    assert listed(tmp_path) == ["net", "net.keras"]


def test_a_stage_that_begins_is_no_killed_one(tmp_path):
    """Of many that begin at once none takes the folder of another, not yet locked, for one that was left behind."""
    barrier, lost = threading.Barrier(8, timeout=60), []

    def begin():
        barrier.wait()
        for _ in range(20):
            try:
                with files.staging(tmp_path, "net") as stage:
                    (stage / "part").write_text("x")
                    assert (stage / "part").read_text() == "x"
            except OSError as error:
                lost.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not lost and not list(tmp_path.iterdir())


def test_a_file_in_the_way(model, tmp_path):
    (tmp_path / "tiny").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match="in the way of .*move it, or pass another"):
            ke.export(model, tmp_path, overwrite=overwrite, **OPTIONS)
    assert (tmp_path / "tiny").read_text() == "mine"
    with pytest.raises(OSError, match="in the way|must be a folder"):
        ke.export(model, tmp_path / "tiny", overwrite=True, **OPTIONS)


def test_links_to_nothing(model, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="symbolic link to nothing"):
        ke.export(model, tmp_path / "link", **OPTIONS)
    with pytest.raises(OSError, match="symbolic link to nothing"):
        RunFolder(tmp_path / "link").open({}, resume=False)


def test_a_link_to_a_folder_is_that_folder(model, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ke.export(model, tmp_path / "link", **OPTIONS)
    assert "tiny.keras" in listed(tmp_path / "real")
    folder = RunFolder(tmp_path / "link2")
    (tmp_path / "real2").mkdir()
    (tmp_path / "link2").symlink_to(tmp_path / "real2")
    folder.open({}, resume=False)
    folder.close()
    assert "config.json" in listed(tmp_path / "real2")


def test_folders_that_cannot_be_written(model):
    if not Path("/proc/self").exists():
        pytest.skip("no folder that nobody can write")
    with pytest.raises(OSError, match="must be a folder that can be written to"):
        ke.export(model, "/proc/self/fd", **OPTIONS)
    with pytest.raises(OSError, match="The run folder must be writable"):
        RunFolder("/proc/self/run").open({}, resume=False)


@pytest.mark.slow
def test_thirty_kills_at_random_moments(tmp_path):
    """A run of training, checkpoints, certificate and export is killed again and again, and ends with the same bits."""
    options = [*tiny(tmp_path), "--epochs", "4", "--angle-step", "90", "--formats", "saved_model", "keras"]
    command = [sys.executable, "-m", "keras_equivariant", "train", *options]
    environment = {**os.environ, "TF_DETERMINISTIC_OPS": "1", "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}

    def run(folder, seconds=None):
        resume = ["--resume"] if (folder / "config.json").exists() else []
        try:
            arguments = [*command, "--run-dir", str(folder), *resume]
            return subprocess.run(arguments, env=environment, timeout=seconds, capture_output=True)  # kills at its end
        except subprocess.TimeoutExpired:
            return None

    begin = time.monotonic()
    assert run(tmp_path / "whole").returncode == 0
    lasts = time.monotonic() - begin
    expected = keras.models.load_model(tmp_path / "whole" / "model.keras").get_weights()
    rng, kills, number = np.random.default_rng(0), 0, 0
    while kills < 30:
        number, done = number + 1, None
        folder = tmp_path / f"killed{number}"
        while done is None:
            done = run(folder, rng.uniform(0.3, 1.1) * lasts if kills < 30 else None)
            kills += done is None
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        found = keras.models.load_model(folder / "model.keras").get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(expected, found, strict=True))
        left = [path for path in folder.rglob(".*") if path.name != ".lock"]
        assert not left and listed(folder / "export") == listed(tmp_path / "whole" / "export")
    print(f"{kills} kills, {number} runs ended with the bits of an undisturbed one")
