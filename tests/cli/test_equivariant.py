"""`keras-equivariant equivariant`: from a Keras model of somebody's to a certified, exported network."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke
from keras_equivariant.cli import main

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def stranger(tmp_path):
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    model.save(tmp_path / "stranger.keras")
    return tmp_path / "stranger.keras"


def test_twin(stranger, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["equivariant", str(stranger), "--group", "C4", "--output", str(out), "--formats", "tflite"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    for part in ("LiftingConv2D", "of the original", "Multiply-adds", "under C4: EXACT", "verified"):
        assert part in text
    assert (out / "stranger_c4.tflite").is_file()
    twin = keras.saving.load_model(out / "stranger_c4.keras")
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 1)).astype("float32")
    np.testing.assert_allclose(twin(x), twin(ke.groups.act(x, "C4", 1, "image")), atol=1e-5)
    assert main(arguments) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_symmetrized(stranger, tmp_path, capsys):
    out = tmp_path / "out"
    options = ["--symmetrize", "average", "--group", "C2", "--formats", "tflite_int8"]
    arguments = ["equivariant", str(stranger), "--output", str(out), *options]
    assert main(arguments) == 2
    assert "name an .npy or .npz file" in capsys.readouterr().err
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((12, 8, 8, 1)))
    assert main([*arguments, "--data", str(tmp_path / "x.npy"), "--overwrite"]) == 0
    assert (out / "stranger_c2_int8.tflite").is_file()


def test_mistakes(tmp_path, capsys):
    assert main(["equivariant", "model.onnx", "--output", str(tmp_path)]) == 2
    assert "write one with model.save" in capsys.readouterr().err
    keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Resizing(3, 3)]).save(tmp_path / "m.keras")
    assert main(["equivariant", str(tmp_path / "m.keras"), "--output", str(tmp_path / "out")]) == 2
    assert "has no equivariant counterpart" in capsys.readouterr().err
