"""The SavedModel served by TensorFlow's C library: a C program, no Python, an empty environment."""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from export_models import random_inputs, relative_error, small_cnn
from tensorflow.core.protobuf import saved_model_pb2

from keras_equivariant.export import export

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled loader."""
    if COMPILER is None:
        pytest.skip("there is no C compiler")
    source = pathlib.Path(__file__).with_name("load_saved_model.c")
    binary = tmp_path_factory.mktemp("c") / "load_saved_model"
    home = tf.sysconfig.get_lib()
    libraries = [f"-l:{name}" for name in ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")]
    options = ["-O1", "-Wall", "-Werror", f"-I{home}/include", f"-L{home}", f"-Wl,-rpath,{home}"]
    subprocess.run([COMPILER, str(source), "-o", str(binary), *options, *libraries], check=True)
    return binary


def _operations(folder):
    """Names of the operations that the default signature feeds and fetches."""
    meta = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes()).meta_graphs[0]
    signature = meta.signature_def["serving_default"]
    return [next(iter(ends.values())).name.split(":")[0] for ends in (signature.inputs, signature.outputs)]


@pytest.mark.parametrize("batch", [1, 3])
def test_c_program_computes_what_keras_computes(program, tmp_path, batch):
    model = small_cnn("D4")
    folder = export(model, tmp_path, formats=["saved_model"]).path("saved_model")
    inputs = random_inputs(model, batch=batch)
    inputs.tofile(tmp_path / "x.bin")
    arguments = [*_operations(folder), tmp_path / "x.bin", *inputs.shape]
    done = subprocess.run(
        ["env", "-i", str(program), str(folder), *map(str, arguments)], capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    outputs = np.frombuffer(done.stdout, "float32").reshape(batch, -1)
    assert relative_error(outputs, model(inputs)) <= 1e-5


def test_c_program_reports_a_folder_without_model(program, tmp_path):
    done = subprocess.run(
        ["env", "-i", str(program), str(tmp_path), "a", "b", "c", "1"], capture_output=True, timeout=120
    )
    assert done.returncode == 1
    assert b"Could not find SavedModel" in done.stderr
