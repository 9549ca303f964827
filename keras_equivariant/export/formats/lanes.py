"""Channels of convolutions in whole lanes, while the SavedModel is written that a file of integers is made from.

LiteRT's own kernels of transposed and depthwise convolutions take eight channels at a time and round the sums of the
rest otherwise, by up to a step. A rotation exchanges channels, which must then be rounded alike.
"""

import contextlib
import functools

import keras
import numpy as np

from keras_equivariant.export.formats import dilations
from keras_equivariant.export.formats.backend import tensorflow
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import walk
from keras_equivariant.stock.traits import is_elementwise

LANES = 8


def splits_lanes(channels):
    """Whether some of so many channels are rounded with seven others, and some alone."""
    return channels > LANES and channels % LANES > 0


@contextlib.contextmanager
def whole_lanes(model):
    """Transposed and depthwise convolutions of planes compute some of their channels twice in here."""
    found, operations = _split(model), _split_operations(model)
    for operation in operations:
        operation.call = functools.partial(_depthwise_again, operation)
    for layer in found:
        weights = {weight.name: keras.ops.convert_to_numpy(weight) for weight in layer.weights}  # before any tracing
        layer.call = functools.partial(_MADE[type(layer)], layer, weights)
    try:
        yield
    finally:
        for one in (*found, *operations):
            del one.call


def needs_whole_lanes(model):
    """Whether `whole_lanes` changes anything."""
    return bool(_split(model) or _split_operations(model))


def _split(model):
    found = [layer for layer in walk(model) if type(layer) in _MADE and layer.data_format == "channels_last"]
    return [layer for layer in found if _is_written(layer) and splits_lanes(_outputs(layer))]


def _is_written(layer):
    """TFLite has no transposed convolutions that are dilated."""
    return max(layer.dilation_rate) == 1 or not isinstance(layer, keras.layers.Conv2DTranspose)


def _split_operations(model):
    """Depthwise convolutions that are no layers, such as blurs."""
    made = [call for call in calls(model) if type(call.operation).__name__ == "DepthwiseConv"]
    found = {id(call.operation): call.operation for call in made if _is_split(call)}
    return list(found.values())


def _is_split(call):
    operation, (tensor, *_) = call.operation, call.outputs
    plain = np.max(operation.dilation_rate) == 1 and operation.data_format != "channels_first"
    return plain and len(tensor.shape) == 4 and splits_lanes(tensor.shape[-1])


def _outputs(layer):
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return layer.filters
    return layer.input_spec.axes[-1] * layer.depth_multiplier


def _transposed(layer, weights, inputs):
    again = np.arange(layer.filters + -layer.filters % LANES) % layer.filters
    y = keras.ops.conv_transpose(
        inputs,
        keras.ops.convert_to_tensor(weights["kernel"][:, :, again]),
        strides=layer.strides,
        padding=layer.padding,
        output_padding=layer.output_padding,
        data_format="channels_last",
        dilation_rate=layer.dilation_rate,
    )
    bias = weights.get("bias")
    y = y if bias is None else y + keras.ops.convert_to_tensor(bias[again])
    if is_elementwise(layer.activation):  # part of the convolution's operation, if it stands behind it
        return layer.activation(y)[..., : layer.filters]
    return layer.activation(y[..., : layer.filters])


def _depthwise(layer, weights, inputs):
    y = _depthwise_again(layer, inputs, keras.ops.convert_to_tensor(weights["kernel"]))
    return _finished(layer, weights, y)


def _separable(layer, weights, inputs):
    y = _depthwise_again(layer, inputs, keras.ops.convert_to_tensor(weights["depthwise_kernel"]))
    pointwise = keras.ops.convert_to_tensor(weights["pointwise_kernel"])
    return _finished(layer, weights, keras.ops.conv(y, pointwise, data_format="channels_last"))


def _depthwise_again(made, inputs, kernel):
    """The convolution of all channels and of the first ones again behind them, but for what that gives."""
    channels, multiplier = kernel.shape[2:]
    inputs, kernel = _filled(inputs, -1, channels), _filled(kernel, 2, channels)
    if np.max(made.dilation_rate) > 1:
        y = dilations.depthwise(tensorflow(["tflite_int8"]), made, inputs, kernel)
    else:
        y = keras.ops.depthwise_conv(
            inputs, kernel, strides=made.strides, padding=made.padding, data_format="channels_last"
        )
    return y[..., : channels * multiplier]


def _filled(x, axis, channels):
    """The channels of an axis, repeated until they fill whole lanes."""
    whole = channels + -channels % LANES
    repeated = keras.ops.concatenate([x] * -(-whole // channels), axis=axis)
    return repeated[..., :whole] if axis == -1 else repeated[:, :, :whole]


def _finished(layer, weights, y):
    bias = weights.get("bias")
    return layer.activation(y if bias is None else y + keras.ops.convert_to_tensor(bias))


_MADE = {
    keras.layers.Conv2DTranspose: _transposed,
    keras.layers.DepthwiseConv2D: _depthwise,
    keras.layers.SeparableConv2D: _separable,
}
