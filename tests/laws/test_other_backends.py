"""The searches on the other backends, each in a process of its own: the same laws, in float64.

Keras takes means in float32 there whatever their type, as in GlobalAveragePooling2D and GroupNormalization: networks
are exact up to float32.
"""

import os
import pathlib
import subprocess
import sys

import pytest

from keras_equivariant.utils.optional import require

pytestmark = pytest.mark.tensorflow
HERE = pathlib.Path(__file__).parent
LAYERS = """
import sys, layer_search
outcomes, found = layer_search.search({count}, seed=5)
wrong = [(o.kind, o.case, o.error) for o in outcomes if o.kind in ("inexact", "false") or o.bad_remedies]
print(found, wrong)
sys.exit(bool(wrong) or not found["accepted"] or not found["refused"])
"""
NETWORKS = """
import sys, linter_search
found, wrong = linter_search.search({count}, seed=5)
print(found, wrong)
sys.exit(bool(found["inexact"]) or found["false"] > {count} / 50 or not found["accepted"] or not found["refused"])
"""


def run(backend, code, **other):
    require(backend, "The laws on it")
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_ENABLE_X64": "1",
        "XLA_FLAGS": "--xla_backend_optimization_level=1",  # most of JAX's time is compilation
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
        **other,
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


@pytest.mark.parametrize(("backend", "count"), [("torch", 40), ("jax", 16)])
def test_random_layers(backend, count):
    run(backend, LAYERS.format(count=count))


@pytest.mark.parametrize(("backend", "count"), [("torch", 12), ("jax", 5)])
def test_random_networks(backend, count):
    run(backend, NETWORKS.format(count=count))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_more_random_networks(backend):
    run(backend, NETWORKS.format(count=200))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_more_random_layers(backend):
    run(backend, LAYERS.format(count=300))


CERTIFICATES = """
import keras, numpy as np, keras_equivariant as ke

keras.utils.set_random_seed(1)
image = keras.Input((8, 8, 1))
x = ke.layers.SteerableConv2D("1x0", "2x0 + 2x1", 3, group="SO2", padding="same")(image)
x = ke.layers.NormActivation("2x0 + 2x1", group="SO2")(x)
x = ke.layers.SteerableConv2D("2x0 + 2x1", "2x0", 3, group="SO2")(x)
rotations = ke.certify(keras.Model(image, x))
assert rotations.lie_derivative is not None and rotations.verdict != "broken", rotations
assert rotations.max_error < 1e-12, rotations
molecules = ke.build_from_spec("lieconv_dipole", width=4, layers=1, points=5, neighbors=3)
assert ke.certify(molecules).verdict != "broken"  # which only float64 can tell: its float32 rounds by 5e-4
stock = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
assert ke.certify(stock, "C4").verdict == "broken"
assert ke.certify(ke.symmetrize(stock, "C4")).verdict == "exact"  # no call of it moves freely
"""
MOTION = """
import keras, numpy as np, keras_equivariant as ke

layers = keras.layers
points = [keras.Input((3, 2)), keras.Input((3, 2)), keras.Input((3,), dtype="bool")]
potential = keras.Model(points, layers.Dense(1)(layers.Dense(4, "tanh")(layers.Flatten()(points[0]))))
motion = ke.dynamics.HamiltonianNetwork(potential, steps=2)
motion.compile("sgd", "mse", jit_compile=False)
draw = np.random.default_rng(0).uniform
states, parameters = (draw(1, 2, (4, *shape)).astype("float32") for shape in ((2, 3, 2), (3, 2)))
history = motion.fit([states, parameters], np.repeat(states[:, None], 2, axis=1), verbose=0).history
assert np.isfinite(history["loss"]).all(), history
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_certificates(backend):
    run(backend, CERTIFICATES, JAX_ENABLE_X64="0")


def test_motion_is_trained_on_jax():  # whose steps, where they are not compiled, call a model with arrays of NumPy
    run("jax", MOTION)
