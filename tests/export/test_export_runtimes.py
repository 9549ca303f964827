"""ONNX and OpenVINO: the numbers and the symmetry in the runtimes that serve them."""

import dataclasses
import importlib
import pathlib

import keras
import numpy as np
import onnxruntime
import openvino
import pytest
from export_models import random_inputs, relative_error, small_cnn

import keras_equivariant as ke

FORMATS = ["onnx", "openvino"]


def so2_network():
    """Field types with gates, and an invariant head."""
    layers = ke.layers
    gated = layers.GatedActivation.in_type_for("3x0 + 2x1 + 1x2", "SO2")
    image = keras.Input((9, 9, 1), name="image")
    x = layers.SteerableConv2D("1x0", gated, 5, group="SO2", padding="same")(image)
    x = layers.GatedActivation(gated)(layers.SteerableBatchNormalization(gated)(x))
    x = layers.NormPooling("3x0 + 2x1 + 1x2", group="SO2")(x)
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x), name="so2")


def harmonic_network():
    image = keras.Input((9, 9, 1), name="image")
    x = ke.layers.HarmonicConv2D(3, 5, padding="same")(image)
    x = ke.layers.HarmonicBatchNormalization(activation="relu")(x)
    return keras.Model(image, ke.layers.HarmonicMagnitude()(x), name="harmonic")


def run_onnx(path, x):
    session = onnxruntime.InferenceSession(str(path))
    assert [given.name for given in session.get_inputs()] == ["image"]
    return session.run(["output_0"], {"image": x})[0]


def run_openvino(path, x):
    (model,) = pathlib.Path(path).glob("*.xml")
    compiled = openvino.Core().compile_model(str(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled({"image": x})["output_0"]


@pytest.mark.parametrize("network", [small_cnn, so2_network, harmonic_network])
def test_numbers_and_symmetry_in_the_runtimes(network, tmp_path):
    model = network()
    report = ke.export(model, tmp_path, FORMATS)
    for format, run in zip(FORMATS, (run_onnx, run_openvino), strict=True):
        for batch in (1, 3):
            x = random_inputs(model, batch=batch)
            assert relative_error(run(report.path(format), x), model(x)) <= 1e-5
    for artifact in report.artifacts:
        assert len(artifact.equivariance) == 4
        assert max(artifact.equivariance.values()) <= 1e-5


def test_a_group_convolution_is_a_plain_one(tmp_path):
    (artifact,) = ke.export(small_cnn(), tmp_path, "onnx").artifacts
    assert artifact.operations.count("Conv") == 3
    assert artifact.operations[:4] == ("Reshape", "Conv", "Relu", "MaxPool")  # (B, H, W, 1) to (B, 1, H, W) first
    assert not {"Einsum", "BatchNormalization"} & set(artifact.operations)


def test_wrong_numbers_are_noticed(tmp_path, monkeypatch):
    from keras_equivariant.export.formats import registry

    zeros = dataclasses.replace(
        registry.get("onnx"), load=lambda *_: lambda inputs: {"output_0": np.zeros((len(inputs["image"]), 5))}
    )
    monkeypatch.setitem(registry._formats, "onnx", zeros)
    with pytest.raises(ke.ExportError, match="differ from the Keras model's"):
        ke.export(small_cnn(), tmp_path, "onnx")
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize(("format", "module"), [("onnx", "tf2onnx.convert"), ("openvino", "openvino")])
def test_what_is_missing_is_named(format, module, tmp_path, monkeypatch):
    found = importlib.import_module

    def missing(name):
        if name == module:
            raise ImportError(name)
        return found(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=rf"pip install \"keras-equivariant\[{format}\]\""):
        ke.export(small_cnn(), tmp_path, format)
