"""Low-rank adapters (`enable_lora`) and quantized layers: what is computed with them is what counts."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 6, 2)).astype("float32")


def adapted(model):
    """The model with adapters of rank 1 in each layer that takes them, also inside others."""
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, layers.Conv2D | layers.Dense | layers.EinsumDense):
            layer.enable_lora(1)
            for weight in layer.trainable_weights:
                weight.assign(RNG.normal(size=weight.shape))
    return model


def plain():
    image = keras.Input((6, 6, 2))
    x = layers.Conv2D(4, 1, activation="relu")(image)
    x = layers.MultiHeadAttention(2, 2, attention_axes=(1, 2))(x, x)
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Dense(4)(x))))


def test_a_twin_starts_from_them():
    model = adapted(plain())
    twin = ke.equivariant(model, "Z2", match=1.0, weights="project")
    np.testing.assert_allclose(twin(X), model(X), rtol=1e-5, atol=1e-5)


def test_a_proof_reads_them():
    image = keras.Input((6, 6, 2))
    model = keras.Model(image, layers.Conv2D(4, 3, kernel_initializer="ones")(image))
    assert ke.prove(model, "D4").verdict == "proved"
    assert ke.prove(adapted(model), "D4").verdict == "not proved"


def test_a_proof_says_nothing_of_scales_that_follow_the_batch():
    image = keras.Input((6, 6, 2))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(image)))
    model.quantize("int8")
    assert ke.prove(model, "D4").verdict == "not covered"


def test_a_network_is_restricted_with_them():
    image = keras.Input((6, 6, 2))
    x = ke.layers.LiftingConv2D(3, 3, "D4")(image)
    x = ke.layers.GroupPooling("max")(ke.layers.GroupConv2D(2, 3, "D4")(layers.Dense(3, activation="relu")(x)))
    model = adapted(keras.Model(image, x))
    np.testing.assert_allclose(ke.restrict(model, "C4")(X), model(X), rtol=1e-5, atol=1e-5)
