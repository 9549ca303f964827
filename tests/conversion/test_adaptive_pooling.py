"""Keras's adaptive pooling: in twins it is ours, and its law is known where it acts on features."""

import keras
import numpy as np
import pytest
from keras import layers
from stock_networks import shake

import keras_equivariant as ke
from keras_equivariant.groups.layouts import BreaksSymmetry, Image
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
