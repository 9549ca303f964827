"""A small data set and small networks for the training tests."""

import keras
import numpy as np

SPEC = {
    "spec": 1,
    "name": "tiny",
    "params": {"classes": 10, "size": 28, "channels": 1},
    "input": {"shape": ["${size}", "${size}", "${channels}"]},
    "layers": [
        {"Normalization": {"axis": None}},
        {"LiftingConv2D": {"filters": 4, "kernel_size": 3, "group": "C4"}},
        {"BatchNormalization": {"activation": "relu"}},
        {"GroupPooling": "max"},
        "GlobalAveragePooling2D",
        {"Dense": "${classes}"},
    ],
    "training": {"dataset": "elsewhere", "epochs": 3, "batch_size": 16, "optimizer": {"Adam": {"learning_rate": 0.01}}},
}


def save_shapes(path, count=60, size=8, channels=1):
    """Three classes that differ whichever way they are rotated: a dot, a bar, a cross."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, number in (("train", count), ("test", 30)):
        labels = np.arange(number) % 3
        images = rng.integers(0, 30, (number, size, size, channels)).astype("uint8")
        middle = size // 2
        for image, label in zip(images, labels, strict=True):
            image[middle - 1 : middle + 1, middle - 1 : middle + 1] = 200
            if label > 0:
                image[middle - 1 : middle + 1] = 200
            if label > 1:
                image[:, middle - 1 : middle + 1] = 200
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    np.savez(path, **arrays)
    return str(path)


def plain(name="plain", size=8):
    keras.utils.set_random_seed(1)
    inputs = keras.Input((size, size, 1))
    x = keras.layers.Normalization(axis=None)(inputs)
    x = keras.layers.Conv2D(4, 3, use_bias=False)(x)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.Dropout(0.3)(x)
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(x)), name=name)
