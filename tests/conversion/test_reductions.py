"""Operations that take one number of all places, of all channels, or of both."""

import keras
import numpy as np
import pytest
from keras import layers
from stock_networks import shake

import keras_equivariant as ke

REDUCED = {
    "mean": lambda x: keras.ops.mean(x, axis=(1, 2, 3)),
    "max": lambda x: keras.ops.max(x, axis=[1, -1, -2]),
    "sum": lambda x: keras.ops.sum(x, axis=(1, 2, 3))[:, None],
    "scaled": lambda x: keras.ops.mean(x / (1 + keras.ops.max(x, axis=(1, 2, 3), keepdims=True)), axis=(1, 2)),
    "deviation of channels": lambda x: keras.ops.mean(keras.ops.std(x, axis=-1, keepdims=True) + x, axis=(1, 2)),
}


IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype("float32")


def answers(model):
    return keras.ops.convert_to_numpy(model(IMAGES))


def network(end):
    image = keras.Input((8, 8, 3))
    return keras.Model(image, end(layers.Conv2D(6, 3, padding="same", activation="relu")(image)))


@pytest.mark.parametrize("name", REDUCED)
def test_numbers_of_all_places_and_channels(name):
    stock = network(REDUCED[name])
    twin = shake(ke.equivariant(stock, "D4"))
    assert ke.certify(twin).verdict == "exact"
    np.testing.assert_allclose(answers(ke.fold(twin)), answers(twin), rtol=1e-5)
    same = ke.equivariant(shake(stock), "Z2", match=1.0, weights="project")
    np.testing.assert_allclose(answers(same), answers(stock), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["average", "canonical"])
def test_one_number_for_an_image_is_symmetrized(how):
    fixed = ke.symmetrize(shake(network(REDUCED["mean"])), "D4", how=how)
    assert fixed.output_shape == (None,) and ke.certify(fixed).verdict == "exact"


@pytest.mark.parametrize(
    ("axis", "keepdims"), [((1, 3), False), (-1, False), (1, True), (None, False)], ids=["row", "flat", "one", "all"]
)
def test_other_axes_are_named_and_the_remedies_help(axis, keepdims):
    stock = network(lambda x: keras.ops.mean(x, axis=axis, keepdims=keepdims))
    with pytest.raises(ValueError, match=r"keras.ops Mean takes the axes .* axis=\(1, 2\), .* axis=\(1, 2, 3\)"):
        ke.equivariant(stock, "D4")


def test_windows_of_operations_are_those_of_layers():
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = keras.ops.average_pool(keras.ops.max_pool(x, 2), (3, 3), strides=1, padding="same")
    stock = shake(keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x))))
    twin = shake(ke.equivariant(stock, "D4"))
    assert ke.certify(twin).verdict == "exact"
    same = ke.equivariant(stock, "Z2", match=1.0, weights="project")
    np.testing.assert_allclose(answers(same), answers(stock), rtol=1e-5, atol=1e-6)


def test_pooling_by_operations_of_a_shared_model():
    pair, inner = [keras.Input((8, 8, 3)) for _ in range(2)], network(lambda x: keras.ops.max_pool(x, 2))
    pooled = [layers.GlobalAveragePooling2D()(inner(x)) for x in pair]
    twin = ke.equivariant(keras.Model(pair, layers.Subtract()(pooled)), "D4")
    assert ke.certify(twin).verdict == "exact"
