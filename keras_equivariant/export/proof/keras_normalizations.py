"""What normalizes each example by its own numbers, as nodes: means of squares, and a function of x and of these."""

import keras
import numpy as np

from keras_equivariant.export.proof.keras_nodes import Steps


def normalization(reader, node, layer, call):
    """A layer as statistics over its axes, and a function of a number, of these and of the weights."""
    rank = len(call.inputs[0].shape)
    if isinstance(layer, keras.layers.GroupNormalization):
        _in_groups(reader, node, layer, rank)
        return
    given = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    axes = sorted(axis % rank for axis in given)
    sizes = [n if i in axes else 1 for i, n in enumerate(call.inputs[0].shape)]
    steps, x = Steps(reader, node), node.inputs[0]
    centred = isinstance(layer, keras.layers.LayerNormalization)
    found = steps.moments(x, axes) if centred else [steps.mean(steps.pointwise("square", x), axes)]
    names, weights = _weights(reader, layer, sizes)
    steps.last((type(layer).__name__, _settings(layer), names), x, *found, *weights)


def spread(reader, node, operation, call, keys):
    """`keras.ops.var` or `keras.ops.std`."""
    axes = np.ravel(np.array(operation.axis, int))  # None would be over the examples, too
    steps = Steps(reader, node)
    _, variance = steps.moments(node.inputs[0], axes, bool(operation.keepdims))
    steps.last(type(operation).__name__, variance)


def _in_groups(reader, node, layer, rank):
    if layer.axis not in (-1, rank - 1):
        raise KeyError("axis")
    steps, groups = Steps(reader, node), layer.groups
    x = steps.reshape(node.inputs[0], lambda shape: (*shape[:-1], groups, shape[-1] // groups))
    found = steps.moments(x, [*range(1, rank - 1), rank])
    y = steps.pointwise((type(layer).__name__, _settings(layer)), x, *found)
    names, weights = _weights(reader, layer)
    steps.last(("scaled", names), steps.reshape(y, lambda shape: (*shape[:-2], -1)), *weights)


def _settings(layer):
    return getattr(layer, "epsilon", None), getattr(layer, "rms_scaling", None)


def _weights(reader, layer, sizes=(-1,)):
    """The names of a layer's weights, and their keys in a shape that broadcasts."""
    weights = sorted(layer.weights, key=lambda weight: weight.name)
    arrays = [np.reshape(keras.ops.convert_to_numpy(weight), sizes) for weight in weights]
    return tuple(weight.name for weight in weights), [reader.constant(array) for array in arrays]
