"""The two networks of the demo as .tflite files for one image: the answer, and a field of vectors from within."""

import dataclasses
import tempfile

import keras

from keras_equivariant.export.folding.fold import fold
from keras_equivariant.export.formats import tflite
from keras_equivariant.presets.preset import from_preset, preset_info

EQUIVARIANT = "hnet_rotated_mnist"  # at every angle of the slider; one on C4 is steady at quarter turns only
PLAIN = "z2_cnn_rotated_mnist"
# Which normalization gives the features that the page shows, of 10 or 14 pixels.
SHOWN = {EQUIVARIANT: 1, PLAIN: 2}


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of the page.

    Attributes:
        name: of its file.
        title: what the page calls it.
        about: one line on what it is and how well it does.
        content: the .tflite file: an image `(1, 28, 28, 1)` of 0 to 255 to logits `(1, 10)` and vectors
            `(1, H, W, 2)`, x to the right and y up.
    """

    name: str
    title: str
    about: str
    content: bytes


def networks():
    """The equivariant and the plain network."""
    return (
        _network(EQUIVARIANT, "equivariant", "Equivariant network"),
        _network(PLAIN, "plain", "Plain network"),
    )


def _network(preset, name, title):
    info = preset_info(preset)
    about = (
        f"{info['network']}, {info['parameters']:,} parameters, {info['test_error_percent']:.2f} % wrong on "
        "rotated MNIST (regenerated)"
    )
    return Network(name, title, about, _tflite(with_vectors(from_preset(preset), SHOWN[preset])))


def with_vectors(model, number):
    """The model with a field of vectors, from its normalization of this number, as its second output."""
    shown = [layer for layer in model.layers if "batch_normalization" in layer.name][number]
    return keras.Model(model.input, [model.output, _vectors(shown.output)], name="demo")


def _vectors(features):
    """Two numbers a pixel; of equivariant features they rotate as a vector."""
    if len(features.shape) == 6:  # order 1 of harmonic features (B, H, W, orders, 2, C) rotates as (x, y)
        return keras.ops.mean(features[:, :, :, 1], axis=-1)
    if len(features.shape) == 5:  # quarter turns s: the sum of the unit vectors that they make of (1, 0)
        planes = keras.ops.mean(features, axis=-1)
        return keras.ops.stack([planes[..., 0] - planes[..., 2], planes[..., 1] - planes[..., 3]], axis=-1)
    channels = features.shape[-1] // 2
    return keras.ops.stack(
        [keras.ops.mean(features[..., :channels], axis=-1), keras.ops.mean(features[..., channels:], axis=-1)], axis=-1
    )


def _tflite(model):
    """The .tflite file for one image at a time: LiteRT.js knows no sizes that are left open."""
    image = keras.InputSpec(shape=(1, *model.input_shape[1:]), dtype="float32", name="image")
    with tempfile.TemporaryDirectory() as folder:
        fold(model).export(folder, verbose=False, input_signature=[image])
        return tflite.convert(folder)
