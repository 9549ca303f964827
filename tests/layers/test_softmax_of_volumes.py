"""Softmax over the fields of volumes, of six axes, of which TensorFlow has none."""

import keras
import numpy as np
import pytest

import keras_equivariant as ke

L = ke.layers


def network(make):
    volume = keras.Input((5, 5, 5, 1))
    return keras.Model(volume, L.GroupPooling()(L.GroupConv3D(2, 3, group="O")(make(volume))))


OWN = {
    "lifting": lambda v: L.LiftingConv3D(3, 3, group="O", padding="same", activation="softmax")(v),
    "normalization": lambda v: L.BatchNormalization(activation="softmax")(
        L.LiftingConv3D(3, 3, group="O", padding="same")(v)
    ),
    "depthwise": lambda v: L.GroupDepthwiseConv3D(3, group="O", padding="same", activation="softmax")(
        L.LiftingConv3D(3, 3, group="O", padding="same")(v)
    ),
}


@pytest.mark.parametrize("kind", OWN)
def test_own_layers_have_it(kind):
    model = network(OWN[kind])
    assert ke.certify(model, layers=False, samples=1).verdict == "exact"
    features = keras.Model(model.input, model.layers[-3].output)
    np.testing.assert_allclose(features(np.ones((1, 5, 5, 5, 1))).numpy().sum(axis=-1), 1, rtol=1e-5)
    ke.fold(model)  # compares the answers


@pytest.mark.tensorflow
def test_it_is_exported_and_proved(tmp_path):
    report = ke.export(network(OWN["lifting"]), tmp_path, ["tflite"])
    assert ke.prove(tmp_path / report.artifacts[0].path, "O").verdict == "proved"


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "make", [keras.layers.Softmax, lambda: keras.layers.Activation("softmax"), lambda: keras.ops.softmax]
)
def test_layers_of_keras_are_refused_with_what_helps(make):
    with pytest.raises(ValueError, match='5 axes at the most on TensorFlow.*activation="softmax"'):
        network(lambda v: make()(L.LiftingConv3D(3, 3, group="O", padding="same")(v)))
