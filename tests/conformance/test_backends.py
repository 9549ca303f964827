"""Runs the portable part of the catalogue on the other backends, each in a process of its own."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest
from portable import REFERENCE, write_reference

pytestmark = pytest.mark.tensorflow
HERE = pathlib.Path(__file__).parent
PORTABLE = (
    *("portable.py", "test_law.py", "test_serialization.py", "test_precision.py", "test_trivial_group.py"),
    *("../ops/test_convolution.py", "../layers/test_rotated_convolutions.py"),
)


@pytest.fixture(scope="module")
def reference(network, sample, tmp_path_factory):
    """The numbers of TensorFlow, for both."""
    path = tmp_path_factory.mktemp("reference") / "reference.npz"
    write_reference(path, network, sample)
    return str(path)


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backend(backend, reference, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        REFERENCE: reference,
        "JAX_ENABLE_X64": "1",
        # Most of JAX's time here is compilation: quick, and once for all models that compute the same.
        "XLA_FLAGS": "--xla_backend_optimization_level=1",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    # What trains is in portable.py, one step for each case; compiling further ones on JAX takes long.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "-k",
        "not trains and not symbolic and not float32_close and not bfloat16",
    ]
    command += [*(str(HERE / f) for f in PORTABLE)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert " passed" in run.stdout
