"""What a learned basis gains between quarter turns, measured into learned_bases.yaml.

    KERAS_EQUIVARIANT_DATA=FOLDER python tutorials/results/learned_bases.py

One 3x3 `LiftingConv2D` on C8 with 16 random filters, on 64 images of the test part of `crchisto27`, which no basis was
learned from: |f(g x) - g f(x)| / |f(x)| for the rotation by 45 degrees, images and features rotated by cubic
interpolation, inside a disc of 0.35 image widths.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402

import keras_equivariant as ke  # noqa: E402
from keras_equivariant.groups.grid import centered_points  # noqa: E402
from keras_equivariant.results import record_timing  # noqa: E402
from keras_equivariant.training.run_folder import versions  # noqa: E402

FILE = pathlib.Path(__file__).with_suffix(".yaml")
COMMAND = f"python tutorials/results/{pathlib.Path(__file__).name}"
VERSIONS = {key: value for key, value in versions().items() if key != "machine"}
BASES = {
    "bilinear": "bilinear",
    "gaussian": "Gaussian",
    "learned": "learned",
    "learned_full": "learned, full",
    "steerable": "steerable",
}


def error(layer, x, element):
    """The relative error of the layer for an element of C8, inside the disc."""
    y, moved = (keras.ops.convert_to_numpy(layer(each)) for each in (x, ke.groups.act(x, "C8", element, "image")))
    size = x.shape[1]
    disc = (np.linalg.norm(centered_points((size, size)), axis=1) < 0.35 * size).reshape(1, size, size, 1, 1)
    return float(np.linalg.norm((moved - ke.groups.act(y, "C8", element, "regular")) * disc) / np.linalg.norm(y * disc))


def main():
    images = ke.data.load("crchisto27").x_test[:64].astype("float64") / 255
    for basis, label in BASES.items():
        keras.utils.set_random_seed(0)
        layer = ke.layers.LiftingConv2D(16, 3, "C8", padding="same", basis=basis, strict=False, dtype="float64")
        numbers = {
            "error": error(layer, images, 1),
            "error_without_mean": error(layer, images - images.mean(), 1),
            "quarter_turns": error(layer, images, 2),
        }
        numbers = {key: float(f"{value:.3g}") for key, value in numbers.items()}
        print(basis, numbers, flush=True)
        on = {"label": label, "data": "crchisto27, 64 test images", "seeds": [0]}
        record_timing(FILE, basis, numbers, COMMAND, VERSIONS, **on)


if __name__ == "__main__":
    main()
