"""Multiply-adds of layers of sequences: kernels used in every step, and products of tensors with each other."""

import math

import keras


def multiply_adds(call):
    """Of a call of such a layer; None of any other."""
    layer = call.operation
    if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
        return _recurrent(layer, call)
    rule = next((RULES[cls] for cls in type(layer).__mro__ if cls in RULES), None)
    return None if rule is None else rule(layer, call)


def _recurrent(layer, call):
    """Every number of a kernel is used at every position of every step."""
    positions, steps = math.prod(call.outputs[0].shape[:-1]), call.inputs[0].shape[1]
    kernels = sum(math.prod(w.shape) for w in layer.weights if w.name.endswith("kernel"))
    return kernels * positions * (1 if layer.return_sequences else steps)


def _of_arguments(call, names):
    """The shapes of what a layer is called with, by name; key is value where it is left out."""
    given = dict(zip(names, call.args, strict=False)) | {n: x for n, x in call.kwargs.items() if n in names}
    shapes = {name: tuple(x.shape) for name, x in given.items() if hasattr(x, "shape")}
    return shapes["query"], shapes["value"], shapes.get("key", shapes["value"])


def _heads(layer, call):
    config = layer.get_config()
    if "num_query_heads" in config:  # of which several share keys and values
        sizes = 2 * config["num_query_heads"] * config["head_dim"]
    else:
        sizes = config["num_heads"] * (config["key_dim"] + (config["value_dim"] or config["key_dim"]))
    query, value, key = _of_arguments(call, ("query", "value", "key"))
    axes = config.get("attention_axes") or range(1, len(query) - 1)
    kernels = {w.path.split("/")[-2]: math.prod(w.shape) for w in layer.weights if w.name == "kernel"}
    positions = {"key": math.prod(key[:-1]), "value": math.prod(value[:-1])}
    dense = sum(size * positions.get(part, math.prod(query[:-1])) for part, size in kernels.items())
    return dense + math.prod(query[:-1]) * math.prod(value[axis] for axis in axes) * sizes


def _attention(layer, call):
    shapes = [tuple(x.shape) for x in keras.tree.flatten(call.args[0])]
    query, value, key = (*shapes, shapes[1])[:3]
    scored = key[-1] if layer.weights or not isinstance(layer, keras.layers.AdditiveAttention) else 0
    return math.prod(query[:-1]) * value[-2] * (scored + value[-1])


def _dot(layer, call):
    (first, *_), axes = call.inputs, layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return math.prod(call.outputs[0].shape) * first.shape[axis]


RULES = {
    keras.layers.MultiHeadAttention: _heads,
    keras.layers.GroupQueryAttention: _heads,
    keras.layers.Attention: _attention,  # and of AdditiveAttention, whose scores are sums times a scale
    keras.layers.Dot: _dot,
}
