"""Models with their channels first are told so, not that their images are no squares."""

import keras
import pytest
from keras import layers

import keras_equivariant as ke


def test_certify_names_the_layer():
    image = keras.Input((3, 16, 16))
    y = layers.Conv2D(4, 3, data_format="channels_first", name="first")(image)
    model = keras.Model(image, layers.GlobalAveragePooling2D(data_format="channels_first")(y))
    with pytest.raises(ValueError, match='layer "first" with data_format="channels_first"; build the model with'):
        ke.certify(model, "D4")
