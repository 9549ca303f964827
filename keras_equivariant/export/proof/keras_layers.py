"""Stock layers as nodes, by what the table of stock layers says that they are."""

import keras
import numpy as np

from keras_equivariant.export.proof import keras_normalizations
from keras_equivariant.export.proof.graph import Node, nearest_centers
from keras_equivariant.export.proof.keras_nodes import as_tuple, function, reshaped
from keras_equivariant.graphs.weights import scale_and_offset
from keras_equivariant.ops.resizing import Centered, even_windows
from keras_equivariant.stock import resizing
from keras_equivariant.stock.inference import named_weights
from keras_equivariant.stock.traits import TABLE


def _convolution(reader, node, layer, call):
    row, rank = TABLE[type(layer)], len(layer.kernel_size)
    node.kind = "convolution"
    node.options = {**_window(layer, rank, layer.kernel_size), "channels": -1, "groups": getattr(layer, "groups", 1)}
    kernel = named_weights(layer)["kernel"]
    if row.transposed:
        if layer.output_padding is not None:
            raise KeyError("output_padding")
        kernel = np.swapaxes(kernel, -1, -2)
        node.options["transposed"] = True
    elif row.input_axis is None:  # depthwise
        node.options["groups"] = kernel.shape[-2]
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
    reader.weights(node, layer, kernel)
    reader.activated(node, layer.activation)


def _dense(reader, node, layer, call):
    node.kind, node.options = "dense", {"axis": -1}
    reader.weights(node, layer)
    reader.activated(node, layer.activation)


def _pooling(reader, node, layer, call):
    mode = "mean" if TABLE[type(layer)].linear else "max"
    node.kind = "pool"
    node.options = {"mode": mode, **_window(layer, len(layer.pool_size), layer.pool_size)}


def _global(reader, node, layer, call):
    mode = "mean" if TABLE[type(layer)].linear else "max"
    node.kind, node.options = "reduce", {"mode": mode, "keepdims": layer.keepdims}
    node.inputs += (reader.constant(np.arange(1, len(call.inputs[0].shape) - 1)),)


def _merge(reader, node, layer, call):
    node.kind, node.options = "pointwise", {"name": _MERGES[type(layer)]}


def _join(reader, node, layer, call):
    node.kind, node.options = "concatenate", {"axis": layer.axis}


def _reshape(reader, node, layer, call):
    reshaped(node, call.outputs[0].shape[1:])


def _identity(reader, node, layer, call):
    node.kind, node.inputs, node.options = "reshape", (node.inputs[0], None), {"shape": lambda old: old}


def _border(reader, node, layer, call):
    edges = layer.get_config()
    rank = len(call.inputs[0].shape) - 2
    if "padding" in edges:
        node.kind = "pad"
        node.inputs += (reader.constant(np.array([(0, 0), *np.reshape(layer.padding, (rank, 2)), (0, 0)])),)
        return
    cuts = [slice(int(a), -int(b) or None) for a, b in np.reshape(layer.cropping, (rank, 2))]
    node.kind, node.options = "slice", {"index": lambda shape: [slice(None), *cuts, slice(None)]}


def _upsampling(reader, node, layer, call):
    rank = len(call.inputs[0].shape) - 2
    factors = as_tuple(layer.size, rank)
    node.kind = "resize"
    node.options = {
        "axes": tuple(range(1, 1 + rank)),
        "sizes": lambda shape: [n * s for n, s in zip(shape[1:-1], factors, strict=True)],
        "mode": getattr(layer, "interpolation", "nearest"),
        "symmetric": True,
    }


def _resizing(reader, node, layer, call):
    """Cut or bordered about the middle, then resampled: one node after the other."""
    found = resizing.steps(layer, call.inputs[0].shape[1:3])
    keys = [node.inputs[0], *(reader.key() for _ in found[1:]), node.outputs[0]]
    for i, (windows, sizes) in enumerate(found):
        if i:
            node = Node("", node.name, node.operation, (), ())
            reader.nodes.append(node)
        node.inputs, node.outputs = (keys[i],), (keys[i + 1],)
        if not isinstance(windows[0], Centered):
            node.kind, node.options = "resize", _resampled(layer)
            continue
        borders = [window.border(size) for window, size in zip(windows, sizes, strict=True)]
        if min(min(border.low, border.high) for border in borders) < 0:
            cuts = [slice(-border.low, border.high or None) for border in borders]
            node.kind, node.options = "slice", {"index": lambda _, cuts=cuts: [slice(None), *cuts, slice(None)]}
        else:
            pads = [(0, 0), *((border.low, border.high) for border in borders), (0, 0)]
            node.kind, node.options = "pad", {"value": getattr(layer, "fill_value", 0)}
            node.inputs += (reader.constant(np.array(pads)),)


