"""Fitting a network's Normalization layers to the training images."""

import keras
import numpy as np

from keras_equivariant.data import Stored, reading_pipeline
from keras_equivariant.training.memory.rematerialize import Rematerialized

SAMPLE = 10_000


def normalization_layers(model):
    """The stock Normalization layers of a model that have no fixed mean and variance, nested models included."""
    found = []
    for layer in model.layers:
        inner = layer.body if isinstance(layer, Rematerialized) else layer
        if isinstance(inner, keras.Model):
            found += normalization_layers(inner)
        elif isinstance(layer, keras.layers.Normalization) and layer.input_mean is None:
            found.append(layer)
    return found


def adapt(model, images):
    """Set mean and variance of the model's Normalization layers from what reaches them of the training images.

    With `axis=None` a layer has one mean and one variance for all pixels and channels, so it commutes with every
    motion of the image.

    Raises:
        ValueError: such a layer sits inside a nested model, where what reaches it cannot be traced.
    """
    for layer in normalization_layers(model):
        if layer not in model.layers:
            raise ValueError(
                "A Normalization layer must be in the outer model to be fitted to the training images. "
                f'Received: layer "{layer.name}" of a nested model. Give it `mean` and `variance`, or move it out.'
            )
        if any(layer.input is tensor for tensor in model.inputs):
            layer.adapt(_readable(images))
        else:
            features = keras.Model(model.inputs, layer.input)
            layer.adapt(features.predict(np.asarray(images[:SAMPLE], "float32"), batch_size=250, verbose=0))


def _readable(images):
    """What `adapt` takes: float32 images; of those on disk a pipeline of tf.data, or a sample."""
    if not isinstance(images, Stored):
        return images.astype("float32", copy=False)
    if keras.backend.backend() == "tensorflow":
        return reading_pipeline(images)
    rows = np.unique(np.linspace(0, len(images) - 1, min(SAMPLE, len(images))).astype(int))
    return np.asarray(images[rows], "float32")
