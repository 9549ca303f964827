"""Models written as specs, which build the same networks."""

import keras
import numpy as np
import pytest
import yaml
from keras import layers
from stock_networks import residual, shake

import keras_equivariant as ke

pytestmark = pytest.mark.tensorflow


def same(model):
    """Whether the network of the model's spec gives its answers with its weights; the spec's text."""
    text = ke.spec_of(model)
    again = ke.build_from_spec(yaml.safe_load(text))
    again.set_weights(shake(model).get_weights())
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype("float32")
    np.testing.assert_allclose(again(x), model(x), atol=1e-5)
    return text


def unet():
    image = keras.Input((8, 8, 1))
    skip = layers.Conv2D(4, 3, padding="same", activation="relu", kernel_initializer="he_normal")(image)
    inner = layers.Conv2D(4, 3, padding="same", kernel_regularizer="l2")(layers.MaxPooling2D()(skip))
    x = layers.Concatenate()([skip, layers.UpSampling2D()(inner)])
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", name="mask")(x * 0.5 + 1.0), name="own unet")


def test_stock_networks():
    text = same(unet())
    assert "he_normal" in text and "name: mask" in text and "Rescaling" in text and "own_unet" in text
    assert "strict: false" in same(residual())


def test_twins_say_what_was_replaced():
    text = same(ke.equivariant(residual(), "C4", match="channels"))
    assert "# was Conv2D: a window of 4x4 in place of 3x3" in text


def test_what_specs_cannot_write_is_named():
    image = keras.Input((8, 8, 1))
    shared = layers.Conv2D(1, 3, padding="same")
    for output, text in [
        (shared(shared(image)), "give each place a layer of its own"),
        (keras.ops.max(image, axis=(1, 2)), "use a layer in its place"),
        (layers.Resizing(4, 4)(image), "layers that it knows"),
    ]:
        with pytest.raises(ValueError, match=text):
            ke.spec_of(keras.Model(image, output))
