"""Integers of convolutions whose channels fill no whole lanes are rounded alike in every runtime."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import keras_equivariant as ke
from keras_equivariant.export.formats import lanes
from keras_equivariant.export.formats.lanes import splits_lanes

pytestmark = pytest.mark.tensorflow
RUNTIMES = (OpResolverType.AUTO, OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
CONVOLUTIONS = {
    "transposed": lambda group: ke.layers.GroupConv2DTranspose(3, 3, group=group, padding="same", activation="relu"),
    "depthwise": lambda group: ke.layers.GroupDepthwiseConv2D(3, group=group, padding="same"),
    "dilated": lambda group: ke.layers.GroupDepthwiseConv2D(3, group=group, padding="same", dilation_rate=2),
    "blurred": lambda group: ke.layers.GaussianBlur2D(sigma=1.0),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("group", ["C4", "D2"])
def test_every_runtime_is_exact(kind, group, tmp_path):
    image = keras.Input((9, 9, 1))
    x = ke.layers.LiftingConv2D(3, 3, group=group, padding="same", activation="relu")(image)
    model = keras.Model(image, ke.layers.GroupPooling()(CONVOLUTIONS[kind](group)(x)), name="lanes")
    for weight in model.weights:
        if weight.name == "bias":
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    images = np.random.default_rng(0).random((24, 9, 9, 1)).astype("float32")
    report = ke.export(model, tmp_path, ["tflite", "tflite_int8"], representative_data=images)
    assert {artifact.proof.verdict for artifact in report.artifacts} == {"proved"}
    group = ke.groups.get(group)
    for runtime in RUNTIMES:
        answers = in_runtime(tmp_path / "lanes_int8.tflite", runtime)
        expected = answers(images)
        for g in range(group.order):
            moved = answers(ke.groups.act(images, group, g, "image"))
            np.testing.assert_allclose(moved, ke.groups.act(expected, group, g, "image"), atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.SeparableConv2D(4, 3, depth_multiplier=4, activation="relu"),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=4, activation="relu"),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=4, dilation_rate=2, padding="same", activation="relu"),
        keras.layers.Conv2DTranspose(11, 3, strides=2, activation="softmax"),
    ],
)
def test_layers_of_keras_are_filled_too(layer, tmp_path):
    """Three channels with four outputs each: fewer than are needed to fill the lanes."""
    plain = keras.Sequential(
        [keras.Input((9, 9, 3)), layer, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
    )
    model = ke.symmetrize(plain, "D2", name="lanes")
    images = np.random.default_rng(0).random((24, 9, 9, 3)).astype("float32")
    artifact = ke.export(model, tmp_path, ["tflite_int8"], representative_data=images).artifacts[0]
    assert artifact.proof.verdict == "proved", artifact.proof


def in_runtime(path, runtime):
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=runtime)
    given, found = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, [24, 9, 9, 1])
    interpreter.allocate_tensors()

    def answers(x):
        interpreter.set_tensor(given, np.ascontiguousarray(x))
        interpreter.invoke()
        return interpreter.get_tensor(found)

    return answers


def test_only_some_channels_split_lanes():
    assert [n for n in range(1, 33) if splits_lanes(n)] == [n for n in range(9, 32) if n % 8]


def test_files_with_channels_in_two_lanes_are_not_proved(tmp_path, monkeypatch):
    """What this package exported before, or another converter writes."""
    monkeypatch.setattr(lanes, "needs_whole_lanes", lambda model: False)
    image = keras.Input((9, 9, 1))
    x = ke.layers.GroupDepthwiseConv2D(3, group="C4")(ke.layers.LiftingConv2D(3, 3, group="C4")(image))
    model = keras.Model(image, ke.layers.GroupPooling()(x), name="lanes")
    images = np.random.default_rng(0).random((24, 9, 9, 1)).astype("float32")
    report = ke.export(model, tmp_path, ["tflite_int8"], representative_data=images)
    assert report.artifacts[0].proof.verdict == "not covered"
    assert "no multiple of eight" in report.artifacts[0].proof.reason
