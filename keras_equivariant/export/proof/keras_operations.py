"""Operations of keras.ops as nodes, by the names of their classes."""

import keras
import numpy as np

from keras_equivariant.export.proof.graph import nearest_centers
from keras_equivariant.export.proof.keras_nodes import Steps, as_tuple, reshaped
from keras_equivariant.export.proof.keras_normalizations import spread
from keras_equivariant.stock.traits import ELEMENTWISE_OPERATIONS


def _arguments(call):
    return [*call.args, *call.kwargs.values()]


def _own(operation):
    """What an operation was made with."""
    return {key: value for key, value in vars(operation).items() if not key.startswith("_") and key != "name"}


def _pointwise(name):
    def describe(reader, node, operation, call, keys):
        node.inputs = tuple(
            keys[id(x)] if isinstance(x, keras.KerasTensor) else reader.constant(np.asarray(x))
            for x in _arguments(call)
            if x is not None
        )
        settings = tuple(sorted((k, repr(v)) for k, v in _own(operation).items()))
        node.kind, node.options = "pointwise", {"name": (name, settings) if settings else name}

    return describe


def _add(reader, node, operation, call, keys):
    """On TensorFlow Keras adds a vector along the last axis of its length, else along the first behind the batch,
    whichever axis its shape says."""
    x, y = (tuple(getattr(one, "shape", ())) for one in _arguments(call))
    long = [axis - len(y) for axis, size in enumerate(y) if size != 1]
    if len(long) == 1 and len(x) > 1 and y[long[0]] in {x[1], x[-1]} - {None}:
        along = -1 if y[long[0]] == x[-1] else 1 - len(x)
        if along != long[0]:
            raise KeyError("a vector on another axis")
    _pointwise("add")(reader, node, operation, call, keys)


def _reduce(mode):
    def describe(reader, node, operation, call, keys):
        own = _own(operation)
        axis = own["axis"]
        node.kind, node.options = "reduce", {"mode": mode, "keepdims": bool(own.get("keepdims", False))}
        node.inputs = (node.inputs[0], None if axis is None else reader.constant(np.ravel(axis)))

    return describe


def _along(name):
    def describe(reader, node, operation, call, keys):
        if isinstance(operation.axis, int):
            node.kind, node.options = "along", {"name": name, "axis": operation.axis}

    return describe


def _resize(reader, node, operation, call, keys):
    """keras.ops.image.resize of a batch of images."""
    settings = {k: v for k, v in _own(operation).items() if k != "size"}
    plain = not (operation.crop_to_aspect_ratio or operation.pad_to_aspect_ratio)
    if len(call.inputs[0].shape) == 4 and operation.data_format == "channels_last" and plain:
        nearest = operation.interpolation == "nearest"
        node.kind = "resize"
        node.options = {
            "axes": (1, 2),
            "sizes": lambda _: operation.size,
            "mode": repr(sorted(settings.items())),
            "symmetric": nearest_centers if nearest else True,
        }


def _split(reader, node, operation, call, keys):
    cuts = operation.indices_or_sections
    node.kind = "split"
    node.options = {"axis": operation.axis, "sizes": lambda size: _sizes(cuts, size)}


