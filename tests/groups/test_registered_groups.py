"""Models on groups of one's own, loaded where the group is known and where it is not."""

import os
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

action, folder = sys.argv[1:]
for kind, make in (("finite", finite), ("lie", lie)):
    path = f"{folder}/{kind}.keras"
    if action == "load":
        try:
            keras.models.load_model(path)
        except Exception as error:
            print(kind, str(error).split("Exception encountered")[-1].replace("\\n", " "))
    ke.groups.register(make())
    model, x = network(kind)
    if action == "save":
        model.save(path)
        np.save(path + ".npy", ops.convert_to_numpy(model(x)))
    else:  # the remedy
        model = keras.models.load_model(path)
        np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), np.load(path + ".npy"))
        print(kind, "answers the same")
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What a process prints that loads what another one has saved."""
    folder, environment = tmp_path_factory.mktemp("groups"), {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for action in ("save", "load"):
        command = [sys.executable, "-c", PROGRAM, action, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


@pytest.mark.tensorflow
@pytest.mark.parametrize(("kind", "name"), [("finite", "upside_down"), ("lie", "sideways")])
def test_a_saved_model_asks_for_its_group(kind, name, printed):
    refused, loaded = (line for line in printed if line.startswith(kind))
    assert f"Received: '{name}'" in refused and "`ke.groups.register(group)`, before a model on it is loaded" in refused
    assert loaded == f"{kind} answers the same"
