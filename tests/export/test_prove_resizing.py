"""Proofs of networks that cut images to a size or resample them, and of models that are not folded."""

import keras
import pytest
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export.proof.graph import nearest_centers

pytestmark = pytest.mark.tensorflow

RESIZED = {
    "linear": layers.Resizing(8, 8),
    "nearest larger": layers.Resizing(18, 12, interpolation="nearest"),
    "nearest smaller": layers.Resizing(3, 2, interpolation="nearest"),
    "cut to a ratio": layers.Resizing(4, 4, crop_to_aspect_ratio=True),
    "cut": layers.CenterCrop(7, 4),
    "too small to cut": layers.CenterCrop(18, 12),
    "operation": layers.Lambda(lambda x: keras.ops.image.resize(x, (4, 4))),
}


def network(layer, size=(9, 6)):
    image = keras.Input((*size, 1))
    x = ke.layers.LiftingConv2D(2, 3, group="D2", padding="same")(layer(image))
    return keras.Model(image, layers.GlobalAveragePooling2D()(ke.layers.GroupPooling()(x)), name="sized")


@pytest.mark.parametrize("name", RESIZED)
def test_resizing_is_proved_in_every_format(name, tmp_path):
    ke.export(
        network(RESIZED[name], (10, 6) if name == "cut to a ratio" else (9, 6)), tmp_path, ["tflite", "onnx", "keras"]
    )
    for suffix in ("tflite", "onnx", "keras"):
        proof = ke.prove(tmp_path / f"sized.{suffix}", "D2")
        assert proof.verdict == "proved", proof


def test_padding_to_a_ratio_is_proved_or_said_not_to_be_covered(tmp_path):
    ke.export(network(layers.Resizing(4, 4, pad_to_aspect_ratio=True)), tmp_path, ["tflite", "onnx", "keras"])
    assert ke.prove(tmp_path / "sized.keras", "D2").verdict == "proved"
    proof = ke.prove(tmp_path / "sized.onnx", "D2")
    assert proof.verdict == "not covered" and "nothing is known about the operation If" in proof.reason


def test_uneven_resampling_is_not_proved(tmp_path):
    image = keras.Input((8, 8, 1))
    for layer in (layers.Resizing(4, 4, interpolation="nearest"), layers.CenterCrop(5, 5)):
        model = keras.Model(image, layers.GlobalMaxPooling2D()(layer(image)), name="uneven")
        ke.export(model, tmp_path, ["tflite", "onnx", "keras"], group="C1", overwrite=True)
        for suffix in ("tflite", "onnx", "keras"):
            assert ke.prove(tmp_path / f"uneven.{suffix}", "D4").verdict == "not proved"


@pytest.mark.parametrize(
    ("old", "new", "alike"), [(4, 8, True), (9, 3, True), (6, 4, True), (4, 6, False), (8, 4, False)]
)
def test_which_nearest_numbers_are_mirrored(old, new, alike):
    places = [(2 * i + 1) * old // (2 * new) for i in range(new)]
    assert nearest_centers([(old, new)]) == alike == (places == [old - 1 - p for p in reversed(places)])


@pytest.mark.parametrize(("group", "found"), [("C4", "C4"), ("C8", "C4"), ("D1", "D1"), ("Z2", "D4")])
def test_of_a_model_that_is_not_folded_its_own_group_is_named(group, found):
    image = keras.Input((9, 9, 1))
    proof = ke.prove(keras.Model(image, ke.layers.LiftingConv2D(2, 3, group=group)(image)))
    assert proof.verdict == "not covered" and proof.group == found
