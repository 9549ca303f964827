"""A Keras model of stock layers as a Graph, as `fold` gives it."""

import keras
import numpy as np
from keras import layers

from keras_equivariant.export.proof.graph import Graph, Node
from keras_equivariant.stock.traits import has

_CONVOLUTIONS = (layers.Conv2D, layers.Conv3D)
_TRANSPOSED = (layers.Conv2DTranspose, layers.Conv3DTranspose)
_LAYERS_OF_TWO = {
    **{layers.Add: "add", layers.Subtract: "subtract", layers.Multiply: "multiply", layers.Average: "average"},
    **{layers.Maximum: "maximum", layers.Minimum: "minimum"},
}
_OPERATIONS = {
    **{"Add": "add", "Subtract": "subtract", "Multiply": "multiply", "TrueDivide": "divide", "Divide": "divide"},
    **{"Maximum": "maximum", "Minimum": "minimum", "Negative": "negative", "Square": "square", "Sqrt": "sqrt"},
    **{
        "Rsqrt": "rsqrt",
        "Relu": "relu",
        "ReLU": "relu",
        "Sigmoid": "sigmoid",
        "Silu": "silu",
        "Tanh": "tanh",
        "Elu": "elu",
    },
    **{"Gelu": "gelu", "Softplus": "softplus", "Exp": "exp", "Log": "log", "Abs": "abs", "Absolute": "abs"},
    **{"Selu": "selu", "LeakyRelu": "leaky relu", "Power": "power", "Reciprocal": "reciprocal", "Cast": "cast"},
}
_REDUCE = {"Max": "max", "Min": "min", "Mean": "mean", "Sum": "sum", "Amax": "max", "Amin": "min"}
_POOLS = {
    **{layers.MaxPooling2D: "max", layers.MaxPooling3D: "max"},
    **{layers.AveragePooling2D: "mean", layers.AveragePooling3D: "mean"},
}
_GLOBAL_POOLS = {
    **{layers.GlobalMaxPooling1D: "max", layers.GlobalMaxPooling2D: "max", layers.GlobalMaxPooling3D: "max"},
    **{layers.GlobalAveragePooling1D: "mean", layers.GlobalAveragePooling2D: "mean"},
    **{layers.GlobalAveragePooling3D: "mean"},
}
_ALONG = ("softmax", "log_softmax")


def read(model):
    """The Graph of a functional or sequential model; models inside it are read through."""
    reader = _Reader()
    graph = keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model
    keys = {id(tensor): i for i, tensor in enumerate(graph.inputs)}
    inputs = {i: tuple(tensor.shape) for i, tensor in enumerate(graph.inputs)}
    reader.number = len(inputs)
    reader.walk(graph, keys)
    outputs = {keys[id(tensor)]: name for tensor, name in zip(graph.outputs, _output_names(graph), strict=True)}
    return Graph(model.name, inputs, outputs, reader.nodes, reader.constants)


def _output_names(graph):
    if isinstance(graph.output, dict):
        return keras.tree.flatten({key: key for key in graph.output})
    return [f"output_{i}" for i in range(len(graph.outputs))]


