"""What TFLite lacks is named with something to do about it, which works."""

import keras
import pytest
from keras import layers

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def network(*some_layers, size=(8, 8, 2)):
    return keras.Sequential([keras.Input(size), *some_layers], name="some")


REFUSED = {
    "bicubic": (lambda: network(layers.UpSampling2D(2, interpolation="bicubic")), 'interpolate by "bilinear"'),
    "argmax": (lambda: network(layers.Lambda(lambda x: keras.ops.argmax(x, -1))), "keras.ops.argmax of what the model"),
    "roll": (lambda: network(layers.Lambda(lambda x: keras.ops.roll(x, 1, axis=1))), "keras.ops.concatenate"),
    "angle": (lambda: network(layers.Lambda(keras.ops.arctan)), "use other layers"),
    "recurrent": (lambda: network(layers.Reshape((64, 2)), layers.LSTM(2)), "unroll=True"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tflite_lacks_is_named_with_a_remedy(name, tmp_path):
    build, remedy = REFUSED[name]
    with pytest.raises(ValueError, match=f"operations that TFLite has built in. Received: .*{remedy}"):
        ke.export(build(), tmp_path, ["tflite"])


HELPED = {
    "bicubic": lambda: network(layers.UpSampling2D(2, interpolation="bilinear")),
    "roll": lambda: network(layers.Lambda(lambda x: keras.ops.concatenate([x[:, -1:], x[:, :-1]], axis=1))),
    "recurrent": lambda: network(layers.Reshape((4, 2)), layers.LSTM(2, unroll=True), size=(2, 2, 2)),
}


@pytest.mark.parametrize("name", HELPED)
def test_remedies_help(name, tmp_path):
    assert ke.export(HELPED[name](), tmp_path, ["tflite"]).passed
