"""On other backends nothing of TensorFlow is in the process while a network is trained."""

import os
import subprocess
import sys

SCRIPT = """
import os, sys
import numpy as np
import keras_equivariant as ke
from keras_equivariant.training import fit

def saved(model, path):
    print("tensorflow" in sys.modules, sorted(os.listdir(os.path.dirname(path))))
    os._exit(0)  # to write a .keras file Keras looks for TensorFlow

fit.save_model = saved
rng = np.random.default_rng(0)
x, y = rng.integers(0, 255, (24, 8, 8, 1)).astype("uint8"), np.arange(24) % 2
network = {
    "spec": 1, "name": "tiny", "input": {"shape": [8, 8, 1]},
    "layers": [
        {"Normalization": {"axis": None}},
        {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "C4"}},
        {"BatchNormalization": {"activation": "relu"}}, {"GroupPooling": "max"}, "GlobalAveragePooling2D", {"Dense": 2},
    ],
    "training": {"epochs": 1, "batch_size": 4, "augment": {"rotate": 180}},
}
ke.train(network, ke.data.Dataset("noise", "", x, y, x, y), sys.argv[1], validation=8, export_formats=(), verbose=0)
"""


def test_torch_trains_alone(tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert found.stdout.startswith("False ") and "checkpoint.npz" in found.stdout, found.stderr[-2000:]