class _Reader:
    def __init__(self):
        self.nodes, self.constants, self.number = [], {}, 0

    def walk(self, graph, keys):
        """Adds the calls of a graph; `keys` has those of its inputs and gets those of its tensors."""
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for call in graph._nodes_by_depth[depth]:
                if not call.is_input:
                    self._call(call, keys)

    def _call(self, call, keys):
        operation = call.operation
        given = [keys[id(tensor)] for tensor in call.input_tensors]
        if isinstance(operation, keras.Model):
            inner = dict(zip(map(id, operation.inputs), given, strict=True))
            self.walk(operation, inner)
            keys |= {id(a): inner[id(b)] for a, b in zip(call.outputs, operation.outputs, strict=True)}
            return
        made = [self._key() for _ in call.outputs]
        keys |= dict(zip(map(id, call.outputs), made, strict=True))
        node = Node("", operation.name, type(operation).__name__, tuple(given), tuple(made))
        arguments = [*call.arguments.args, *call.arguments.kwargs.values()]
        self.nodes.append(node)
        if isinstance(operation, layers.Layer):
            self._layer(node, operation, call)
        else:
            self._operation(node, operation, call, arguments, keys)

    def _key(self):
        self.number += 1
        return self.number

    def _constant(self, array):
        key = f"constant {self._key()}"
        self.constants[key] = keras.ops.convert_to_numpy(array)
        return key

    def _layer(self, node, layer, call):
        kind = type(layer)
        if getattr(layer, "data_format", None) == "channels_first":
            return
        weights = {w.name: w for w in layer.weights}
        if kind in _CONVOLUTIONS:
            rank = layer.rank
            node.kind = "convolution"
            node.options = {**_window(layer, rank), "channels": -1, "groups": layer.groups}
            node.inputs += tuple(self._constant(weights[name]) for name in ("kernel", "bias") if name in weights)
            self._activation(node, layer.activation)
        elif kind is layers.DepthwiseConv2D:
            kernel = keras.ops.convert_to_numpy(weights["kernel"])
            channels = kernel.shape[-2]
            kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
            node.kind = "convolution"
            node.options = {**_window(layer, 2), "channels": -1, "groups": channels}
            node.inputs += (self._constant(kernel), *(self._constant(b) for n, b in weights.items() if n == "bias"))
            self._activation(node, layer.activation)
        elif kind in _TRANSPOSED and layer.output_padding is None:
            kernel = np.swapaxes(keras.ops.convert_to_numpy(weights["kernel"]), -1, -2)
            node.kind = "convolution"
            node.options = {**_window(layer, layer.rank), "channels": -1, "transposed": True}
            node.inputs += (self._constant(kernel), *(self._constant(b) for n, b in weights.items() if n == "bias"))
            self._activation(node, layer.activation)
        elif kind is layers.Dense:
            node.kind, node.options = "dense", {"axis": -1}
            node.inputs += tuple(self._constant(weights[name]) for name in ("kernel", "bias") if name in weights)
            self._activation(node, layer.activation)
        elif kind in _POOLS:
            node.kind = "pool"
            node.options = {"mode": _POOLS[kind], "sizes": layer.pool_size, **_window(layer, len(layer.pool_size))}
        elif kind in _GLOBAL_POOLS:
            rank = len(call.input_tensors[0].shape)
            node.kind, node.options = "reduce", {"mode": _GLOBAL_POOLS[kind], "keepdims": layer.keepdims}
            node.inputs += (self._constant(np.arange(1, rank - 1)),)
        elif kind in _LAYERS_OF_TWO:
            node.kind, node.options = "pointwise", {"name": _LAYERS_OF_TWO[kind]}
        elif kind is layers.Concatenate:
            node.kind, node.options = "concatenate", {"axis": layer.axis}
        elif kind in (layers.Reshape, layers.Flatten):
            shape = call.outputs[0].shape[1:]
            self._reshape(node, shape)
        elif kind is layers.Permute:
            node.kind = "transpose"
            node.inputs += (self._constant(np.array([0, *layer.dims])),)
        elif kind in (layers.ZeroPadding2D, layers.ZeroPadding3D):
            node.kind = "pad"
            node.inputs += (self._constant(np.array([(0, 0), *layer.padding, (0, 0)])),)
        elif kind in (layers.Cropping2D, layers.Cropping3D):
            cuts = [slice(a, -b or None) for a, b in layer.cropping]
            node.kind = "slice"
            node.options = {"index": lambda shape: [slice(None), *cuts, slice(None)]}
        elif kind in (layers.UpSampling2D, layers.UpSampling3D):
            rank, mode = len(layer.size), getattr(layer, "interpolation", "nearest")
            node.kind = "resize"
            node.options = {
                "axes": tuple(range(1, 1 + rank)),
                "sizes": lambda shape: [n * s for n, s in zip(shape[1:-1], layer.size, strict=True)],
                "mode": mode,
                "symmetric": True,
            }
        elif kind is layers.Normalization and not layer.invert:
            scale = np.maximum(np.sqrt(keras.ops.convert_to_numpy(layer.variance)), keras.config.epsilon())
            node.kind, node.options = "pointwise", {"name": "normalized"}
            node.inputs += (self._constant(layer.mean), self._constant(scale))
        elif kind is layers.Rescaling:
            node.kind, node.options = "pointwise", {"name": "rescaled"}
            node.inputs += (self._constant(np.asarray(layer.scale)), self._constant(np.asarray(layer.offset)))
        elif kind is layers.BatchNormalization and layer.axis in (-1, len(call.input_tensors[0].shape) - 1):
            node.kind, node.options = "pointwise", {"name": ("batch normalization", layer.epsilon, *sorted(weights))}
            node.inputs += tuple(self._constant(weights[name]) for name in sorted(weights))
        elif kind is layers.Activation:
            self._function(node, layer.activation)
        elif has(layer, "function"):
            own = {k: v for k, v in layer.get_config().items() if k not in ("name", "dtype", "trainable")}
            self._pointwise(node, (kind.__name__, repr(own)))
        elif kind in (layers.Identity, layers.Dropout):
            self._reshape(node, call.outputs[0].shape[1:])
        elif kind is layers.Softmax and isinstance(layer.axis, int):
            node.kind, node.options = "along", {"name": "softmax", "axis": layer.axis}

    def _activation(self, node, activation):
        """An activation inside a layer, as an operation of its own where it looks at several channels."""
        name = keras.activations.serialize(activation)
        if name == "linear":
            return
        if isinstance(name, str) and name not in _ALONG:
            node.activation = name
            return
        (output,) = node.outputs
        node.outputs = (self._key(),)
        after = Node("", node.name, node.operation, node.outputs, (output,))
        self._function(after, activation)
        self.nodes.append(after)

    def _function(self, node, activation):
        name = keras.activations.serialize(activation)
        if isinstance(name, str) and name in _ALONG:
            node.kind, node.options = "along", {"name": name, "axis": -1}
        elif isinstance(name, str):
            self._pointwise(node, name)

    def _pointwise(self, node, name):
        node.kind, node.options = "pointwise", {"name": name}

    def _reshape(self, node, shape):
        known = [-1 if n is None else n for n in shape]
        node.kind = "reshape"
        node.inputs = (node.inputs[0], None)
        if -1 in known:
            node.options = {"shape": lambda old: (old[0], *known)}
        else:
            node.options = {"shape": lambda old: (-1, *known)}

    def _operation(self, node, operation, call, arguments, keys):
        kind = type(operation).__name__
        own = {key: value for key, value in vars(operation).items() if not key.startswith("_") and key != "name"}
        if kind in _OPERATIONS:
            node.inputs = tuple(
                keys[id(x)] if isinstance(x, keras.KerasTensor) else self._constant(np.asarray(x))
                for x in arguments
                if x is not None
            )
            settings = tuple(sorted((k, v) for k, v in own.items() if isinstance(v, (int, float, bool, str))))
            name = _OPERATIONS[kind]
            self._pointwise(node, (name, settings) if settings else name)
        elif kind in _REDUCE:
            node.kind, node.options = "reduce", {"mode": _REDUCE[kind], "keepdims": own.get("keepdims", False)}
            axis = own.get("axis")
            node.inputs = (node.inputs[0], None if axis is None else self._constant(np.ravel(axis)))
        elif kind == "Split":
            cuts = own["indices_or_sections"]
            node.kind, node.options = "split", {"axis": own["axis"], "sizes": lambda size: _sizes(cuts, size)}
        elif kind == "Unstack":
            return
        elif kind == "Concatenate":
            node.kind, node.options = "concatenate", {"axis": own["axis"]}
        elif kind == "Stack":
            node.kind, node.options = "stack", {"axis": own["axis"]}
        elif kind == "Reshape":
            self._reshape(node, call.outputs[0].shape[1:])
        elif kind in ("ExpandDims", "Squeeze"):
            self._reshape(node, call.outputs[0].shape[1:])
        elif kind == "Transpose":
            node.kind = "transpose"
            node.inputs += (self._constant(np.array(own["axes"])),)
        elif kind == "Pad":
            node.kind, node.options = "pad", {"mode": own.get("mode", "constant")}
            node.inputs += (self._constant(np.array(own["pad_width"])),)
        elif kind == "GetItem":
            key = arguments[1]
            node.kind, node.options = "slice", {"index": lambda shape: _whole_index(key, len(shape))}
        elif kind == "Take" and own.get("axis") is not None:
            node.kind, node.options = "gather", {"axis": own["axis"]}
            node.inputs = (node.inputs[0], self._constant(np.asarray(arguments[1])))
        elif kind in ("MaxPool", "AveragePool"):
            rank = len(call.input_tensors[0].shape) - 2
            node.kind = "pool"
            node.options = {
                "mode": "max" if kind == "MaxPool" else "mean",
                "axes": tuple(range(1, 1 + rank)),
                "sizes": _tuple(own["pool_size"], rank),
                "strides": _tuple(own["strides"] or own["pool_size"], rank),
                "dilations": (1,) * rank,
                "padding": own["padding"],
            }
        elif kind in ("Conv", "DepthwiseConv") and not isinstance(arguments[1], keras.KerasTensor):
            self._convolution(node, kind, own, keras.ops.convert_to_numpy(arguments[1]))

    def _convolution(self, node, kind, own, kernel):
        rank, groups = kernel.ndim - 2, 1
        if kind == "DepthwiseConv":
            groups = kernel.shape[-2]
            kernel = kernel.reshape(*kernel.shape[:-2], 1, -1)
        node.kind = "convolution"
        node.options = {
            "axes": tuple(range(1, 1 + rank)),
            "channels": -1,
            "groups": groups,
            "strides": _tuple(own.get("strides", 1), rank),
            "dilations": _tuple(own.get("dilation_rate", 1), rank),
            "padding": own.get("padding", "valid"),
        }
        node.inputs = (node.inputs[0], self._constant(kernel))


def _window(layer, rank):
    return {
        "axes": tuple(range(1, 1 + rank)),
        "strides": layer.strides,
        "dilations": getattr(layer, "dilation_rate", (1,) * rank),
        "padding": layer.padding,
    }


def _tuple(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _sizes(cuts, size):
    if isinstance(cuts, int):
        return [size // cuts] * cuts
    return np.diff([0, *cuts, size]).tolist()


def _whole_index(key, rank):
    key = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    if Ellipsis in key:
        where = key.index(Ellipsis)
        key = (*key[:where], *[slice(None)] * (rank - len(key) + 1), *key[where + 1 :])
    return [*key, *[slice(None)] * (rank - len(key))]
