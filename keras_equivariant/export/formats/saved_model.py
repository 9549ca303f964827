"""SavedModels for TensorFlow Serving: written from a folded model, and read back for verification."""

import contextlib
import functools
import pathlib

import keras

from keras_equivariant.export.folding.block_rule import TENSORFLOW
from keras_equivariant.export.formats import warmup
from keras_equivariant.export.formats.backend import tensorflow
from keras_equivariant.export.formats.format import Format
from keras_equivariant.graphs.reading import walk
from keras_equivariant.ops.portable_gradient import portable_gradients

SIGNATURE = "serving_default"


def write(source, folder):
    """Writes a SavedModel with the signatures `serving_default` and `serve`, and a warm-up request of one sample.

    Args:
        source: Source.
        folder: the version folder, `<name>/<version>`.
    """
    tf = tensorflow(["saved_model"])
    with _quiet(tf.get_logger()), portable_gradients(), _dilated_at_once(source.model):
        source.model.export(str(folder), format="tf_saved_model", verbose=False)
    extra = pathlib.Path(folder) / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as records:
        example = {name: x[:1] for name, x in source.inputs.items()}
        records.write(warmup.prediction_log(source.name, SIGNATURE, example))


@contextlib.contextmanager
def _dilated_at_once(model):
    """Dilated convolutions of planes are one operation of TensorFlow's in here.

    Keras has them as a convolution of pixels apart put into one batch, as TensorFlow can train no other; it takes
    longer, in TFLite it stays so, and what moves the pixels is then not seen in one place.
    """
    tf = tensorflow(["saved_model"])
    found = [layer for layer in walk(model) if type(layer) in _DILATED and max(layer.dilation_rate) > 1]
    found = [layer for layer in found if layer.data_format == "channels_last" and getattr(layer, "groups", 1) == 1]
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


def _depthwise(tf, layer, inputs):
    given = {"input": inputs, "filter": layer.kernel, "strides": [1] * 4, "padding": layer.padding.upper()}
    y = tf.raw_ops.DepthwiseConv2dNative(**given, dilations=[1, *layer.dilation_rate, 1])
    return layer.activation(y if layer.bias is None else y + layer.bias)


_DILATED = {keras.layers.Conv2D: ("convolution_op", _convolution), keras.layers.DepthwiseConv2D: ("call", _depthwise)}


@contextlib.contextmanager
def _quiet(logger):
    """TensorFlow reports the folder that it writes to, which is a temporary one here."""
    level = logger.level
    logger.setLevel("WARNING")
    try:
        yield
    finally:
        logger.setLevel(level)


def load(folder, source=None):
    """The SavedModel as a function from a dict of arrays to a dict of arrays, by the default signature."""
    tf = tensorflow(["saved_model"])
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[SIGNATURE]

    def run(inputs, _keep_alive=loaded):
        outputs = signature(**{name: tf.constant(x) for name, x in inputs.items()})
        return {name: y.numpy() for name, y in outputs.items()}

    return run


FORMAT = Format(
    name="saved_model",
    file="{name}/{version}",
    purpose="TensorFlow Serving, TensorFlow's C library",
    backend="tensorflow",
    write=write,
    load=load,
    pointwise=TENSORFLOW,
)
