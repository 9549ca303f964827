"""Models on groups of one's own, loaded where the group is known and where it is not."""

import os
import pathlib
import subprocess
import sys

import pytest

PROGRAM = """
import sys
import keras
import numpy as np
import keras_equivariant as ke
from keras import ops

def finite():
    return ke.groups.from_generators("upside_down", [[[1, 0], [0, -1]]])

def exp(a):
    zero, one = ops.zeros_like(a[..., 0]), ops.ones_like(a[..., 0])
    return ops.stack([ops.stack(row, -1) for row in ([one, zero, a[..., 0]], [zero, one, zero], [zero, zero, one])], -2)

def lie():
    return ke.groups.LieGroup(
        "sideways", 2, algebra=1, orbit=1, exp=exp, log=lambda m: m[..., 0, 2:], lift=lambda x: (x[..., :1], x[..., 1:])
    )

def network(kind):
    if kind == "finite":
        inputs = keras.Input((7, 7, 1))
        x = ke.layers.LiftingConv2D(2, 3, group="upside_down")(inputs)
        return keras.Model(inputs, ke.layers.GroupPooling("max")(x)), [np.ones((1, 7, 7, 1), "float32")]
    inputs = [keras.Input((5, 2)), keras.Input((5, 1)), keras.Input((5,), dtype="bool")]
    x = ke.layers.LieLift("sideways")(inputs)
    x = ke.layers.LieConv(2, group="sideways", neighbors=3)(x)
    points = np.linspace(0, 1, 10).reshape(1, 5, 2).astype("float32")
    return keras.Model(inputs, ke.layers.LiePooling()(x)), [points, points[..., :1], np.ones((1, 5), bool)]

action, kind, path = sys.argv[1:]
if action in ("save", "load"):
    ke.groups.register({"finite": finite, "lie": lie}[kind]())
if action == "save":
    model, x = network(kind)
    model.save(path)
    np.save(path + ".npy", ops.convert_to_numpy(model(x)))
else:
    model = keras.models.load_model(path)
    _, x = network(kind)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), np.load(path + ".npy"))
"""


def run(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)], capture_output=True, text=True, env=environment
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize(("kind", "name"), [("finite", "upside_down"), ("lie", "sideways")])
def test_a_saved_model_asks_for_its_group(kind, name, tmp_path):
    path = pathlib.Path(tmp_path) / "model.keras"
    saved = run("save", kind, path)
    assert saved.returncode == 0, saved.stderr[-3000:]
    unknown = run("load_unregistered", kind, path)
    assert unknown.returncode != 0
    message = unknown.stderr.split("Exception encountered")[-1]
    assert f"Received: '{name}'" in message and "`ke.groups.register(group)`, before a model on it is loaded" in message
    known = run("load", kind, path)  # the remedy
    assert known.returncode == 0, known.stderr[-3000:]
