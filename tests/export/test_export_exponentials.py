"""Functions that Keras computes by exp(x) of all x keep their steps in integers; infinite answers are named."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke

FUNCTIONS = {
    **{name: layers.Activation(name) for name in ("celu", "selu", "softplus", "log_sigmoid", "mish")},
    "in a layer": layers.Conv2D(8, 3, activation="selu"),
    "an operation": keras.ops.softplus,
    "an operation with an option": lambda x: keras.ops.celu(x, alpha=0.7),
}


def samples(count=64):
    return 2 * np.random.default_rng(0).standard_normal((count, 9, 9, 1)).astype("float32")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_of_exponentials_keep_their_steps(function, tmp_path):
    image = keras.Input((9, 9, 1))
    x = layers.Conv2D(8, 3, kernel_initializer=keras.initializers.RandomNormal(stddev=1.5))(image)
    model = keras.Model(image, layers.Conv2D(4, 3)(FUNCTIONS[function](x)))
    before = [layer.activation for layer in model.layers if hasattr(layer, "activation")]
    report = ke.export(model, tmp_path, ["tflite_int8", "saved_model"], representative_data=samples())
    assert report.artifacts[0].relative_error < 0.06
    assert [layer.activation for layer in model.layers if hasattr(layer, "activation")] == before


def test_an_exact_network_with_selu_is_proved_in_integers(tmp_path):
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(3, 3, group="D4", activation="selu")(image)
    x = ke.layers.GroupPooling("max")(ke.layers.GroupConv2D(5, 3, group="D4", activation="mish")(x))
    model = keras.Model(image, layers.GlobalAveragePooling2D()(x))
    report = ke.export(model, tmp_path, ["tflite_int8"], representative_data=samples())
    proof = ke.prove(report.path("tflite_int8"), "D4")
    assert proof.verdict == "proved" and proof.integers


def test_answers_near_infinity_are_named(tmp_path):
    """TensorFlow's converter would end the process."""
    image = keras.Input((9, 9, 1))
    x = layers.Conv2D(3, 3, activation="exponential", name="first")(image)
    x = layers.Conv2D(3, 3, activation="exponential", kernel_initializer="ones", name="second")(100 * x)
    model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Activation("sigmoid")(x)))
    with pytest.raises(ValueError, match=r'finite numbers.*Received: inf from the layer "second"'):
        ke.export(model, tmp_path, ["tflite_int8"], representative_data=samples())
