"""Models on volumes: folded to stock layers without the group axis, and to what TFLite has."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export.formats import tflite

pytestmark = pytest.mark.tensorflow
L = ke.layers


def randomized(model):
    rng = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.2, 0.8, w.shape) / w.size**0.5 for w in layer.get_weights()])
    return model


def octahedral():
    volume = keras.Input((8, 8, 8, 1), name="volume")
    x = L.BatchNormalization(activation="relu")(L.LiftingConv3D(2, 3, "O", padding="same", use_bias=False)(volume))
    x = L.MaxPooling3D(2)(x)
    y = layers.BatchNormalization()(L.GroupConv3D(2, 3, "O", padding="same")(x))
    x = layers.Concatenate()([layers.ReLU()(y), x])
    x = L.GroupConv3D(3, 1, "O")(layers.Dense(3)(x))
    x = L.AveragePooling3D(2)(L.GroupPooling()(x))
    return randomized(keras.Model(volume, layers.Dense(2)(layers.GlobalAveragePooling3D()(x)), name="octahedral"))


def run_tflite(folder, x):
    path = next(folder.rglob("*.tflite"))
    run = Interpreter(model_path=str(path)).get_signature_runner()
    (name,) = run.get_input_details()
    return next(iter(run(**{name: x}).values())), tflite.operations(path)


def test_an_octahedral_network_keeps_to_five_axes_and_runs_in_tflite(tmp_path):
    model = octahedral()
    folded = ke.fold(model)
    group_pooling = ("group_pooling", "max")  # takes the group axis apart, at the end
    assert all(len(layer.output.shape) <= 5 for layer in folded.layers if not layer.name.startswith(group_pooling))
    convolutions = [layer for layer in folded.layers if isinstance(layer, layers.Conv3D)]
    assert [c.filters for c in convolutions] == [48, 48, 72, 72] and not any(
        isinstance(layer, layers.BatchNormalization) for layer in folded.layers
    )
    report = ke.export(model, tmp_path, formats=["saved_model", "tflite"])
    assert report.passed and report.group == "O"
    assert all(len(a.equivariance) == 24 and max(a.equivariance.values()) < 1e-5 for a in report.artifacts)
    x = np.random.default_rng(1).normal(size=(3, 8, 8, 8, 1)).astype("float32")
    y, operations = run_tflite(tmp_path, x)
    np.testing.assert_allclose(y, model(x), rtol=1e-4, atol=1e-5)
    assert operations.count("CONV_3D") == 4 and operations.count("MAX_POOL_2D") == 2


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling3D(2, strides=1, padding="same"),
        layers.AveragePooling3D((2, 3, 1), strides=(2, 1, 1), padding="same"),
        layers.Conv3D(4, 3, groups=2, activation="relu"),
        layers.Conv3D(2, 3, dilation_rate=2, padding="same"),
    ],
    ids=lambda layer: layer.name,
)
def test_stock_layers_that_tflite_lacks_are_rewritten(layer, tmp_path):
    volume = keras.Input((6, 6, 5, 2))
    model = randomized(keras.Model(volume, layers.BatchNormalization()(layer(volume)), name="stock"))
    ke.export(model, tmp_path, formats=["tflite"], verify=False)
    x = np.random.default_rng(1).normal(size=(3, 6, 6, 5, 2)).astype("float32")
    np.testing.assert_allclose(run_tflite(tmp_path, x)[0], model(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ke.fold(model)(x), model(x), rtol=1e-4, atol=1e-5)


def test_int8_is_refused_with_the_reason(tmp_path):
    data = np.zeros((3, 8, 8, 8, 1), "float32")
    with pytest.raises(ValueError, match="no convolution of volumes in integers.*tflite_float16"):
        ke.export(octahedral(), tmp_path / "out", formats=["tflite_int8"], representative_data=data)
    assert not (tmp_path / "out").exists()


def test_a_volume_is_not_mistaken_for_features_of_the_plane():
    volume = keras.Input((4, 4, 4, 3))
    x = L.BatchNormalization(activation="relu")(layers.Conv3D(3, 1)(L.BatchNormalization()(volume)))
    plain = randomized(keras.Model(volume, L.MaxPooling3D(2)(x)))
    x = np.random.default_rng(1).normal(size=(2, 4, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(ke.fold(plain)(x), plain(x), rtol=1e-5, atol=1e-5)


def test_unknown_sizes():
    volume = keras.Input((None, None, None, 1))
    x = L.MaxPooling3D(2)(L.LiftingConv3D(2, 3, "C4z", activation="relu")(volume))
    x = layers.GlobalMaxPooling3D()(L.GroupPooling()(L.GroupConv3D(2, 1, "C4z")(layers.Dense(20)(x))))
    model = randomized(keras.Model(volume, x))
    x = np.random.default_rng(1).normal(size=(2, 6, 6, 6, 1)).astype("float32")
    np.testing.assert_allclose(ke.fold(model)(x), model(x), rtol=1e-5, atol=1e-5)
    up = keras.Model(volume, L.UpSampling3D(2, interpolation="trilinear")(volume))
    with pytest.raises(ValueError, match="known sizes only.*fixed input shape"):
        ke.fold(up)


def test_planes_and_volumes_in_one_model():
    image, volume = keras.Input((6, 6, 1)), keras.Input((4, 4, 4, 1))
    flat = layers.GlobalAveragePooling2D()(L.GroupPooling()(L.BatchNormalization()(L.LiftingConv2D(2, 3, "C4")(image))))
    deep = L.BatchNormalization(activation="relu")(L.LiftingConv3D(2, 3, "C4z")(volume))
    deep = layers.GlobalAveragePooling3D()(L.GroupPooling()(deep))
    model = randomized(keras.Model([image, volume], layers.Add()([flat, deep])))
    rng = np.random.default_rng(1)
    inputs = [rng.normal(size=(2, *t.shape[1:])).astype("float32") for t in model.inputs]
    np.testing.assert_allclose(ke.fold(model)(inputs), model(inputs), rtol=1e-5, atol=1e-5)
