"""Images of unknown sizes that are made larger."""

import keras
import pytest
from keras import layers

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def network(factors, interpolation="bilinear", size=(None, None)):
    image = keras.Input((*size, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(image)
    x = layers.UpSampling2D(factors, interpolation=interpolation)(x)
    return keras.Model(image, layers.Conv2D(1, 1)(x), name="open")


@pytest.mark.parametrize("factors", [2, 3, 4, (1, 5)])
def test_linear_kernels_are_written(factors, tmp_path):
    assert ke.export(network(factors), tmp_path, ["saved_model", "onnx", "keras"]).passed
    assert ke.export(network(factors, size=(None, 8)), tmp_path, ["saved_model"], overwrite=True).passed


def test_ours_is_proved_from_the_file(tmp_path):
    image = keras.Input((None, None, 1))
    x = ke.layers.UpSampling2D(2, interpolation="bilinear")(ke.layers.LiftingConv2D(2, 3, group="D4")(image))
    ke.export(keras.Model(image, ke.layers.GroupPooling()(x), name="open"), tmp_path, ["onnx", "keras"])
    for suffix in ("onnx", "keras"):
        assert ke.prove(tmp_path / f"open.{suffix}", input_shape=(None, 9, 9, 1)).verdict == "proved"


def test_other_kernels_are_named_and_the_remedies_help(tmp_path):
    with pytest.raises(ValueError, match='"bicubic" on images of shape .* use "bilinear", or give the input fixed'):
        ke.export(network(2, "bicubic"), tmp_path, ["saved_model"])
    assert ke.export(network(2, "bicubic", (6, 6)), tmp_path, ["saved_model"]).passed
    with pytest.raises(ValueError, match="number of channels .* images of unknown sizes.*fixed sizes"):
        ke.export(network(2), tmp_path, ["tflite"])
    assert ke.export(network(2, size=(6, 6)), tmp_path, ["tflite"]).passed
