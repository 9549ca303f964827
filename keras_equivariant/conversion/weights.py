"""The weights of the original as a starting point of its twin.

The twin keeps so many channels of the original as it has fields, those with the largest kernels, and each orientation
of a field takes its numbers from the same orientation of other fields. So on every orientation the twin computes what
the original, cut down to these channels, computes for the image in that orientation. With as many fields as channels
nothing is cut off, and with one orientation the twin is the original.
"""

import math

import keras
import numpy as np

from keras_equivariant.conversion.kinds import FLAT
from keras_equivariant.conversion.selection import Selection
from keras_equivariant.graphs.weights import finalize
from keras_equivariant.layers.core.rotated_conv import RotatedConv
from keras_equivariant.layers.regular.group_depthwise_conv import GroupDepthwiseConv2D
from keras_equivariant.stock.inference import named_weights
from keras_equivariant.stock.traits import traits
from keras_equivariant.transfer.stock_kernels import set_field_kernel


def project(walk, widths):
    """Sets the weights of a twin from those of the original.

    Args:
        walk: the Converter that made it.
        widths: its Widths.

    Returns:
        A dict from the names of layers with a kernel to the share of its norm that is lost.
    """
    selection, lost, done = Selection(walk.plan, widths), {}, set()
    for call in walk.plan.calls:
        made = walk.made.get(call.operation)
        if made and call.operation not in done and getattr(call.operation, "weights", None):
            done.add(call.operation)
            if call.operation in walk.plan.free:
                made[""].set_weights(call.operation.get_weights())
                continue
            share = _one(walk, call, made, selection)
            if share is not None:
                lost[call.operation.name] = share
    return lost


def _one(walk, call, made, selection):
    """The share of the kernel that is lost; None for a layer without one."""
    layer, kind = call.operation, traits(call.operation).kind if traits(call.operation) else None
    before, after = selection[call.inputs[0]], selection[call.outputs[0]]
    if isinstance(layer, keras.layers.MultiHeadAttention):
        return _attention(layer, made[""], before, after)
    if kind not in ("convolution", "dense"):
        return _by_channel(layer, made.get(""), after)
    weights = {name: _array(weight) for name, weight in named_weights(layer).items()}
    if type(made.get("")) is type(layer) and hasattr(layer, "depth_multiplier"):
        return _stock_depthwise(layer, made[""], weights, before, after)
    if "pointwise_kernel" in weights:
        fields = (before[:, None] * layer.depth_multiplier + np.arange(layer.depth_multiplier)).ravel()
        _fill(made["depthwise"], weights["depthwise_kernel"][..., before, :], None)
        kernel, channels = weights["pointwise_kernel"], fields
    else:
        kernel, channels = weights["kernel"], before
    bias = weights["bias"][after] if "bias" in weights else None
    new = made[""]
    if isinstance(new, GroupDepthwiseConv2D):
        kernel = kernel.reshape(*kernel.shape[:-2], call.inputs[0].shape[-1], -1)
        return _fill(new, kernel[..., before, :], bias)
    if walk.plan[call.inputs[0]].kind == FLAT:
        space = walk.space(_flattened(walk, call))
        kernel = kernel.reshape(*space, -1, kernel.shape[-1])
    elif kind == "dense" and isinstance(new, RotatedConv):
        kernel = kernel.reshape(*(1,) * walk.rank, *kernel.shape)
    groups = getattr(layer, "groups", 1)
    kernel = _without_groups(kernel, groups) if groups > 1 and not _is_stock_grouped(new, layer) else kernel
    if _is_stock_grouped(new, layer):
        new.set_weights(layer.get_weights())
        return 0.0
    axes = (-1, -2) if traits(layer).transposed else (-2, -1)
    kept = np.take(np.take(kernel, channels, axis=axes[0]), after, axis=axes[1])
    kept = kept * (kernel.shape[axes[0]] / len(channels))
    _fill(new, kept, bias)
    return _share_lost(kernel, channels, after, axes)


def _stock_depthwise(layer, new, weights, before, after):
    """A depthwise or separable convolution of images, on the channels that are kept."""
    for name in ("kernel", "depthwise_kernel"):
        if name in weights:
            weights[name] = weights[name][..., before, :]
    if "bias" in weights:
        weights["bias"] = weights["bias"][after]
    lost, pointwise = 0.0, weights.get("pointwise_kernel")
    if pointwise is not None:
        fields = (before[:, None] * layer.depth_multiplier + np.arange(layer.depth_multiplier)).ravel()
        weights["pointwise_kernel"] = pointwise[..., fields, :][..., after] * (pointwise.shape[-2] / len(fields))
        lost = _share_lost(pointwise, fields, after, (-2, -1))
    new.set_weights(list(weights.values()))
    return lost


