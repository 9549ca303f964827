"""TFLite files: the operations of the plain CNN, the numbers in LiteRT, symmetry in integers."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from export_models import random_inputs, randomize, relative_error, small_cnn
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export import export
from keras_equivariant.export.formats import tflite

GROUP_POOLING = ["SHAPE", "STRIDED_SLICE", "PACK", "RESHAPE", "REDUCE_MAX"]
ALL_TFLITE = ["tflite", "tflite_float16", "tflite_int8"]


def plain_cnn(size=12):
    """The stock network that `small_cnn("D4")` folds to."""
    image = keras.Input((size, size, 1), name="image")
    x = image
    for filters in (32, 48):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D(2)(x) if filters == 32 else x
    x = layers.Conv2D(48, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return randomize(keras.Model(image, layers.Dense(5)(x), name="plain"))


def smooth_images(samples=40, size=12):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, size, size, 1))
    for axis in (1, 2):
        x = sum(np.roll(x, shift, axis) for shift in (-1, 0, 1))
    return x.astype("float32")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = small_cnn("D4")
    folder = tmp_path_factory.mktemp("lite")
    return model, export(model, folder, formats=ALL_TFLITE, representative_data=smooth_images())


def _operations(report, format="tflite"):
    return next(list(artifact.operations) for artifact in report.artifacts if artifact.format == format)


def test_operations_are_those_of_the_plain_cnn_and_the_group_pooling(exported, tmp_path):
    plain = _operations(export(plain_cnn(), tmp_path, formats="tflite"))
    ours = _operations(exported[1])
    where = ours.index(GROUP_POOLING[0])
    assert ours[where : where + len(GROUP_POOLING)] == GROUP_POOLING
    assert ours[:where] + ours[where + len(GROUP_POOLING) :] == plain
    assert ours.count("CONV_2D") == 3


@pytest.mark.parametrize("format", ALL_TFLITE)
@pytest.mark.parametrize("batch", [1, 3])
def test_numbers_in_the_runtime(exported, format, batch):
    model, report = exported
    runner = Interpreter(model_path=str(report.path(format))).get_signature_runner("serving_default")
    x = smooth_images(samples=batch)
    tolerance = {"tflite": 1e-5, "tflite_float16": 1e-3, "tflite_int8": 2e-2}[format]
    assert relative_error(runner(image=x)["output_0"], model(x)) <= tolerance


@pytest.mark.parametrize("format", ALL_TFLITE)
def test_symmetry_of_the_artifact(exported, format):
    report = exported[1]
    errors = next(artifact.equivariance for artifact in report.artifacts if artifact.format == format)
    assert len(errors) == 8
    assert max(errors.values()) <= (0 if format == "tflite_int8" else 1e-5)


def test_int8_symmetry_is_measured_not_assumed(tmp_path):
    """The same measurement on a plain network, which is not invariant."""
    report = export(plain_cnn(), tmp_path, "tflite_int8", representative_data=smooth_images(), group="C4")
    errors = report.artifacts[0].equivariance
    assert errors["e"] == 0
    assert min(error for name, error in errors.items() if name != "e") > 0.01


@pytest.mark.parametrize(("group", "basis"), [("C4", "exact"), ("C8", "steerable"), ("D4", "gaussian")])
def test_int8_is_exactly_invariant_for_every_basis(group, basis, tmp_path):
    image = keras.Input((12, 12, 1), name="image")
    x = ke.layers.LiftingConv2D(3, 5, group=group, basis=basis)(image)
    x = ke.layers.BatchNormalization(activation="relu")(x)
    x = ke.layers.GroupConv2D(4, 3, group=group, basis=basis)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(ke.layers.GroupPooling("mean")(x))
    model = randomize(keras.Model(image, layers.Dense(5)(x), name="invariant"))
    report = export(model, tmp_path, "tflite_int8", representative_data=smooth_images())
    assert max(report.artifacts[0].equivariance.values()) == 0


def test_scales_are_equal_over_every_orbit():
    """Rotated copies of a kernel have one range, so int8 gives them one scale."""
    folded = ke.fold(small_cnn("D4"))
    for layer in folded.layers:
        if isinstance(layer, layers.Conv2D):
            largest = np.abs(layer.get_weights()[0]).max(axis=(0, 1, 2)).reshape(8, -1)
            np.testing.assert_array_equal(largest, np.broadcast_to(largest[0], largest.shape))


def test_integers_in_and_out(tmp_path):
    model, data = small_cnn("C4"), smooth_images()
    report = export(model, tmp_path, "tflite_int8", representative_data=data, inference_type="int8")
    signature = report.artifacts[0].signature
    assert signature["inputs"]["image"]["dtype"] == signature["outputs"]["output_0"]["dtype"] == "int8"
    assert signature["inputs"]["image"]["scale"] > 0
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(_operations(report, "tflite_int8"))
    runner = Interpreter(model_path=str(report.path("tflite_int8"))).get_signature_runner()
    given, returned = signature["inputs"]["image"], signature["outputs"]["output_0"]
    x = np.clip(np.round(data[:3] / given["scale"]) + given["zero_point"], -128, 127).astype("int8")
    y = (runner(image=x)["output_0"].astype("float32") - returned["zero_point"]) * returned["scale"]
    assert relative_error(y, model(data[:3])) <= 2e-2


def test_sizes_shrink_with_the_precision(exported):
    sizes = {artifact.format: artifact.size for artifact in exported[1].artifacts}
    assert sizes["tflite_int8"] < 0.4 * sizes["tflite"]
    assert sizes["tflite_float16"] < 0.6 * sizes["tflite"]


def test_mixed_precision_model(tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = small_cnn("C4")
    finally:
        keras.config.set_dtype_policy("float32")
    report = export(model, tmp_path, formats=["saved_model", "tflite"])
    assert report.passed
    assert "CONV_2D" in _operations(report)


def test_layers_off_the_4d_path_convert_too(tmp_path):
    image = keras.Input((12, 12, 1), name="image")
    x = ke.layers.LiftingConv2D(3, 3, group="D4", padding="same", padding_mode="circular")(image)
    x = layers.Concatenate()([x, layers.Dense(20)(layers.LayerNormalization()(x))])
    x = ke.layers.AveragePooling2D(2, antialias=True)(x)
    x = ke.layers.GroupPooling("max", group="D4", subgroup="C4")(layers.ReLU()(x))
    x = layers.GlobalAveragePooling3D()(x)
    model = randomize(keras.Model(image, layers.Dense(3)(x), name="varied"))
    assert export(model, tmp_path, formats="tflite").passed


def test_foreign_operations_are_named(tmp_path):
    """A model that needs operations outside TFLite does not convert, rather than convert and fail on the device."""
    image = keras.Input((None, 4, 2, 1), name="volume")  # of a known size it would become two poolings of planes
    model = keras.Model(image, layers.MaxPooling3D(2, name="pooled")(image), name="outside")
    with pytest.raises(ValueError, match=r"MaxPool3D of outside\S*/pooled\S*/MaxPool3D\. .*saved_model"):
        export(model, tmp_path / "out", formats="tflite")
    assert not (tmp_path / "out").exists()


def test_variances_that_integers_cannot_tell_apart_are_named(tmp_path):
    """Layer normalization of pixels that are all but black beside bright ones: what the files of integers lack."""
    keras.utils.set_random_seed(6)  # weights that lose twice what is allowed
    data = smooth_images()
    data[:, :, : data.shape[2] // 2] *= 1e-3
    image = keras.Input(data.shape[1:])
    x = keras.layers.LayerNormalization()(keras.layers.Conv2D(8, 3, use_bias=False)(image))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))
    with pytest.raises(ke.ExportError, match="which 256 steps cannot tell apart.*Use tflite_float16, or BatchNorm"):
        export(model, tmp_path, "tflite_int8", representative_data=data, tolerance=0.05)
    assert export(model, tmp_path, "tflite_float16").passed


def test_several_inputs_in_int8(tmp_path):
    left, right = keras.Input((12, 12, 1), name="left"), keras.Input((12, 12, 2), name="a_right")
    lifted = [ke.layers.LiftingConv2D(2, 3, group="C4")(x) for x in (left, right)]
    pooled = layers.GlobalAveragePooling2D()(ke.layers.GroupPooling()(layers.Add()(lifted)))
    model = randomize(keras.Model([left, right], pooled, name="pair"))
    data = [smooth_images(), np.repeat(smooth_images(), 2, axis=-1)]
    report = export(model, tmp_path, "tflite_int8", representative_data=data)
    assert report.artifacts[0].relative_error < 0.05
    assert max(report.artifacts[0].equivariance.values()) == 0


def test_images_of_bytes(tmp_path):
    image = keras.Input((12, 12, 1), dtype="uint8", name="image")
    x = ke.layers.LiftingConv2D(2, 3, group="C4", activation="relu")(layers.Rescaling(1 / 255)(image))
    model = randomize(keras.Model(image, ke.layers.GroupPooling()(x), name="bytes"))
    data = np.random.default_rng(0).integers(0, 255, size=(9, 12, 12, 1), dtype="uint8")
    assert export(model, tmp_path, ["tflite", "tflite_int8"], representative_data=data).passed


def test_operation_names_of_a_file(exported):
    path = exported[1].path("tflite")
    assert tflite.operations(path) == _operations(exported[1])
    assert random_inputs(exported[0]).shape[1:] == tuple(tflite.details(path)["inputs"]["image"]["shape"][1:])


def test_a_graph_that_the_converter_refuses_says_so_and_what_to_do(tmp_path):
    """Keras's TensorFlow `add` takes a constant with one long axis for a bias of channels."""
    x = keras.Input((6, 1))
    model = keras.Model(x, keras.ops.add(x, np.ones((1, 6, 1), "float32")), name="summed")
    with pytest.raises(ValueError, match='must be able to read the graph.*Export it as "saved_model"'):
        ke.export(model, tmp_path, "tflite")
    assert ke.export(model, tmp_path, "saved_model").passed
