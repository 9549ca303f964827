"""What becomes of a call of one of Keras's own layers: its Planned, from those of its inputs."""

import math

import keras
import numpy as np

from keras_equivariant.conversion.channels import is_depthwise, is_transposed
from keras_equivariant.conversion.kinds import FLAT, IMAGE, INVARIANT, REGULAR, Planned
from keras_equivariant.conversion.problems import ATTENTION, NoCounterpart
from keras_equivariant.conversion.reshaping import plan_reshape
from keras_equivariant.stock.traits import traits


def plan_layer(plan, call, inputs):
    """The Planned of what a layer of Keras that has a row in the table of traits makes, or NoCounterpart."""
    return _LAYERS[traits(call.operation).kind](plan, call, inputs)


def _passed(plan, call, inputs):
    """The channels stay as many."""
    if traits(call.operation).of_images and inputs[0].kind == REGULAR:
        raise NoCounterpart("takes images, and features have a group axis", "use it before the first convolution")
    return inputs[0]


def _convolution(plan, call, inputs):
    layer, (given,) = call.operation, inputs
    if given.kind == FLAT or traits(layer).rank != plan.rank:
        raise NoCounterpart(f"works on {traits(layer).rank} axes of space", f"use a layer for {plan.rank}")
    kind = REGULAR if given.kind == REGULAR or max(layer.kernel_size) > 1 else IMAGE
    if is_transposed(layer):
        kind = REGULAR
    size_in, size_out = call.inputs[0].shape[-1], call.outputs[0].shape[-1]
    if is_depthwise(layer, size_in):
        if size_in == size_out and not given.channels.root.fixed:
            return Planned(kind, given.channels)
        return Planned(kind, plan.new(size_out, parts=[given.channels] * (size_out // size_in)))
    groups = getattr(layer, "groups", 1)
    given.channels.root.divisor = math.lcm(given.channels.root.divisor, groups)
    found = _produced(plan, call, kind, size_out)
    found.channels.root.divisor = math.lcm(found.channels.root.divisor, groups)
    return found


def _produced(plan, call, kind, size):
    if call.operation in plan.predictions:
        return Planned(IMAGE if kind == REGULAR else kind, plan.new(size, fixed=True))
    return Planned(kind, plan.new(size))


def _dense(plan, call, inputs):
    (given,) = inputs
    if given.kind in (IMAGE, REGULAR) and not plan.is_map(call.inputs[0]):
        raise NoCounterpart("acts on other axes than the channels of images or vectors", "pool to (B, C) before it")
    kind = INVARIANT if given.kind == FLAT else given.kind
    found = _produced(plan, call, kind, call.operation.units)
    if given.kind == FLAT:
        found.channels.root.regular = True
    return found


def _normalization(plan, call, inputs):
    layer, shape = call.operation, call.inputs[0].shape
    axis = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
    axes = {a % len(shape) for a in axis if a is not None}
    data = isinstance(layer, keras.layers.Normalization)  # its numbers are those of the data
    if axes - {len(shape) - 1} or (inputs[0].kind == FLAT):
        raise NoCounterpart(
            f"treats positions differently. Received: axis={layer.axis}",
            "use axis=-1, or keras.layers.GroupNormalization(groups=1) for statistics over all of the map",
        )
    if data and axes and not inputs[0].channels.root.fixed:
        raise NoCounterpart("has numbers of its own for each channel", "use it on the input")
    return inputs[0]


def _scale(plan, call, inputs):
    layer = call.operation
    if (np.ndim(layer.scale) or np.ndim(layer.offset)) and not inputs[0].channels.root.fixed:
        raise NoCounterpart("scales each channel by a number of its own", "use it on the input")
    return inputs[0]


def _slopes(plan, call, inputs):
    shared = {axis % len(call.inputs[0].shape) for axis in call.operation.shared_axes or ()}
    if inputs[0].kind != INVARIANT and set(range(1, plan.rank + 1)) - shared:
        raise NoCounterpart("has its own slope at every position", f"use shared_axes={list(range(1, plan.rank + 1))}")
    return inputs[0]


def plan_softmax(plan, call, inputs):
    """A softmax over the channels of each pixel."""
    if call.operation.axis not in (-1, len(call.inputs[0].shape) - 1):
        raise NoCounterpart(f"sums over axis={call.operation.axis}", "use axis=-1")
    return inputs[0]


def plan_merge(plan, call, inputs):
    """Features of one kind, pixel by pixel: sums, products, maxima."""
    kinds = {one.kind for one in inputs}
    if FLAT in kinds and len(kinds) > 1:
        raise NoCounterpart("joins a flattened map with other features", "pool to (B, C) before it")
    kind = next(kind for kind in (FLAT, REGULAR, IMAGE, INVARIANT) if kind in kinds)
    size = max(x.shape[-1] for x in call.inputs)
    wide = [one for x, one in zip(call.inputs, inputs, strict=True) if x.shape[-1] == size]
    if kind == REGULAR:
        wide[0].channels.root.regular = True
    for other in wide[1:]:
        wide[0].channels.join(other.channels)
    return Planned(kind, wide[0].channels)


def plan_join(plan, call, inputs):
    """Channels side by side."""
    axis, last = call.operation.axis, len(call.outputs[0].shape) - 1
    kinds = {one.kind for one in inputs}
    if axis not in (-1, last) or FLAT in kinds:
        raise NoCounterpart(f"joins along axis={axis}", "join channels, axis=-1")
    if all(one.channels.root.fixed for one in inputs):
        kind = next(kind for kind in (REGULAR, IMAGE, INVARIANT) if kind in kinds)
        return Planned(kind, plan.new(call.outputs[0].shape[-1], fixed=True))
    kind = next(kind for kind in (REGULAR, IMAGE, INVARIANT) if kind in kinds)
    return Planned(kind, plan.new(call.outputs[0].shape[-1], parts=[one.channels for one in inputs]))


def plan_attention(plan, call, inputs):
    """Attention between the pixels of a map, in each orientation by itself."""
    axes = call.operation.get_config()["attention_axes"] or range(1, plan.rank + 1)
    if not plan.is_map(call.inputs[0]) or FLAT in {one.kind for one in inputs}:
        raise NoCounterpart("attends over a sequence", ATTENTION)
    if {axis % (plan.rank + 2) for axis in axes} != set(range(1, plan.rank + 1)):
        raise NoCounterpart(f"attends along attention_axes={tuple(axes)}, which a rotation swaps", ATTENTION)
    kind = REGULAR if REGULAR in {one.kind for one in inputs} else IMAGE
    if call.outputs[0].shape[-1] != call.inputs[0].shape[-1]:
        return Planned(kind, plan.new(call.outputs[0].shape[-1]))
    return Planned(kind, inputs[0].channels)


def _global(plan, call, inputs):
    if inputs[0].kind not in (IMAGE, REGULAR):
        raise NoCounterpart("pools over axes that are no space", "pool the map before it is flattened")
    return Planned(IMAGE if call.operation.keepdims else INVARIANT, inputs[0].channels)


def plan_flat(plan, call, inputs):
    """Features of another shape."""
    before, after = call.inputs[0].shape[1:], call.outputs[0].shape[1:]
    alone = set(before[:-1]) <= {1} and set(after[:-1]) <= {1} and before[-1:] == after[-1:]
    if tuple(before) == tuple(after):
        return inputs[0]
    if alone and len(after) in (1, plan.rank + 1):
        return Planned(INVARIANT if len(after) == 1 else IMAGE, inputs[0].channels)
    if len(after) == 1 and plan.is_map(call.inputs[0]) and inputs[0].kind in (IMAGE, REGULAR):
        if None in before:
            raise NoCounterpart("flattens a map of unknown size", "use GlobalAveragePooling")
        return Planned(FLAT, inputs[0].channels)
    found = plan_reshape(plan, call, inputs[0])
    if found is not None:
        return found
    made = f"makes (B, {', '.join(map(str, after))}) of (B, {', '.join(map(str, before))})"
    raise NoCounterpart(
        f"{made}, which mixes positions and channels",
        f"use GlobalAveragePooling, UpSampling or transposed convolutions. For attention between pixels, {ATTENTION}",
    )


_PASSED = ("identity", "function", "upsampling", "resizing", "border", "pooling", "adaptive", "unit", "gain")
_LAYERS = {
    **dict.fromkeys(_PASSED, _passed),
    "convolution": _convolution,
    "dense": _dense,
    "normalization": _normalization,
    "scale": _scale,
    "slopes": _slopes,
    "softmax": plan_softmax,
    "merge": plan_merge,
    "join": plan_join,
    "global": _global,
    "flatten": plan_flat,
    "reshape": plan_flat,
}
