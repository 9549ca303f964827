"""Training runs in a process of its own, whose devices are set before its backend starts.

    python device_runs.py '{"run": {"distribute": "mirrored", ...}, ...}' FOLDER

trains the network below once for each entry, into FOLDER/<key>. Two devices, unless TF_CONFIG names several workers, of
which each has one.
"""

import contextlib
import json
import os
import pathlib
import sys
from unittest import mock

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"  # no faster compiling: JAX trained to NaN with it

import numpy as np
from tiny_training import save_shapes

EPOCHS = 4
IMAGES = 160
SPEC = {
    "spec": 1,
    "name": "three_kinds",
    "params": {"classes": 3},
    "input": {"shape": [8, 8, 1]},
    "defaults": {"GroupConv2D": {"group": "C4", "use_bias": False}},
    "layers": [
        {"Normalization": {"axis": None}},
        {
            "parallel": {
                "branches": [
                    [
                        {"LiftingConv2D": {"filters": 2, "kernel_size": 3, "group": "C4", "use_bias": False}},
                        "BatchNormalization",
                        {"GroupConv2D": {"filters": 2, "kernel_size": 3}},
                        {"BatchNormalization": {"activation": "relu"}},
                        {"GroupPooling": "max"},
                        "GlobalAveragePooling2D",
                    ],
                    [
                        {"HarmonicConv2D": {"filters": 2, "kernel_size": 3}},
                        {"HarmonicBatchNormalization": "relu"},
                        "HarmonicMagnitude",
                        "GlobalAveragePooling2D",
                    ],
                    [
                        {
                            "SteerableConv2D": {
                                "out_type": "2x0 + 2x1",
                                "kernel_size": 3,
                                "group": "SO2",
                                "use_bias": False,
                            }
                        },
                        "SteerableBatchNormalization",
                        "NormPooling",
                        "GlobalAveragePooling2D",
                    ],
                ],
                "merge": "Concatenate",
            }
        },
        {"Dense": "${classes}"},
    ],
    "training": {
        "epochs": EPOCHS,
        "batch_size": 16,
        "optimizer": {"SGD": {"learning_rate": 0.05, "momentum": 0.9}},
        "augment": {"rotate": 180, "translate": 1},
    },
}


def main(runs, folder):
    if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow" and "TF_CONFIG" not in os.environ:
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    import keras_equivariant as ke
    from keras_equivariant.training.distribution import Distribution

    folder = pathlib.Path(folder)
    for name, options in json.loads(runs).items():
        data = folder / f"{name}_{os.getpid()}.npz"
        save_shapes(data, IMAGES)
        alone = options.pop("alone", False)  # each replica with statistics of its own: the negative control
        patch = mock.patch.object(Distribution, "synchronized", contextlib.nullcontext) if alone else mock.MagicMock()
        with patch:
            options = {"angle_step": 180, "export_formats": (), "verbose": 0, "validation": 12, **options}
            with np.load(data) as arrays:
                dataset = ke.data.Dataset("shapes", "shapes", **arrays)
            ke.train(SPEC, dataset, folder / name, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
