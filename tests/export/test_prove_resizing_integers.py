"""Maps resampled in integers: what is proved holds bit for bit with the kernels of every runtime."""

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export.formats import places
from keras_equivariant.export.proof.graph import whole_steps

pytestmark = pytest.mark.tensorflow
KERNELS = (OpResolverType.AUTO, OpResolverType.BUILTIN_REF)
OURS = {
    "linear": lambda size: ke.layers.Resizing2D(size),
    "cubic": lambda size: ke.layers.Resizing2D(size, interpolation="bicubic"),
    "corners": lambda size: ke.layers.Resizing2D(size, align_corners=True),
    "means": lambda size: ke.layers.AdaptiveAveragePooling2D(size),
}


def exported(layer, size, folder, group="D4"):
    """The artifact in integers of a network that resamples its features, and its images."""
    image = keras.Input((size, size, 1))
    x = ke.layers.LiftingConv2D(2, 3, group=group, padding="same")(image)
    x = ke.layers.GroupPooling()(layer(x))
    images = np.random.default_rng(0).random((16, size, size, 1)).astype("float32")
    report = ke.export(keras.Model(image, x, name="sized"), folder, ["tflite_int8"], representative_data=images)
    return report.artifacts[0], images


def worst(path, images, kernels, group="D4"):
    """The largest difference between the answers to moved images and moved answers."""
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=kernels)
    given, found = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(given, images.shape)
    interpreter.allocate_tensors()

    def answers(x):
        interpreter.set_tensor(given, np.ascontiguousarray(x))
        interpreter.invoke()
        return interpreter.get_tensor(found)

    group, expected = ke.groups.get(group), answers(images)
    moved = (
        (answers(ke.groups.act(images, group, g, "image")), ke.groups.act(expected, group, g, "image"))
        for g in range(group.order)
    )
    return max(float(np.abs(one - other).max()) for one, other in moved)


@pytest.mark.parametrize("kind", OURS)
@pytest.mark.parametrize(("old", "new"), [(9, 5), (8, 3), (7, 7)])
def test_our_layers_are_exact_and_proved(kind, old, new, tmp_path):
    """Two products are rounded one after the other; they are in both orders, since a rotation swaps them."""
    artifact, images = exported(OURS[kind](new), old, tmp_path)
    assert artifact.proof.verdict == "proved" and artifact.proof.integers, artifact.proof
    assert [worst(tmp_path / "sized_int8.tflite", images, kernels) for kernels in KERNELS] == [0, 0]


@pytest.mark.parametrize(
    ("layer", "size"),
    [
        (layers.UpSampling2D(3, interpolation="bilinear"), 8),
        (ke.layers.UpSampling2D(3, interpolation="bilinear"), 7),
        (layers.Resizing(5, 5), 9),
    ],
)
def test_layers_whose_places_would_be_rounded_are_exact_and_proved(layer, size, tmp_path):
    image = keras.Input((size, size, 1))
    x = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(2, 3, group="D4", padding="same")(image))
    images = np.random.default_rng(0).random((16, size, size, 1)).astype("float32")
    model = keras.Model(image, layer(x), name="sized")
    report = ke.export(model, tmp_path, ["tflite", "tflite_int8"], representative_data=images)
    assert [artifact.proof.verdict for artifact in report.artifacts] == ["proved", "proved"]
    assert [worst(tmp_path / "sized_int8.tflite", images, kernels) for kernels in KERNELS] == [0, 0]


@pytest.mark.parametrize(("old", "new"), [(9, 18), (9, 5), (9, 3), (8, 24), (7, 24)])
def test_linear_places_that_are_rounded_are_not_proved(old, new, tmp_path, monkeypatch):
    """What this package exported before, or another converter writes."""
    monkeypatch.setattr(places, "rounds_places", lambda model: False)
    image = keras.Input((old, old, 1))
    x = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(2, 3, group="D4", padding="same")(image))
    images = np.random.default_rng(0).random((16, old, old, 1)).astype("float32")
    model = keras.Model(image, layers.Resizing(new, new)(x), name="sized")
    artifact = ke.export(model, tmp_path, ["tflite_int8"], representative_data=images).artifacts[0]
    errors = [worst(tmp_path / "sized_int8.tflite", images, kernels) for kernels in KERNELS]
    if whole_steps([(old, new)], corners=False):
        assert artifact.proof.verdict == "proved" and errors == [0, 0]
    else:
        assert artifact.proof.verdict == "not covered" and "Resizing2D" in artifact.proof.reason and errors[1] > 0


def test_one_pixel_spread_over_a_map_is_exact_and_proved(tmp_path):
    """As in the pooled branch of atrous spatial pyramid pooling, whatever the size."""
    image = keras.Input((9, 9, 1))
    x = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(2, 3, group="D4", padding="same")(image))
    pooled = layers.UpSampling2D(9, interpolation="bilinear")(layers.AveragePooling2D(9)(x))
    images = np.random.default_rng(0).random((16, 9, 9, 1)).astype("float32")
    model = keras.Model(image, layers.Concatenate()([x, pooled]), name="sized")
    artifact = ke.export(model, tmp_path, ["tflite_int8"], representative_data=images).artifacts[0]
    assert artifact.proof.verdict == "proved" and artifact.proof.integers, artifact.proof
    assert [worst(tmp_path / "sized_int8.tflite", images, kernels) for kernels in KERNELS] == [0, 0]
