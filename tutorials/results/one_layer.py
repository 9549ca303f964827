"""How far one convolution is from equivariance between the grid's own rotations, measured into one_layer.yaml.

    python tutorials/results/one_layer.py

Images and volumes are sums of plane waves, none shorter than eight pixels, of the size of the kernel: they are rotated
exactly, by sampling the waves at the rotated places, and the layer answers at one point, so that nothing is resampled.
The error is |f(g x) - rho(g) f(x)| / |f(x)| over 200 inputs: in the plane at worst over rotations by 0, 5, ..., 90
degrees, in space for the rotation by 35 degrees about (1, 2, 3).
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
INPUTS, WAVES, SHORTEST = 200, 40, 8
L = ke.layers


def sampled(size, matrix, seed=0):
    """Inputs (200, size, ..., 1), rotated by a matrix of the plane or of space, in the coordinates of the types."""
    rank, rng = len(matrix), np.random.default_rng(seed)
    direction = rng.normal(size=(INPUTS, WAVES, rank))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    length = 2 * np.pi / SHORTEST * rng.uniform(size=(INPUTS, WAVES, 1)) ** (1 / rank)
    vectors, phase = length * direction, rng.uniform(0, 2 * np.pi, (INPUTS, WAVES, 1))
    places = centered_points((size,) * rank) @ matrix  # x(g^-1 p)
    waves = np.cos(np.einsum("iwa,pa->iwp", vectors, places) + phase).mean(axis=1)
    return waves.reshape(INPUTS, *(size,) * rank, 1)


def error(layer, transform, size, matrix):
    """The relative error of a layer that answers at one point."""
    before, after = (
        keras.ops.convert_to_numpy(layer(sampled(size, each))).reshape(INPUTS, 1, 1, -1)
        for each in (np.eye(len(matrix)), matrix)
    )
    return float(np.linalg.norm(after - transform(before, matrix)) / np.linalg.norm(before))


def steerable(out_type, group, size):
    """A layer and how its answer moves under a matrix."""
    make = L.SteerableConv2D if group == "SO2" else L.SteerableConv3D
    layer = make("1x0", out_type, size, group, use_bias=False, dtype="float64")
    field_type = ke.FieldType.parse(out_type, group)
    return layer, lambda y, matrix: field_type.transform(y, matrix)


def harmonic(size):
    """Orders 0 to 2 as irreps of SO(2)."""
    layer = L.HarmonicConv2D(8, size, max_order=2, dtype="float64")

    def transform(y, matrix):
        angle = np.arctan2(matrix[1, 0], matrix[0, 0])
        y = y.reshape(INPUTS, 3, 2, 8)
        z = (y[:, :, 0] + 1j * y[:, :, 1]) * np.exp(1j * angle * np.arange(3))[:, None]
        return np.stack([z.real, z.imag], axis=2).reshape(INPUTS, 1, 1, -1)

    return layer, transform


def invariant(layers):
    """Layers whose answer stays as it is."""
    return keras.Sequential(layers), lambda y, _: y


def rows():
    """`name: (label, size, layer, transform)`."""
    lifted = [
        L.LiftingConv2D(16, 7, group="C8", basis="bilinear", dtype="float64"),
        L.GroupPooling("mean", dtype="float64"),
    ]
    yield "harmonic", "`HarmonicConv2D`, orders 0 to 2", 7, *harmonic(7)
    yield "steerable", "`SteerableConv2D` on SO(2), frequencies 0 to 2", 7, *steerable("4x0 + 4x1 + 4x2", "SO2", 7)
    yield "bilinear", '`LiftingConv2D` on C8, `basis="bilinear"`, averaged over the group', 7, *invariant(lifted)
    yield (
        "plain",
        "stock `Conv2D`, as if it were invariant",
        7,
        *invariant([keras.layers.Conv2D(16, 7, dtype="float64")]),
    )
    for name, out_type in {"scalars": "8x0", "vectors": "8x1", "degree_2": "8x2"}.items():
        label = f"`SteerableConv3D`, {name.replace('_', ' ')}"
        for size in (5, 3, 7) if name == "degree_2" else (5,):
            suffix = "" if size == 5 else f"_{size}"
            yield name + suffix, label + f", {size} voxels", size, *steerable(out_type, "SO3", size)
    stock = keras.layers.Conv3D(8, 5, dtype="float64")
    yield "plain_3d", "stock `Conv3D`, 5 voxels, as if it were invariant", 5, *invariant([stock])


def main():
    keras.utils.set_random_seed(0)  # layers draw their seeds when they are made
    for name, label, size, layer, transform in rows():
        if "3D" in label:
            matrices = [ke.groups.rotation_matrix(35, (1, 2, 3))]
        else:
            matrices = [ke.groups.rotation_matrix(degrees) for degrees in range(0, 91, 5)]
        worst = max(error(layer, transform, size, matrix) for matrix in matrices)
        print(name, worst, flush=True)
        on = {"label": label, "data": "sums of plane waves", "seeds": [0]}
        record_timing(FILE, name, {"error": float(f"{worst:.3g}")}, COMMAND, VERSIONS, **on)


if __name__ == "__main__":
    main()
