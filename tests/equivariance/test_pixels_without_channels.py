"""Images (B, H, W) without an axis of channels: what the messages of certify say is right."""

import re

import keras
import pytest

import keras_equivariant as ke


@pytest.mark.parametrize("options", [{}, {"input_layout": "image"}])
def test_pixels_without_channels_are_certified_as_the_message_says(options):
    pixels = keras.Input((6, 6))
    x = ke.layers.LiftingConv2D(2, 3, "C4", padding="same")(keras.layers.Reshape((6, 6, 1))(pixels))
    model = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(ke.layers.GroupPooling()(x)))
    with pytest.raises(ValueError, match="Received: shape .*channels, x.*certified behind it") as caught:
        ke.certify(model, "C4", **options)
    code = re.search(r"keras\.Sequential\(\[.*model\]\)", str(caught.value)).group()
    report = ke.certify(eval(code, {"keras": keras, "model": model}), "C4", **options, angles=0)
    assert report.exact
