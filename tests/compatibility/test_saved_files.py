"""Files saved by an earlier version load and answer the same numbers: a model of each layer, a preset, a run folder.

`saved_by_0.1.0.zip` holds `layers/<layer>.keras`, one functional model for every public layer with the most options
that its catalogue had, `answers.npz` with an input and the output of each, `configs.json` with the configurations of
all cases of the catalogue, `preset.npz`, and a run folder with `run_answer.npz`. Networks that thin points out, or
draw neighbors from a ball, are not among the models: which points they keep no longer depends on the order of points.
The clouds have no two distances within 2 % of each other where the nearest neighbors end.
"""

import json
import pathlib
import zipfile

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.training.saved import load_trained

ARCHIVE = pathlib.Path(__file__).with_name("saved_by_0.1.0.zip")
with zipfile.ZipFile(ARCHIVE) as archive:
    LAYERS = sorted(pathlib.PurePath(name).stem for name in archive.namelist() if name.startswith("layers/"))
    CONFIGS = json.loads(archive.read("configs.json"))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


def test_every_layer_of_then_is_there():
    assert len(LAYERS) == 47 and set(LAYERS) == set(CONFIGS) and set(LAYERS) <= set(ke.layers.__all__)


@pytest.mark.parametrize("name", LAYERS)
def test_models_answer_as_they_did(name, saved):
    model = keras.models.load_model(saved / "layers" / f"{name}.keras")
    with np.load(saved / "answers.npz") as answers:
        x, y = answers[f"{name} x"], answers[f"{name} y"]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(x)), y, rtol=1e-5, atol=1e-5)
    if model.weights:
        model.set_weights([w * 1.1 + 0.1 for w in model.get_weights()])
        assert np.abs(keras.ops.convert_to_numpy(model(x)) - y).max() > 1e-4


@pytest.mark.parametrize("name", LAYERS)
def test_configurations_make_the_same_layers(name):
    layer = getattr(ke.layers, name)
    for config in CONFIGS[name]:
        now = json.loads(json.dumps(layer.from_config(config).get_config()))
        config = {getattr(layer, "renamed_options", {}).get(key, key): value for key, value in config.items()}
        assert {key: now.get(key) for key in config} == config


def test_the_preset_answers_as_it_did(saved):
    model = ke.from_preset(saved / "preset.npz")
    with np.load(saved / "run_answer.npz") as answers:
        np.testing.assert_allclose(model.predict_on_batch(answers["x"]), answers["y"], rtol=1e-5, atol=1e-5)


def test_the_run_folder_answers_as_it_did(saved):
    trained = load_trained(saved / "run")
    with np.load(saved / "run_answer.npz") as answers:
        np.testing.assert_allclose(trained.model.predict_on_batch(answers["x"]), answers["y"], rtol=1e-5, atol=1e-5)
    assert trained.settings["network"] == "tiny"