def _adaptive(reader, node, layer, call):
    sizes = resizing.wanted(layer)
    if not TABLE[type(layer)].linear:
        _maxima(reader, node, call.inputs[0].shape[1:-1], sizes)
    else:
        node.kind = "resize"
        node.options = {"axes": tuple(range(1, 1 + len(sizes))), "sizes": lambda _: sizes, "mode": "means"}
        node.options["symmetric"] = True


def _maxima(reader, node, space, sizes):
    """The pixels of each window side by side, then the maxima of windows that do not overlap."""
    (key,), name, outputs = node.inputs, node.name, node.outputs
    steps = [even_windows(*pair) for pair in zip(space, sizes, strict=True)]
    for axis, (pixels, _) in enumerate(steps, start=1):
        inputs, key = (key, reader.constant(pixels)), reader.key()
        node.kind, node.options, node.inputs, node.outputs = "gather", {"axis": axis}, inputs, (key,)
        node = Node("", name, node.operation, (), ())
        reader.nodes.append(node)
    size, rank = tuple(size for _, size in steps), len(steps)
    node.kind, node.inputs, node.outputs = "pool", (key,), outputs
    node.options = {"mode": "max", "axes": tuple(range(1, 1 + rank)), "sizes": size, "strides": size}
    node.options |= {"dilations": (1,) * rank, "padding": "valid"}


def _resampled(layer):
    mode = getattr(layer, "interpolation", "bilinear")
    return {
        "axes": (1, 2),
        "sizes": lambda _: resizing.wanted(layer),
        "mode": (mode, bool(getattr(layer, "antialias", False))),
        "symmetric": nearest_centers if mode == "nearest" else True,
    }


def _scale(reader, node, layer, call):
    node.kind, node.options = "pointwise", {"name": "rescaled"}
    node.inputs += tuple(map(reader.constant, scale_and_offset(layer)))


def _normalization(reader, node, layer, call):
    if isinstance(layer, keras.layers.Normalization):
        _scale(reader, node, layer, call)
    elif not isinstance(layer, keras.layers.BatchNormalization):
        keras_normalizations.normalization(reader, node, layer, call)
    elif layer.axis in (-1, len(call.inputs[0].shape) - 1):
        weights = sorted(layer.weights, key=lambda weight: weight.name)
        names = tuple(weight.name for weight in weights)
        node.kind, node.options = "pointwise", {"name": ("batch normalization", layer.epsilon, names)}
        node.inputs += tuple(map(reader.constant, weights))


def _function(reader, node, layer, call):
    if isinstance(layer, keras.layers.Activation):
        function(node, layer.activation)
        return
    own = {key: value for key, value in layer.get_config().items() if key not in ("name", "dtype", "trainable")}
    node.kind, node.options = "pointwise", {"name": (node.operation, repr(sorted(own.items())))}


def _slopes(reader, node, layer, call):
    node.kind, node.options = "pointwise", {"name": "slopes"}
    node.inputs += (reader.constant(layer.weights[0]),)


def _softmax(reader, node, layer, call):
    node.kind, node.options = "along", {"name": "softmax", "axis": layer.axis}


def _window(layer, rank, sizes):
    return {
        "axes": tuple(range(1, 1 + rank)),
        "sizes": as_tuple(sizes, rank),
        "strides": as_tuple(layer.strides, rank),
        "dilations": as_tuple(getattr(layer, "dilation_rate", 1), rank),
        "padding": layer.padding,
    }


# By the `kind` of the table of stock layers.
LAYERS = {
    "adaptive": _adaptive,
    "border": _border,
    "convolution": _convolution,
    "dense": _dense,
    "flatten": _reshape,
    "function": _function,
    "global": _global,
    "identity": _identity,
    "join": _join,
    "merge": _merge,
    "normalization": _normalization,
    "pooling": _pooling,
    "reshape": _reshape,
    "resizing": _resizing,
    "scale": _scale,
    "slopes": _slopes,
    "softmax": _softmax,
    "unit": _normalization,
    "upsampling": _upsampling,
}
_MERGES = {
    keras.layers.Add: "add",
    keras.layers.Average: "average",
    keras.layers.Maximum: "maximum",
    keras.layers.Minimum: "minimum",
    keras.layers.Multiply: "multiply",
    keras.layers.Subtract: "subtract",
}