def _sizes(cuts, size):
    if isinstance(cuts, (int, np.integer)):
        return [size // cuts] * cuts
    return np.diff([0, *cuts, size]).tolist()


def _concatenate(reader, node, operation, call, keys):
    node.kind, node.options = "concatenate", {"axis": operation.axis}


def _stack(reader, node, operation, call, keys):
    node.kind, node.options = "stack", {"axis": operation.axis}


def _unstack(reader, node, operation, call, keys):
    node.kind, node.options = "unstack", {"axis": operation.axis}


def _reshape(reader, node, operation, call, keys):
    old, new = call.inputs[0].shape, call.outputs[0].shape
    reshaped(node, new[1:])
    if new[0] is not None and new[0] != old[0]:  # the examples are no longer first
        node.options = {"shape": lambda _: [-1 if n is None else n for n in new]}


def _transpose(reader, node, operation, call, keys):
    node.kind = "transpose"
    node.inputs += (reader.constant(np.array(operation.axes)),)


def _pad(reader, node, operation, call, keys):
    if len(_arguments(call)) > 1 and _arguments(call)[1] is not None:
        raise KeyError("constant_values")
    node.kind, node.options = "pad", {"mode": operation.mode}
    node.inputs += (reader.constant(np.array(operation.pad_width)),)


def _getitem(reader, node, operation, call, keys):
    key = _arguments(call)[1]
    key = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    backward = [axis for axis, part in enumerate(key) if part == slice(None, None, -1)]
    if backward and all(part in (slice(None), slice(None, None, -1)) for part in key):
        node.kind, node.options = "flip", {"axis": backward}
        return
    if any(part is None for part in key):
        raise KeyError("a new axis")
    node.kind, node.options = "slice", {"index": lambda shape: _whole_index(key, len(shape))}


def _whole_index(key, rank):
    where = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    after = key[where + 1 :]
    return [*key[:where], *[slice(None)] * (rank - where - len(after)), *after]


def _flip(reader, node, operation, call, keys):
    node.kind = "flip"
    node.options = {"axis": range(len(call.inputs[0].shape)) if operation.axis is None else operation.axis}


def _matmul(reader, node, operation, call, keys):
    first, second = _arguments(call)[:2]
    if isinstance(second, keras.KerasTensor) and not isinstance(first, keras.KerasTensor) and len(first.shape) == 2:
        node.kind, node.options = "matrix", {"axis": -2}
        node.inputs = (keys[id(second)], reader.constant(first))
    elif isinstance(first, keras.KerasTensor) and not isinstance(second, keras.KerasTensor) and len(second.shape) == 2:
        node.kind, node.options = "dense", {"axis": -1}
        node.inputs = (keys[id(first)], reader.constant(second))
    elif isinstance(first, keras.KerasTensor) and isinstance(second, keras.KerasTensor):
        node.kind, node.inputs = "product", (keys[id(first)], keys[id(second)])


def _einsum(reader, node, operation, call, keys):
    """Of two tensors; entries of one alone are not added up."""
    names, result = operation.subscripts.replace(" ", "").split("->")
    first, second = names.split(",")
    x, y = _arguments(call)
    for own, other in ((first, second), (second, first)):
        if len(set(own)) < len(own) or "." in own or set(own) - set(other) - set(result):
            raise KeyError(operation.subscripts)
    node.kind, node.options = "einsum", {"labels": (first, second, result)}
    node.inputs = tuple(keys[id(t)] if isinstance(t, keras.KerasTensor) else reader.constant(t) for t in (x, y))


def _attention(reader, node, operation, call, keys):
    """Softmax of the products of queries and keys, times values, without masks."""
    given = dict(zip(("query", "key", "value", "bias", "mask", "scale"), call.args, strict=False)) | call.kwargs
    kept = (given.get("bias"), given.get("mask"), getattr(operation, "attn_logits_soft_cap", None))
    if operation.is_causal or any(one is not None for one in kept):
        raise KeyError("mask")
    query, key, value = (keys[id(given[name])] for name in ("query", "key", "value"))
    scale = given.get("scale") or call.inputs[0].shape[-1] ** -0.5
    steps = Steps(reader, node)
    scores = steps.add("einsum", {"labels": ("btnh", "bsnh", "bnts")}, query, key)
    scores = steps.pointwise("multiply", scores, reader.constant(np.float32(scale)))
    shares = steps.add("along", {"name": "softmax", "axis": -1}, scores)
    node.kind, node.options, node.inputs = "einsum", {"labels": ("bnts", "bsnh", "btnh")}, (shares, value)


def _normalize(reader, node, operation, call, keys):
    """Numbers of one axis over their length."""
    if operation.order != 2 or not isinstance(operation.axis, int):
        raise KeyError("order")
    steps, (x,) = Steps(reader, node), node.inputs
    axes = reader.constant(np.array([operation.axis]))
    squares = steps.add("reduce", {"mode": "sum", "keepdims": True}, steps.pointwise("square", x), axes)
    steps.last(("normalize", operation.epsilon), x, squares)


def _repeat(reader, node, operation, call, keys):
    places = np.arange(call.inputs[0].shape[operation.axis])
    node.kind, node.options = "gather", {"axis": operation.axis}
    node.inputs += (reader.constant(np.repeat(places, operation.repeats)),)


def _swapaxes(reader, node, operation, call, keys):
    order = np.arange(len(call.inputs[0].shape))
    order[[operation.axis1, operation.axis2]] = order[[operation.axis2, operation.axis1]]
    node.kind = "transpose"
    node.inputs += (reader.constant(order),)


def _take(reader, node, operation, call, keys):
    if operation.axis is None:
        raise KeyError("axis")
    node.kind, node.options = "gather", {"axis": operation.axis}
    node.inputs = (node.inputs[0], reader.constant(np.asarray(_arguments(call)[1])))


def _pool(mode):
    def describe(reader, node, operation, call, keys):
        rank = len(call.inputs[0].shape) - 2
        node.kind, node.options = "pool", {"mode": mode, **_window(operation, rank, operation.pool_size)}

    return describe


def _convolution(depthwise):
    def describe(reader, node, operation, call, keys):
        kernel = keras.ops.convert_to_numpy(_arguments(call)[1])
        groups = kernel.shape[-2] if depthwise else call.inputs[0].shape[-1] // kernel.shape[-2]
        kernel = kernel.reshape(*kernel.shape[:-2], 1, -1) if depthwise else kernel
        rank = kernel.ndim - 2
        node.kind = "convolution"
        node.options = {**_window(operation, rank, kernel.shape[:rank]), "channels": -1, "groups": groups}
        node.inputs = (node.inputs[0], reader.constant(kernel))

    return describe


def _window(operation, rank, sizes):
    if getattr(operation, "data_format", None) == "channels_first":
        raise KeyError("data_format")
    strides = operation.strides
    return {
        "axes": tuple(range(1, 1 + rank)),
        "sizes": as_tuple(sizes, rank),
        "strides": as_tuple(sizes if strides is None else strides, rank),
        "dilations": as_tuple(getattr(operation, "dilation_rate", 1), rank),
        "padding": operation.padding,
    }


_LIKE = {"Subtract": "subtract", "Multiply": "multiply", "TrueDivide": "divide", "Divide": "divide"}
_LIKE |= {"Maximum": "maximum", "Minimum": "minimum", "Negative": "negative", "Square": "square"}
_LIKE |= {"Equal": "equal", "NotEqual": "unequal", "Greater": "greater", "GreaterEqual": "greater or equal"}
_LIKE |= {"Less": "less", "LessEqual": "less or equal", "Sign": "sign", "Cast": "cast"}
_LIKE |= {"HardShrink": "hard_shrink", "Threshold": "threshold"}

OPERATIONS = {
    **{name: _pointwise(_LIKE.get(name, name)) for name in (*ELEMENTWISE_OPERATIONS, "ReLU", "Rsqrt", "Cast")},
    "Add": _add,
    **{"Max": _reduce("max"), "Min": _reduce("min"), "Mean": _reduce("mean"), "Sum": _reduce("sum")},
    **{"Std": spread, "Var": spread},
    **{"Amax": _reduce("max"), "Amin": _reduce("min"), "Prod": _reduce("product"), "Logsumexp": _reduce("logsumexp")},
    **{"Softmax": _along("softmax"), "LogSoftmax": _along("log_softmax"), "Resize": _resize},
    **{"Split": _split, "Unstack": _unstack, "Stack": _stack, "Concatenate": _concatenate},
    **{"Reshape": _reshape, "ExpandDims": _reshape, "Squeeze": _reshape, "Transpose": _transpose},
    **{"Pad": _pad, "GetItem": _getitem, "Take": _take, "Flip": _flip, "Matmul": _matmul},
    **{"Einsum": _einsum, "DotProductAttention": _attention, "Normalize": _normalize},
    **{"Repeat": _repeat, "Swapaxes": _swapaxes},
    **{"MaxPool": _pool("max"), "AveragePool": _pool("mean")},
    **{"Conv": _convolution(False), "DepthwiseConv": _convolution(True)},
}
