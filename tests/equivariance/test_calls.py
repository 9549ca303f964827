"""Moved copies share a call of a network where that changes nothing, and only there."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.equivariance.measure import OnArrays, evaluate_each


def network(*layers, batch_size=None):
    inputs = keras.Input((6, 6, 2), batch_size=batch_size)
    x = ke.layers.LiftingConv2D(3, 3, group="D4", padding="same")(inputs)
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, ke.layers.GroupPooling("max")(keras.layers.ReLU()(x)))


def noise(batch=2):
    return np.random.default_rng(0).normal(size=(batch, 6, 6, 2)).astype("float32")


@keras.saving.register_keras_serializable()
class Centred(keras.layers.Layer):
    """Takes the mean over the batch away, so that examples know of each other."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def centred(x):
    return x - keras.ops.mean(x, axis=0, keepdims=True)


ALONE = [
    keras.layers.BatchNormalization(),
    keras.layers.LayerNormalization(),
    keras.layers.Dropout(0.5),
    keras.Sequential([keras.layers.Dense(4), keras.layers.Activation("tanh")]),
]
TOGETHER = [
    Centred(),
    keras.layers.UnitNormalization(axis=0),
    keras.layers.Activation(centred),
    ke.layers.GroupConv2D(2, 3, group="D4", padding="same", activation=centred),
    keras.Sequential([keras.layers.Dense(4), keras.layers.Activation(centred)]),
    keras.layers.Softmax(axis=0),
]


def name(layer):
    return type(layer).__name__


@pytest.mark.parametrize("layer", ALONE, ids=name)
@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX compiles for each number of examples")
def test_copies_of_examples_that_are_treated_alone_share_a_call(layer):
    fn, sizes = OnArrays(network(layer), noise()), []

    class Counting(OnArrays):
        def __call__(self, arrays):
            sizes.append(len(arrays[0]))
            return super().__call__(arrays)

    moved = [[noise() * scale] for scale in (1, 2, 3, 4, 5)]
    found = list(evaluate_each(Counting(fn.fn, fn.structure), moved, 2, batch_size=8))
    assert sizes == [8, 2]
    for (batch, outputs), given in zip(found, moved, strict=True):
        assert batch is given
        np.testing.assert_allclose(outputs[0], fn(given)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", TOGETHER, ids=name)
def test_examples_that_know_of_each_other_are_measured_as_they_are(layer):
    model = network(layer)
    assert not OnArrays(model, noise()).examples_alone
    assert ke.certify(model, "D4", noise()).exact


def test_a_batch_of_one_size_is_kept():
    model = network(batch_size=2)
    assert not OnArrays(model, noise()).examples_alone
    assert ke.certify(model, "D4", noise(), layers=False).exact


def test_a_function_gets_the_batches_that_it_was_given():
    model, sizes = network(), set()

    def function(x):
        sizes.add(len(x))
        return model(x)

    assert ke.certify(function, "D4", noise()).exact
    ke.assert_equivariant(function, "D4", noise())
    assert sizes == {2}
