"""Attention along several axes as attention along one, which all converters can read.

Keras multiplies queries and keys of (B, H, W, G, C) along H and W in an einsum with seven axes: TFLite has no Transpose
of so many, OpenVINO computes another number, and tf2onnx takes minutes.
"""

import math

from keras import layers


def flattened(emitter, layer, query, value, key=None, *masks, **options):
    """The layer on its pixels in one row, or None where there is one already or where sizes or masks forbid it."""
    axes = [axis % len(query.shape) for axis in layer.get_config()["attention_axes"]]
    tensors = [query, value] if key is None else [query, value, key]
    asked = any(one is not None and one is not False for one in (*masks, *options.values()))
    if len(axes) == 1 or asked or any(None in x.shape[1:] for x in tensors):
        return None
    last = len(query.shape) - 1
    others = [axis for axis in range(1, last) if axis not in axes]
    order = (*others, *axes, last)

    def flat(x, role):
        if order != tuple(range(1, last + 1)):
            x = emitter.make(layers.Permute, f"{layer.name}_{role}_permuted", order)(x)
        length = math.prod(x.shape[1 + len(others) : -1])
        shape = (*x.shape[1 : 1 + len(others)], length, x.shape[-1])
        return emitter.make(layers.Reshape, f"{layer.name}_{role}_flat", shape)(x)

    found = {}
    for x, role in zip(tensors, ("query", "value", "key"), strict=False):
        found.setdefault(id(x), flat(x, role))
    rows = [found[id(x)] for x in tensors]
    y = emitter.changed(layer, {"attention_axes": (1 + len(others),)}, *rows)
    shape = (*(query.shape[axis] for axis in order[:-1]), y.shape[-1])
    y = emitter.make(layers.Reshape, f"{layer.name}_map", shape)(y)
    if order == tuple(range(1, last + 1)):
        return y
    back = [1 + order.index(axis) for axis in range(1, last + 1)]
    return emitter.make(layers.Permute, f"{layer.name}_map_permuted", back)(y)


ATTENTION = {layers.MultiHeadAttention: flattened}
