"""Layers that resample, pool to a size, mask and select: against torch's numbers, and what they refuse."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import layers
from keras_equivariant.ops import resizing

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("sizes", [(5, 8), (7, 7), (9, 4), (4, 1), (1, 3)])
def test_numbers_of_torch(sizes):
    torch = pytest.importorskip("torch")
    functional, (size, length) = torch.nn.functional, sizes
    x = RNG.normal(size=(1, 2, size, size)).astype("float32")
    for mode, corners in (("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True)):
        wanted = functional.interpolate(torch.tensor(x), size=length, mode=mode, align_corners=corners).numpy()
        layer = layers.Resizing2D(length, interpolation=mode, align_corners=corners, group="D4")
        found = keras.ops.convert_to_numpy(layer(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
        if length > 1 or not corners:  # there torch takes the first pixel, not the middle
            np.testing.assert_allclose(found, wanted, atol=2e-6)
    if size >= length:
        for name, kind in (("avg", "Average"), ("max", "Max")):
            wanted = getattr(functional, f"adaptive_{name}_pool2d")(torch.tensor(x), length).numpy()
            found = getattr(layers, f"Adaptive{kind}Pooling2D")(length)(x.transpose(0, 2, 3, 1))
            found = keras.ops.convert_to_numpy(found).transpose(0, 3, 1, 2)
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_resizing_is_symmetric_to_the_bit():
    for size in range(1, 12):
        for length in range(1, 12):
            for cubic in (False, True):
                matrix = resizing.interpolation_matrix(size, length, cubic)
                assert (matrix == matrix[::-1, ::-1]).all()
                np.testing.assert_allclose(matrix.sum(axis=1), 1.0, atol=1e-12)


def image(*space):
    return keras.Input((*space, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Resizing2D(), "takes `output_size` or `factor`"),
        (lambda: layers.Resizing2D(3, 2.0), "takes `output_size` or `factor`"),
        (lambda: layers.Resizing2D(factor=-1.0), "`factor` must be a positive number"),
        (lambda: layers.Resizing2D(3, interpolation="nearest"), "`interpolation` must be one of"),
        (lambda: layers.Resizing2D(factor=1.5)(image(5, 5)), "whole number of pixels.*use output_size=8"),
        (lambda: layers.Resizing2D(3)(image(None, None)), "needs a known size"),
        (lambda: layers.Resizing2D((3, 4), group="C4")(image(6, 6)), "loses its exact symmetry"),
        (lambda: layers.AdaptiveAveragePooling2D((2, 3), group="C4")(image(6, 6)), "loses its exact symmetry"),
        (lambda: layers.AdaptiveMaxPooling2D(7)(image(6, 6)), "cannot enlarge.*use Resizing2D"),
        (lambda: layers.RadialMask2D(1.0), "`margin` must be a part of the radius"),
        (lambda: layers.RadialMask2D(sigma=0), "`sigma` a positive width"),
        (lambda: layers.SelectFields("2x0 + 1x1", [0, 3], group="SO2"), "numbers from 0 to 2"),
        (lambda: layers.SelectFields("2x0 + 1x1", [0, 0], group="SO2"), "different numbers"),
        (lambda: layers.SelectFields.split("2x0 + 1x1", [1, 1], group="SO2"), "`sizes` must add up"),
        (lambda: layers.VectorFieldActivation("2x0", group="C4"), "takes regular fields"),
        (lambda: layers.AdaptiveMaxPooling2D(2)(keras.Input((6, 6, 2, 2, 3))), "does not commute"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_branches_join_again():
    """Split, each branch by a layer of its own, joined: certified as one network, and folded."""
    x = inputs = keras.Input((9, 9, 1))
    x = layers.SteerableConv2D("1x0", "4x0 + 2x1 + 1x2", 5, "SO2", padding="same")(x)
    scalars, vectors = layers.SelectFields.split("4x0 + 2x1 + 1x2", [4, 3], group="SO2")
    first = layers.PointwiseActivation("4x0", "relu", group="SO2")(scalars(x))
    second = layers.NormActivation("2x1 + 1x2", group="SO2")(vectors(x))
    x = keras.layers.Concatenate()([second, first])
    x = layers.NormPooling("2x1 + 1x2 + 4x0", group="SO2")(x)
    model = keras.Model(inputs, layers.AdaptiveAveragePooling2D(3)(layers.RadialMask2D(0.1)(x)))
    assert ke.certify(model, group="C4", angles=0, layers=False).exact
    data = RNG.normal(size=(2, 9, 9, 1)).astype("float32")
    np.testing.assert_allclose(ke.fold(model)(data), model(data), atol=1e-5)


def test_the_strongest_orientation_rotates_along():
    layer = layers.VectorFieldActivation("1xregular", group="C8", dtype="float64")
    x = np.zeros((8, 8))
    x[np.arange(8), np.arange(8)] = 2.0
    angles = np.pi / 4 * np.arange(8)
    np.testing.assert_allclose(layer(x), 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1e-12)
    np.testing.assert_allclose(layer(np.ones((1, 8))), 0.0, atol=1e-12)  # none is preferred
    np.testing.assert_allclose(layer(-x - 1.0), 0.0, atol=1e-12)


def test_a_pooling_names_no_size_that_would_enlarge():
    layer = ke.layers.AdaptiveMaxPooling2D((5, 2), group="C8")
    with pytest.raises(ValueError, match="use output_size=2[.]"):
        layer.build((6, 10, 3, 1))
