"""Attention between the pixels of a map, which no converter reads as Keras writes it."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def network(size=(4, 4, 2), heads=2, **options):
    """Attention between all pixels of features of the image."""
    image = keras.Input(size)
    space = tuple(range(1, len(size)))
    x = getattr(layers, f"Conv{len(space)}D")(4, 3, padding="same")(image)
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(heads, 3, attention_axes=space, **options)(y, y)
    return keras.Model(image, layers.Dense(3)(getattr(layers, f"GlobalAveragePooling{len(space)}D")()(x)))


def numbers(model, count=3):
    rng = np.random.default_rng(0)
    return [rng.standard_normal((count, *x.shape[1:])).astype("float32") for x in model.inputs]


@pytest.mark.parametrize("group", [None, "D4"])
@pytest.mark.parametrize("format", ["tflite", "tflite_int8", "openvino"])
def test_a_map_that_attends_is_exported(group, format, tmp_path):
    pytest.importorskip("openvino")
    plain = network()
    model = ke.equivariant(plain, group) if group else plain
    data = np.random.default_rng(0).standard_normal((32, 4, 4, 2)).astype("float32")
    assert ke.export(model, tmp_path, [format], representative_data=data).passed


def test_volumes_are_exported(tmp_path):
    assert ke.export(ke.equivariant(network((3, 3, 3, 1)), "O"), tmp_path, ["tflite"]).passed


def _two_maps():
    image, other = keras.Input((4, 4, 3)), keras.Input((2, 3, 5))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=(1, 2), output_shape=7)
    return keras.Model([image, other], layer(image, other))


def _shared():
    image = keras.Input((4, 4, 3))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))
    return keras.Model(image, layer(layer(image, image), image, key=keras.ops.tanh(image)))


def _masked():
    image, mask = keras.Input((2, 2, 3)), keras.Input((2, 2, 2, 2), dtype="bool")
    layer = layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))
    return keras.Model([image, mask], layer(image, image, attention_mask=mask))


def _with_scores():
    image = keras.Input((2, 2, 3))
    layer = layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))
    return keras.Model(image, layer(image, image, return_attention_scores=True))


def _of_unknown_sizes():
    image = keras.Input((None, None, 3))
    return keras.Model(image, layers.MultiHeadAttention(2, 3, attention_axes=(1, 2))(image, image))


def _along_rows():
    frames = keras.Input((2, 3, 4, 5))
    return keras.Model(frames, layers.MultiHeadAttention(2, 3, attention_axes=(1, 3))(frames, frames))


CASES = (_two_maps, _shared, _masked, _with_scores, _of_unknown_sizes, _along_rows)


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_numbers_stay(make):
    model = make()
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((2, *(n or 4 for n in x.shape[1:]))) for x in model.inputs]
    given = [x > 0 if one.dtype == "bool" else x.astype("float32") for x, one in zip(given, model.inputs, strict=True)]
    folded = ke.fold(model)
    given = given if len(given) > 1 else given[0]
    for found, wanted in zip(*(keras.tree.flatten(one(given)) for one in (folded, model)), strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_in_volumes_the_twin_runs_where_the_group_has_an_axis():
    """Along three axes of nine TensorFlow takes no softmax."""
    plain = network((3, 3, 3, 1))
    assert ke.certify(ke.equivariant(plain, "O")).verdict == "exact"
    same = ke.equivariant(plain, "Z3", match=1.0, weights="project")
    np.testing.assert_allclose(same(numbers(plain)[0]), plain(numbers(plain)[0]), atol=1e-5)
