"""Dilated convolutions of a model as one operation of TensorFlow's each, while a SavedModel is written."""

import contextlib
import functools

import keras

from keras_equivariant.export.formats.backend import tensorflow
from keras_equivariant.graphs.reading import walk


@contextlib.contextmanager
def dilated_at_once(model):
    """Dilated convolutions of planes are one operation of TensorFlow's in here.

    Keras has them as a convolution of pixels apart put into one batch, as TensorFlow can train no other; it takes
    longer, in TFLite it stays so, and what moves the pixels is then not seen in one place.
    """
    tf = tensorflow(["saved_model"])
    found = [layer for layer in walk(model) if type(layer) in _DILATED and max(layer.dilation_rate) > 1]
    found = [layer for layer in found if layer.data_format == "channels_last" and getattr(layer, "groups", 1) == 1]
    found = [layer for layer in found if "call" not in vars(layer)]  # written out otherwise already
    for layer in found:
        method, function = _DILATED[type(layer)]
        setattr(layer, method, functools.partial(function, tf, layer))
    try:
        yield
    finally:
        for layer in found:
            delattr(layer, _DILATED[type(layer)][0])


def _convolution(tf, layer, inputs, kernel):
    return tf.nn.conv2d(inputs, kernel, 1, layer.padding.upper(), dilations=layer.dilation_rate)


def depthwise(tf, layer, inputs, kernel):
    """The dilated depthwise convolution of a layer, with another kernel, as one operation."""
    given = {"input": inputs, "filter": kernel, "strides": [1] * 4, "padding": layer.padding.upper()}
    return tf.raw_ops.DepthwiseConv2dNative(**given, dilations=[1, *layer.dilation_rate, 1])


def _depthwise(tf, layer, inputs):
    y = depthwise(tf, layer, inputs, layer.kernel)
    return layer.activation(y if layer.bias is None else y + layer.bias)


_DILATED = {keras.layers.Conv2D: ("convolution_op", _convolution), keras.layers.DepthwiseConv2D: ("call", _depthwise)}
