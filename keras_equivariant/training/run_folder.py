"""The folder of one run: its settings, its log, and the right to continue it."""

import csv
import errno
import json
import os
import platform
import tempfile
from pathlib import Path

import numpy as np

from keras_equivariant.utils.files import write_text

CONFIG = "config.json"
OF_EPOCHS = ("checkpoint.npz", "model.keras")
BEFORE_AN_EPOCH = ("spec.yaml", "preprocess.npz", "log.csv", "best.npz")


class RunFolder:
    """A folder that holds everything about one run.

    | file | what |
    |---|---|
    | config.json | the settings, the versions of the software, and the command, data, machine and commit |
    | spec.yaml | the network, with every parameter filled in |
    | log.csv | loss, accuracy (or F1), learning rate and seconds of each epoch |
    | checkpoint.npz | the state after the last whole epoch |
    | model.keras | the trained network |
    | report.html | everything to look at: data, learning, answers, certificate, exported files, in one file |
    | summary.json | the results, in percent |
    | tested.json | what an ended run was asked for, by which `resume` knows that there is nothing left to do |
    | accuracy_by_angle.png, f1_by_angle.png | the test score of rotated images |
    | certificate.json, .txt, .png | the equivariance error of the trained network |
    | export/ | the network as it is served |
    """

    def __init__(self, path):
        self.path = Path(path).expanduser()
        self._lock = None

    def __truediv__(self, name):
        return self.path / name

    def open(self, settings, resume, origin=None):
        """Create the folder, or reopen it for `resume`; nothing is written over. `origin` is kept beside the settings.

        A run that finished no epoch is begun anew, with any settings.

        Raises:
            FileExistsError: It holds a run already, and `resume` is false; or another process works in it.
            ValueError: `resume` with other settings than the run was started with (more epochs are allowed).
            OSError: The folder cannot be written.
        """
        config = self / CONFIG
        begun, started = self.has_epochs(), config.exists()
        if begun and started:
            if not resume:
                raise FileExistsError(
                    f"A run folder is never written over. Received: {self.path}, which holds a run. "
                    "Continue it with --resume, or name another folder with --run-dir."
                )
            self._check_same(read_json(config, "settings")["settings"], settings)
        elif not started and self.path.is_dir() and any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise FileExistsError(
                f"A new run needs an empty folder. Received: {self.path}, which holds other files. "
                "Name another folder with --run-dir."
            )
        check_writable(self.path)
        self._lock_folder()
        for name in () if begun else BEFORE_AN_EPOCH:
            (self / name).unlink(missing_ok=True)
        write_json(config, {"settings": settings, "versions": versions(), "origin": origin or {}})

    def has_epochs(self):
        """Whether a run left the state of an epoch here."""
        return any((self / name).exists() for name in OF_EPOCHS)

    def close(self):
        """Let another process open the folder; the end of the process, however it ends, does the same."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _lock_folder(self):
        try:
            import fcntl
        except ImportError:  # not a POSIX system
            return
        self._lock = open(self / ".lock", "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise FileExistsError(
                f"One process at a time may work in a run folder. Received: {self.path}, in which a run is going on. "
                "Wait for it or stop it, or name another folder with --run-dir."
            ) from None

    def _check_same(self, before, now):
        different = {
            key: (before.get(key), now.get(key))
            for key in sorted({*before, *now})
            if _given(before.get(key)) != _given(now.get(key))
            and key != "distribute"  # the result is the same
            and not (key == "epochs" and now[key] > before[key])
        }
        if different:
            listed = "; ".join(f"{key}: {old!r} then, {new!r} now" for key, (old, new) in different.items())
            raise ValueError(
                f"A run is resumed with the settings it was started with (or more epochs). Received: {self.path} "
                f"with {listed}. Repeat the first command with --resume, or name another folder with --run-dir."
            )

    def trim_log(self, epoch):
        """Drop the rows of the log from `epoch` on: epochs that ended after the last checkpoint, run again."""
        path = self / "log.csv"
        if path.exists():
            header, *rows = path.read_text().splitlines(keepends=True) or [""]
            kept = [row for row in rows if row.endswith("\n") and int(row.split(",", 1)[0]) < epoch]
            write_text(path, header + "".join(kept) if kept else "")

    def history(self):
        """The columns of the log, as lists of floats; columns without a number are left out."""
        with open(self / "log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        return {
            key: [float(row[key]) for row in rows]
            for key in (rows[0] if rows else ())
            if rows[0][key] not in ("NA", "")
        }


def _given(value):
    """A setting without the entries that say nothing, which another version of the software may not have."""
    if not isinstance(value, dict):
        return value
    return {key: _given(entry) for key, entry in value.items() if entry is not None and entry is not False} or None


def check_writable(path):
    """Create the folder and prove that files can be written in it."""
    try:
        if path.is_symlink() and not path.exists():
            raise OSError(errno.ENOENT, "a symbolic link to nothing")
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise type(error)(
            f"The run folder must be writable. Received: {path} ({error.strerror or error}). "
            "Name another folder with --run-dir."
        ) from error


def versions():
    """The software a run was made with."""
    import keras

    from keras_equivariant.version import __version__

    found = {
        "keras_equivariant": __version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }
    if found["backend"] == "tensorflow":
        import tensorflow as tf

        found["tensorflow"] = tf.__version__
    return found


def read_json(path, *keys):
    """The object in a JSON file of a run, which has at least these keys; else a ValueError names the file."""
    try:
        content = json.loads(Path(path).read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"A run's JSON files must be whole. Received: {path} ({error}). Start a new run.") from error
    missing = [key for key in keys if key not in content] if isinstance(content, dict) else ["an object"]
    if missing:
        raise ValueError(
            f"A run's JSON files must be as `train` writes them. Received: {path} without {', '.join(missing)}. Start "
            "a new run."
        )
    return content


def write_json(path, content):
    """Write JSON in one step: a killed process leaves the old file or the new one."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