def _attention(layer, new, before, after):
    """The projections to the heads and back, of the channels that are kept."""
    parts = layer._flatten_layers(include_self=False, recursive=False)
    values = {(part.name, name): _array(weight) for part in parts for name, weight in named_weights(part).items()}
    for weight in new.weights:
        place, name = weight.path.split("/")[-2:]
        value = values.get((place, name))
        if value is None:  # the state of a generator of random numbers
            continue
        if name == "kernel":
            into = place != "attention_output"
            value = value[before] * (len(value) / len(before)) if into else value[..., after]
        elif place == "attention_output":
            value = value[after]
        weight.assign(value)


def _share_lost(kernel, channels, after, axes):
    whole = np.linalg.norm(kernel)
    kept = np.take(np.take(kernel, np.unique(channels), axis=axes[0]), np.unique(after), axis=axes[1])
    return float(np.sqrt(max(0.0, 1 - (np.linalg.norm(kept) / max(whole, 1e-30)) ** 2)))


def _flattened(walk, call):
    """The map that a dense layer sees as a whole."""
    source = {id(tensor): one for one in walk.plan.calls for tensor in one.outputs}
    tensor = call.inputs[0]
    while walk.plan[tensor].kind == FLAT:
        tensor = source[id(tensor)].inputs[0]
    return tensor


def _array(weight):
    return keras.ops.convert_to_numpy(weight).astype("float64")


def _by_channel(layer, new, after):
    """Weights with a number for each channel, the last axis."""
    if isinstance(new, keras.layers.Layer) and new.weights and not isinstance(layer, keras.layers.Normalization):
        pairs = zip(layer.weights, new.weights, strict=True)
        values = [_array(old) for old, _ in pairs]
        values = [value[..., after] if value.ndim and value.shape[-1] > 1 else value for value in values]
        shapes = [tuple(weight.shape) for weight in new.weights]
        new.set_weights([np.reshape(value, shape) for value, shape in zip(values, shapes, strict=True)])
        finalize(new)


def _is_stock_grouped(new, layer):
    return type(new) is type(layer) and getattr(layer, "groups", 1) > 1


def _without_groups(kernel, groups):
    """The kernel of the equal convolution without groups."""
    each_in, each_out = kernel.shape[-2], kernel.shape[-1] // groups
    full = np.zeros((*kernel.shape[:-2], each_in * groups, kernel.shape[-1]))
    for i in range(groups):
        out = slice(i * each_out, (i + 1) * each_out)
        full[..., i * each_in : (i + 1) * each_in, out] = kernel[..., out]
    return full


def _fill(new, kernel, bias):
    """Sets kernel and bias of a new layer from those on the channels that are kept; returns 0."""
    if isinstance(new, RotatedConv):
        kernel = _in_groups(kernel, new.groups)
    if hasattr(new, "kernel_size"):
        kernel = _resized(kernel, new.kernel_size)
    if isinstance(new, RotatedConv | GroupDepthwiseConv2D):
        set_field_kernel(new, kernel, bias)
        return 0.0
    new.weights[0].assign(kernel.reshape(new.weights[0].shape))
    if new.bias is not None and bias is not None:
        new.bias.assign(bias)
    return 0.0


def _in_groups(kernel, groups):
    """The blocks of a kernel that a convolution of so many groups has."""
    if groups == 1:
        return kernel
    each_in, each_out = kernel.shape[-2] // groups, kernel.shape[-1] // groups
    blocks = [kernel[..., i * each_in : (i + 1) * each_in, i * each_out : (i + 1) * each_out] for i in range(groups)]
    return np.concatenate(blocks, axis=-1)


def _resized(kernel, sizes):
    """A kernel on another window with the same middle: the mean of both places where it has two."""
    for axis, size in enumerate(sizes):
        have = kernel.shape[axis]
        if have == size:
            continue
        # Where it does not fit in the middle, half a pixel to each side.
        starts = {math.floor((size - have) / 2), math.ceil((size - have) / 2)}
        kernel = sum(_placed(kernel, axis, start, size) for start in starts) / len(starts)
    return kernel


def _placed(kernel, axis, start, size):
    """A kernel that begins at a pixel of a window of this size, cut off where it does not fit."""
    have = kernel.shape[axis]
    part = np.take(kernel, range(max(0, -start), min(have, size - start)), axis=axis)
    pads = [(0, 0)] * kernel.ndim
    pads[axis] = (max(0, start), size - part.shape[axis] - max(0, start))
    return np.pad(part, pads)
