"""`keras-equivariant equivariant`: from a Keras model of somebody's to a certified, exported network."""

import importlib
import sys

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke
from keras_equivariant.cli import main

pytestmark = pytest.mark.tensorflow
SHAPES = {"image": (8, 8, 1), "more": (3,)}


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


def test_samples_of_several_inputs(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image, more = keras.Input((8, 8, 1), name="image"), keras.Input((3,), name="more")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    keras.Model({"image": image, "more": more}, layers.Dense(2)(layers.Concatenate()([x, more]))).save("two.keras")
    arguments = ["equivariant", "two.keras", "--group", "C2", "--output", "out", "--formats", "tflite_int8", "--data"]
    arrays = {name: np.random.default_rng(0).random((12, *shape)) for name, shape in SHAPES.items()}
    np.save("one.npy", arrays["image"])
    np.savez("some.npz", picture=arrays["image"], more=arrays["more"])
    np.savez("turned.npz", image=arrays["more"], more=arrays["image"])
    np.savez("all.npz", **arrays)
    for file, reason in (("one.npy", "without a name"), ("some.npz", "picture, more"), ("turned.npz", '"image" must')):
        assert main([*arguments, file]) == 2
        assert reason in capsys.readouterr().err
    assert main([*arguments, "all.npz"]) == 0
    assert "verified" in capsys.readouterr().out


def test_samples_of_a_subclassed_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(BROUGHT.replace('"brought"', '"mine"'))
    monkeypatch.syspath_prepend(str(tmp_path))
    model = importlib.import_module("mine").Brought()
    model(np.zeros((1, 8, 8, 1), "float32"))
    model.save("mine.keras")
    np.save("x.npy", np.random.default_rng(0).random((12, 8, 8, 1)))
    np.save("wide.npy", np.random.default_rng(0).random((12, 8, 8, 3)))
    arguments = ["equivariant", "mine.keras", "--group", "C2", "--output", "out", "--formats", "tflite_int8", "--data"]
    assert main([*arguments, "wide.npy"]) == 2
    assert main([*arguments, "x.npy"]) == 0


@pytest.mark.parametrize("option", [("--weights", "project"), ("--match", "channels"), ("--keep-windows",)])
def test_options_of_a_twin_are_none_of_a_symmetrized_model(option, stranger, capsys):
    assert main(["equivariant", str(stranger), "--symmetrize", "average", *option]) == 2
    assert f"with {option[0]}; leave out" in capsys.readouterr().err


def test_mistakes(tmp_path, capsys):
    assert main(["equivariant", "model.onnx", "--output", str(tmp_path)]) == 2
    assert "write one with model.save" in capsys.readouterr().err
    assert main(["equivariant", "m.keras", "--formats", "keras"]) == 2
    assert "whose file has the same name" in capsys.readouterr().err
    keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3), layers.Permute((2, 1, 3))]).save(
        tmp_path / "m.keras"
    )
    assert main(["equivariant", str(tmp_path / "m.keras"), "--output", str(tmp_path / "out")]) == 2
    assert "moves axes of space" in capsys.readouterr().err


def test_a_class_of_ones_own_and_no_folder_named(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brought.py").write_text(BROUGHT)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("brought")
    model = module.Brought()
    model(np.zeros((1, 8, 8, 1), "float32"))
    model.save("brought.keras")
    with keras.saving.CustomObjectScope({}):
        keras.saving.get_custom_objects().pop("brought>Brought")
        assert main(["equivariant", "brought.keras"]) == 2
        assert "needs Brought; import the module" in capsys.readouterr().err
    del sys.modules["brought"]
    assert main(["equivariant", "brought.keras", "--plugin", "brought", "--formats", "tflite"]) == 0
    assert "under D4: EXACT" in capsys.readouterr().out
    assert (tmp_path / "runs" / "brought_d4" / "brought_d4.keras").is_file()


def test_python_code_in_a_file_is_loaded_where_it_is_trusted(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inner = [
        keras.Input((8, 8, 1)),
        layers.Lambda(lambda x: 2 * x),
        layers.Conv2D(2, 3),
        layers.GlobalAveragePooling2D(),
    ]
    keras.Sequential(inner).save("m.keras")
    assert main(["equivariant", "m.keras"]) == 2
    assert "a Lambda, is loaded only if you trust it" in capsys.readouterr().err
    (tmp_path / "trusted.py").write_text("import keras\n\nkeras.config.enable_unsafe_deserialization()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        assert main(["equivariant", "m.keras", "--plugin", "trusted", "--formats", "tflite", "--output", "new"]) == 0
    finally:
        keras.backend.clear_session()  # which forgets that such files are loaded
    assert "under D4: EXACT" in capsys.readouterr().out


BROUGHT = """
import keras


@keras.saving.register_keras_serializable("brought")
class Brought(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.stem, self.head = keras.layers.Conv2D(4, 3, padding="same"), keras.layers.Dense(2)

    def call(self, x):
        return self.head(keras.ops.mean(keras.activations.relu(self.stem(x)), axis=(1, 2)))
"""
