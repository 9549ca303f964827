"""Proofs of networks of several inputs of open sizes, whose features are joined in parts."""

import ast

import keras
import numpy as np
import pytest
from export_models import randomize
from keras import layers

import keras_equivariant as ke
from keras_equivariant.cli import main

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A network of two images and a vector, in three formats."""
    image, other, vector = keras.Input((None, None, 1)), keras.Input((None, None, 2)), keras.Input((3,))
    lifted = [ke.layers.LiftingConv2D(3, 3, group="C4", padding="same")(x) for x in (image, other)]
    x = ke.layers.GroupPooling("mean")(layers.Concatenate()(lifted))
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), vector])
    model = randomize(keras.Model([image, other, vector], layers.Dense(2)(x)))
    return ke.export(model, tmp_path_factory.mktemp("open"), ["tflite", "onnx", "keras"])


@pytest.mark.parametrize("format", ["tflite", "onnx", "keras"])
def test_the_remedy_names_the_sizes_of_all_inputs(format, files, capsys):
    path = files.path(format)
    with pytest.raises(ValueError, match="those of all inputs") as caught:
        ke.prove(path, "C4")
    shapes = ast.literal_eval(str(caught.value).split("input_shape=")[1])
    assert ke.prove(path, "C4", input_shape=shapes).verdict == "proved"
    assert ke.prove(path, "D4", input_shape=shapes).verdict == "not proved"
    asked = [part for shape in shapes for part in ("--input-shape", ",".join(map(str, shape[1:])))]
    assert main(["prove", *asked, str(path), "--group", "C4"]) == 0
    assert "C4: proved" in capsys.readouterr().out


def test_parts_in_another_order_are_not_proved():
    """Features of the group taken apart and put together again, as they were and turned in one half."""

    def network(shift):
        image = keras.Input((6, 6, 1))
        x = layers.Conv2D(4, 3, use_bias=False)(image)
        parts = keras.ops.unstack(layers.Reshape((4, 4, 2, 2))(x), axis=-2)
        y = layers.Concatenate()([parts[shift], parts[1 - shift]])
        model = keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(1, 1, use_bias=False)(y)))
        kernel = np.random.default_rng(0).standard_normal((3, 3))
        model.layers[1].set_weights([np.stack([np.rot90(kernel, i) for i in range(4)], -1)[:, :, None]])
        model.layers[-2].set_weights([np.array([1.0, 2.0, 1.0, 2.0]).reshape(1, 1, 4, 1)])
        return model

    assert ke.prove(network(0), "C2").verdict == ke.prove(network(1), "C2").verdict == "proved"
    assert ke.prove(network(0), "C4").verdict == "not proved"
