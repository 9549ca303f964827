"""Keras's adaptive pooling: in twins it is ours, and its law is known where it acts on features."""

import keras
import numpy as np
import pytest
from keras import layers
from stock_networks import shake

import keras_equivariant as ke
from keras_equivariant.groups.layouts import BreaksSymmetry, Image
from keras_equivariant.ops import resizing
from keras_equivariant.stock.laws import output_layout

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(not hasattr(layers, "AdaptiveMaxPooling2D"), reason="came after Keras 3.12"),
]


def network(layer, rank=2, size=7, kernel=3):
    conv = getattr(layers, f"Conv{rank}D")
    image = keras.Input((size,) * rank + (2,))
    x = layer(conv(4, kernel, padding="same", activation="relu")(image))
    return shake(keras.Model(image, layers.Dense(3)(layers.Flatten()(x))))


@pytest.mark.parametrize(("rank", "group"), [(2, "D4"), (3, "O")])
@pytest.mark.parametrize("kind", ["Average", "Max"])
def test_in_a_twin_it_is_ours(kind, rank, group):
    stock = network(getattr(layers, f"Adaptive{kind}Pooling{rank}D")(3), rank)
    x = np.random.default_rng(0).standard_normal((2, *stock.input_shape[1:])).astype("float32")
    same = ke.equivariant(stock, f"Z{rank}", match=1.0, weights="project")
    np.testing.assert_allclose(same(x), stock(x), rtol=1e-5, atol=1e-6)
    assert ke.certify(ke.equivariant(stock, group), layers=False, samples=1).verdict == "exact"


@pytest.mark.parametrize(
    ("layer", "size", "remedy"),
    [
        (lambda: layers.AdaptiveAveragePooling2D((3, 2)), 7, "use one size for all axes"),
        (lambda: layers.AdaptiveMaxPooling2D(9), 7, "a pooling cannot enlarge"),
        (lambda: layers.AdaptiveMaxPooling2D(3), None, "give the input a size"),
    ],
)
def test_what_has_no_counterpart_is_named(layer, size, remedy):
    image = keras.Input((size, size, 2))
    x = layers.GlobalAveragePooling2D()(layer()(layers.Conv2D(4, 3, padding="same")(image)))
    with pytest.raises(ValueError, match=f"adaptive_.*{remedy}"):
        ke.equivariant(keras.Model(image, x), "D4")


@pytest.mark.parametrize(("sizes", "exact"), [((3, 3), True), ((2, 5), False)])
def test_the_law_is_what_is_measured(sizes, exact):
    layer = layers.AdaptiveMaxPooling2D(sizes)
    x = np.random.default_rng(0).standard_normal((2, 7, 7, 2)).astype("float32")
    group = ke.groups.get("D4")
    errors = ke.equivariance_error(layer, "D4", x, input_layout="image", output_layout="image")
    assert (max(errors.values()) < 1e-6) == exact
    if exact:
        assert isinstance(output_layout(layer, [Image(group)], [(None, 7, 7, 2)], group), Image)
    else:
        with pytest.raises(BreaksSymmetry, match="one output_size for all axes"):
            output_layout(layer, [Image(group)], [(None, 7, 7, 2)], group)


def test_means_of_a_saved_network_are_proved():
    image = keras.Input((8, 8, 2))
    x = ke.layers.GroupPooling()(ke.layers.LiftingConv2D(4, 3, group="D4", padding="same")(image))
    x = layers.GlobalAveragePooling2D()(layers.AdaptiveAveragePooling2D(3)(x))
    assert ke.prove(ke.fold(keras.Model(image, x)), "D4").verdict == "proved"


def between_convolutions(kind, on_fields):
    image = keras.Input((11, 11, 2))
    x = ke.layers.LiftingConv2D(2, 3, group="D4", padding="same")(image)
    if on_fields:
        x = getattr(layers, f"Adaptive{kind}Pooling3D")((4, 4, 8))(x)
        x = ke.layers.GroupConv2D(2, 3, group="D4", padding="same")(x)
    else:
        x = getattr(layers, f"Adaptive{kind}Pooling2D")(4)(ke.layers.GroupPooling()(x))
        x = ke.layers.LiftingConv2D(2, 3, group="D4", padding="same")(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(ke.layers.GroupPooling()(x)))


@pytest.mark.parametrize("on_fields", [False, True])
@pytest.mark.parametrize("kind", ["Average", "Max"])
def test_files_are_proved_around_it(kind, on_fields, tmp_path):
    model = between_convolutions(kind, on_fields)
    x = np.random.default_rng(0).standard_normal((16, 11, 11, 2)).astype("float32")
    report = ke.export(model, tmp_path, formats=["keras", "tflite", "tflite_int8"], representative_data=x)
    for artifact in report.artifacts:
        proof = ke.prove(tmp_path / artifact.path, "D4")
        assert (proof.verdict, proof.integers) == ("proved", artifact.format == "tflite_int8"), artifact.format


def test_other_sizes_along_both_axes_are_not_proved(tmp_path):
    image = keras.Input((11, 11, 2))
    x = layers.AdaptiveMaxPooling2D((4, 3))(image)
    report = ke.export(keras.Model(image, layers.GlobalAveragePooling2D()(x)), tmp_path, formats=["tflite"])
    assert ke.prove(tmp_path / report.artifacts[0].path, "D4").verdict != "proved"
    assert ke.prove(tmp_path / report.artifacts[0].path, "D2").verdict == "proved"


def test_maxima_of_volumes_are_proved():
    image = keras.Input((7, 7, 7, 1))
    x = layers.AdaptiveMaxPooling3D(3)(ke.layers.GroupPooling()(ke.layers.LiftingConv3D(2, 3, group="O")(image)))
    model = ke.fold(keras.Model(image, layers.Conv3D(2, 1)(x)))
    assert ke.prove(model, "O").verdict == "proved"


@pytest.mark.parametrize("size", [1, 5, 12, 13])
def test_windows_of_one_size_have_the_same_maxima(size):
    x = np.random.default_rng(0).standard_normal((2, size, size, 3)).astype("float32")
    for length in range(1, size + 1):
        y = resizing.adaptive_max(keras.ops.convert_to_tensor(x), (length, length))
        rows = np.stack([x[:, a:b].max(axis=1) for a, b in resizing.spans(size, length)], axis=1)
        parts = [rows[:, :, a:b].max(axis=2) for a, b in resizing.spans(size, length)]
        np.testing.assert_array_equal(y, np.stack(parts, axis=2))
        pixels, _ = resizing.even_windows(size, length)
        np.testing.assert_array_equal(pixels[::-1], size - 1 - pixels)
