"""Activations of the user's own inside layers of this package and inside TimeDistributed."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def swish(x):
    return x * keras.ops.sigmoid(x)


def attended(x):
    return x * keras.ops.softmax(x, axis=-1)


def regular(function):
    image = keras.Input((8, 8, 2))
    x = ke.layers.LiftingConv2D(3, 3, group="D4", padding="same", activation=function)(image)
    x = ke.layers.GroupDepthwiseConv2D(3, group="D4", padding="same", activation=function)(x)
    x = ke.layers.GroupConv2DTranspose(3, 2, strides=2, group="D4", activation=function)(x)
    x = layers.Dense(2, activation=function)(ke.layers.GroupPooling()(x))
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


def steerable(function):
    image = keras.Input((9, 9, 2))
    x = ke.layers.SteerableConv2D("2x0", "4x0", 3, group="SO2", padding="same", activation=function)(image)
    return keras.Model(image, ke.layers.SteerableDense("4x0", "3x0", group="SO2", activation=function)(x))


def frames(function, size=8):
    film = keras.Input((3, size, size, 2))
    x = layers.TimeDistributed(layers.Conv2D(3, 3, activation=function))(film)
    x = layers.TimeDistributed(layers.Lambda(lambda y: y[:, 1:-1, 1:-1]))(x)
    x = layers.TimeDistributed(layers.GlobalAveragePooling2D())(x)
    return keras.Model(film, layers.TimeDistributed(layers.Dense(2, activation=function))(x))


@pytest.mark.parametrize("function", [swish, attended, lambda x: keras.ops.relu(x) ** 2], ids=["each", "all", "lambda"])
@pytest.mark.parametrize("network", [regular, steerable, frames])
def test_functions_take_their_place_in_stock_operations(network, function, tmp_path):
    model = network(function)
    folded = ke.fold(model)  # compares the answers
    path = tmp_path / "folded.keras"
    folded.save(path)
    assert keras.models.load_model(path).output_shape == model.output_shape


CONSTANTS = [(3,), (1, 3), (1, 1, 1, 1, 3), (8, 1), (1, 1, 1, 8, 1), (9, 9, 1, 1), (1, 9, 9, 8, 3), (9, 1, 1, 1), (1,)]


@pytest.mark.parametrize("shape", CONSTANTS, ids=str)
@pytest.mark.parametrize("joined", [False, True], ids=["one", "joined"])
def test_constants_lie_on_the_axes_that_they_are_written_for(shape, joined):
    # Not 8 x 8: Keras on TensorFlow adds (8, 1) along the first axis of a tensor that has 8 there, too.
    image = keras.Input((9, 9, 2))
    x = ke.layers.LiftingConv2D(3, 3, group="D4", padding="same")(image)
    if joined:
        shape = tuple(4 if axis == len(shape) - 1 and n == 3 else n for axis, n in enumerate(shape))
        x = layers.Concatenate()([x, ke.layers.LiftingConv2D(1, 3, group="D4", padding="same")(image)])
    constant = np.random.default_rng(0).normal(size=shape).astype("float32")
    x = keras.ops.maximum(x * constant, constant) + keras.ops.convert_to_tensor(constant)
    ke.fold(keras.Model(image, [x, layers.GlobalAveragePooling3D()(x)]))  # compares the answers


def test_frames_of_unknown_sizes_are_told_what_to_do():
    with pytest.raises(ValueError, match="function of your own, is folded for a known number .* shape without None"):
        ke.fold(frames(swish, None))
    ke.fold(frames(swish))
