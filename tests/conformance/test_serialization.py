"""Configurations are plain JSON, and a saved model is the same model."""

import json

import keras
import numpy as np
from catalogue import outputs

from keras_equivariant import layers


def test_config_is_json_and_complete(case):
    layer = case.make()
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert again.get_config() == layer.get_config()


def test_keras_file_round_trip(case, network, sample, answer, tmp_path):
    network(case).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(loaded, sample(case)), answer(case))


def test_file_holds_no_bases(tmp_path):
    inputs = keras.Input((17, 17, 1))
    model = keras.Model(inputs, layers.LiftingConv2D(1, 17, group="C16", basis="bilinear")(inputs))
    model.save(tmp_path / "model.keras")
    assert (tmp_path / "model.keras").stat().st_size < 50_000  # the basis has 16 x 289 x 289 numbers
