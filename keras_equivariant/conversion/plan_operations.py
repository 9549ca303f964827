"""What becomes of a call of an operation of keras.ops: its Planned, from those of its inputs."""

import keras
import numpy as np

from keras_equivariant.conversion.kinds import FLAT, IMAGE, INVARIANT, Planned
from keras_equivariant.conversion.plan_layers import plan_flat, plan_join, plan_merge, plan_softmax
from keras_equivariant.conversion.problems import NoCounterpart, unknown
from keras_equivariant.conversion.reshaping import RESHAPES, is_reshape, plan_reshape
from keras_equivariant.stock.operations import REDUCED, padding_of, slices_of
from keras_equivariant.stock.traits import ELEMENTWISE_OPERATIONS

REDUCTIONS = {**dict.fromkeys(REDUCED, "mean"), "Max": "max"}  # by their names, how the group axis is pooled before


def plan_operation(plan, call, inputs):
    """The Planned of what an operation makes, or a layer that is one at heart such as Permute; else NoCounterpart."""
    operation = call.operation
    name = type(operation).__name__
    if isinstance(operation, keras.layers.Layer) and not is_reshape(operation):
        raise unknown(operation)
    if name in REDUCTIONS and plan.is_map(call.inputs[0]):
        return _reduced(plan, call, *inputs)
    if name == "Concatenate":
        return plan_join(plan, call, inputs)
    if name == "Pad" and _around_space(plan, call):
        return inputs[0]
    if name == "Split":
        return _split(plan, call, *inputs)
    if name in ("Softmax", "LogSoftmax"):
        return plan_softmax(plan, call, inputs)
    if name in RESHAPES or only_adds_axes(call):
        return plan_flat(plan, call, inputs)
    if is_reshape(operation):
        return _permute(plan, call, inputs)
    if name == "GetItem":
        return _taken(plan, call, *inputs)
    if name in ("Cast", "Identity", "StopGradient") or (name == "Resize" and plan.is_map(call.inputs[0])):
        return inputs[0]
    if name not in ELEMENTWISE_OPERATIONS:
        raise unknown(operation)
    constants = [value for value in keras.tree.flatten((call.args, call.kwargs)) if np.ndim(value) > 0]
    wide = [value for value in constants if not isinstance(value, keras.KerasTensor) and np.size(value) > 1]
    if wide and not inputs[0].channels.root.fixed:
        raise NoCounterpart("has a number of its own for each channel or position", "use a layer with weights")
    return plan_merge(plan, call, inputs)


def _permute(plan, call, inputs):
    found = plan_reshape(plan, call, inputs[0])
    if found is None:
        raise NoCounterpart("moves axes of space", "convert the network without it, and transpose what that gives")
    return found


def _around_space(plan, call):
    """Whether keras.ops.pad puts pixels around space."""
    shape = call.inputs[0].shape
    widths, _ = padding_of(call.operation, len(shape), (call.args, call.kwargs))
    return plan.is_map(call.inputs[0]) and not any(widths[0]) and not any(widths[-1])


def _split(plan, call, given):
    """Channels side by side, each of which has its own number; what was split is their sum."""
    axis, last = call.operation.axis, len(call.inputs[0].shape) - 1
    if axis not in (-1, last) or given.kind == FLAT:
        raise NoCounterpart(f"splits axis={axis}", "split channels, axis=-1")
    root = given.channels.root
    parts = [plan.new(tensor.shape[-1], fixed=root.fixed) for tensor in call.outputs]
    if not root.fixed:
        root.sums.append(tuple(parts))
    return [Planned(given.kind, part) for part in parts]


def _taken(plan, call, given):
    """A range of channels, which has a number of its own, and perhaps of pixels."""
    shape, key = call.inputs[0].shape, call.args[1]
    row = slices_of(key, len(shape))
    ranges = row and [slice(*r.indices(n)) if n else r for r, n in zip(row, shape, strict=True)]
    whole = row is not None and all((r.step or 1) == 1 for r in ranges)
    whole = whole and all(r == slice(None) for r, n in zip(row, shape, strict=True) if n is None)
    if not whole or given.kind == FLAT:
        raise NoCounterpart(f"takes {key!r} of {tuple(shape)}", "take ranges of channels and pixels of known size")
    start, stop = ranges[-1].start, ranges[-1].stop
    root, sizes = given.channels.root, (start, stop - start, shape[-1] - stop)
    if sizes[1] == shape[-1]:
        return given
    before, part, behind = (plan.new(n, fixed=root.fixed) if n else None for n in sizes)
    if not root.fixed:
        root.sums.append(tuple(one for one in (before, part, behind) if one))
    plan.before[id(call.outputs[0])] = before
    return Planned(given.kind, part)


def _reduced(plan, call, given):
    """One number of all places, of all channels at each place, or of both."""
    keepdims, axes, last = call.operation.keepdims, _axes(call), plan.rank + 1
    space = set(range(1, last))
    channels = plan.new(1, fixed=True) if last in axes else given.channels
    if space <= axes <= space | {last}:
        return Planned(IMAGE if keepdims else INVARIANT, channels)
    if axes == {last} and keepdims:
        return Planned(given.kind, channels)
    raise NoCounterpart(
        f"takes the axes {sorted(axes)} together, keepdims={keepdims}",
        f"take all of space at once, axis={tuple(range(1, last))}, the channels alone with axis=-1, keepdims=True, or "
        f"both, axis={tuple(range(1, last + 1))}",
    )


def _axes(call):
    """The axes that an operation of `REDUCED` takes together."""
    axis, rank = call.operation.axis, len(call.inputs[0].shape)
    if axis is None:
        return set(range(rank))
    return {a % rank for a in (axis if isinstance(axis, list | tuple) else [axis])}


def only_adds_axes(call):
    """Whether a call is `x[:, None, None]`, all of a tensor with further axes."""
    if type(call.operation).__name__ != "GetItem" or not isinstance(call.args[1], tuple | list):
        return False
    return None in call.args[1] and all(k is None or k is Ellipsis or k == slice(None) for k in call.args[1])


def over_channels(call):
    """Whether a call is a number of the channels at each place, such as their mean, `keepdims=True`."""
    if type(call.operation).__name__ not in REDUCTIONS or not call.operation.keepdims:
        return False
    return _axes(call) == {len(call.inputs[0].shape) - 1}
