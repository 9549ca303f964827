"""The command line by itself: help without a framework, no log lines but our own, plugins of installed packages."""

import ast
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

import keras_equivariant as ke
from keras_equivariant.utils import startup

# As pip writes it, and then what is loaded.
SCRIPT = """import sys
import atexit
frameworks = {"keras", "tensorflow", "jax", "torch"}
atexit.register(lambda: sys.stdout.write("LOADED " + " ".join(frameworks & {*sys.modules})))
from keras_equivariant.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""
ROOT = pathlib.Path(ke.__file__).parents[1]


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("bin") / "keras-equivariant"
    path.write_text(SCRIPT)
    return path


def run(*command, path=(), **options):
    """The finished process: a command on its own, which gets neither our log level nor our backend's messages."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (*path, ROOT)))
    command = [sys.executable, *map(str, command)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, **options)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["--version"], 0), (["train", "--help"], 0), (["export", "--help"], 0), (["fly"], 2)],
)
def test_parsing_loads_no_framework(script, arguments, status):
    start = time.perf_counter()
    done = run(script, *arguments)
    print(f"{' '.join(arguments)}: {time.perf_counter() - start:.2f} s")
    assert done.returncode == status
    assert done.stdout.endswith("LOADED ")
    if status == 0:
        assert done.stderr == ""
    else:
        assert "invalid choice: 'fly'" in done.stderr


def test_a_module_is_the_command_too():
    done = run("-X", "importtime", "-m", "keras_equivariant", "--help")
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "keras_equivariant.cli.parser" in loaded and not {"keras", "tensorflow"} & loaded
    assert done.stdout.startswith("usage: keras-equivariant")


@pytest.mark.parametrize(
    ("argv", "original", "found"),
    [
        (["/usr/bin/keras-equivariant", "--help"], ["python", "/usr/bin/keras-equivariant", "--help"], True),
        (["keras-equivariant-script.py"], ["python.exe", "keras-equivariant-script.py"], True),
        (["keras-equivariant.exe"], ["keras-equivariant.exe"], True),
        (["-m", "check"], ["python", "-X", "dev", "-m", "keras_equivariant", "check"], True),
        (["-m"], ["python", "-m", "somebody.else"], False),
        (["train.py", "-m", "keras_equivariant"], ["python", "train.py", "-m", "keras_equivariant"], False),
        (["-c"], ["python", "-c", "import keras_equivariant"], False),
        ([""], ["python"], False),
        ([], [], False),
    ],
)
def test_what_is_the_command_line(argv, original, found):
    assert startup.is_command_line(argv, original) == found


def test_everywhere_else_all_names_are_there_and_layers_registered(script):
    code = "import keras_equivariant, keras; print(keras.saving.get_registered_object('keras_equivariant>GroupConv2D'))"
    assert "GroupConv2D" in run("-c", code).stdout


def test_a_command_shows_its_own_lines_only(script):
    done = run(script, "check", "z2_cnn", "--set", "filters=2")
    assert done.returncode == 1 and done.stderr == ""
    assert done.stdout.startswith("z2_cnn under C4: BROKEN")


def test_only_noise_is_left_out(script):
    """Lines of libraries that are no noise are shown, after the command; what Python writes is shown at once."""
    code = """
import os, runpy, sys
runpy.run_path({script!r})
from keras_equivariant.cli.noise import quiet_frameworks
with quiet_frameworks():
    os.write(2, b"I0000 00:00:1795704406.715403   22219 port.cc:153] oneDNN\\nINFO: Created\\na problem\\nE0000 bad\\n")
    sys.stderr.write("a warning\\n")
"""
    path = script.with_name("noise") / "keras-equivariant"
    path.parent.mkdir()
    path.write_text(code.format(script=str(script)))
    done = run(path)
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["a warning", "a problem", "E0000 bad"]


@pytest.mark.tensorflow
def test_an_installed_plugin_adds_to_the_commands(script, tmp_path):
    """A package with an entry point: its layer, group, data set and format, in one run of `train`."""
    toy = pathlib.Path(__file__).parents[1] / "extensions"
    info = tmp_path / "site" / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[keras_equivariant.plugins]\ntoy = toy_plugin\n")
    spec = ast.literal_eval((toy / "toy_plugin.py").read_text().split("\nSPEC = ")[1])
    (tmp_path / "toy.json").write_text(json.dumps(spec))
    command = ["train", "toy.json", "--data", "toy_stripes", "--formats", "toy_weights", "--run-dir", "run"]
    done = run(script, *command, "--angle-step", "90", path=(tmp_path / "site", toy), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "toy under ToyRotations: EXACT" in done.stdout
    assert (tmp_path / "run" / "export" / "toy.weights.npz").is_file()
