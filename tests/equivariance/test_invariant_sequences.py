"""Sequences of invariant vectors, which no shape tells: their layers say that nothing moves."""

import keras
import pytest
from keras import layers

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow

HEADS = {
    "recurrent": lambda: [layers.RepeatVector(4), layers.GRU(3, return_sequences=True)],
    "as many as elements": lambda: [layers.RepeatVector(8), layers.GRU(3, return_sequences=True)],
    "reshaped": lambda: [layers.Dense(12), layers.Reshape((4, 3))],
}


def network(some_layers, pooled=True):
    x = image = keras.Input((8, 8, 1))
    x = ke.layers.LiftingConv2D(4, 3, group="D4", padding="same")(x)
    x = ke.layers.GroupPooling()(x) if pooled else layers.Reshape((8, 8, 32))(x)
    x = layers.GlobalAveragePooling2D()(x)
    for layer in some_layers:
        x = layer(x)
    return keras.Model(image, x)


@pytest.mark.parametrize("head", HEADS)
def test_they_are_certified(head):
    assert ke.certify(network(HEADS[head]()), layers=False, samples=1, angles=0).verdict == "exact"


def test_of_features_that_are_no_longer_invariant():
    """Channels of orientations side by side, of which a layer makes a sequence."""
    model = network(HEADS["as many as elements"](), pooled=False)
    assert ke.certify(model, layers=False, samples=1, angles=0, output_layout="invariant").verdict == "broken"


@pytest.mark.parametrize("how", ["average", "canonical"])
def test_of_symmetrized_models(how):
    image = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3)(image))
    model = keras.Model(image, layers.GRU(3, return_sequences=True)(layers.RepeatVector(4)(x)))
    fixed = ke.symmetrize(model, "D4", how=how, outputs="invariant")
    assert ke.certify(fixed, layers=False, samples=1, angles=0, output_layout="invariant").verdict == "exact"
