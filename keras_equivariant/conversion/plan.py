"""What each call of a network will be in its twin: which tensors get a group axis, and how many channels they have."""

import dataclasses
import math

import keras
import numpy as np

from keras_equivariant.conversion.channels import Channels, is_depthwise, is_transposed
from keras_equivariant.conversion.kinds import FLAT, HEAD, IMAGE, INVARIANT, REGULAR, SPLIT, Planned
from keras_equivariant.conversion.predictions import predictions
from keras_equivariant.conversion.problems import ATTENTION, RULE, NoCounterpart, describe, unknown
from keras_equivariant.conversion.reshaping import RESHAPES, is_reshape, plan_other, plan_reshape
from keras_equivariant.graphs.calls import calls
from keras_equivariant.stock.operations import padding_of, slices_of
from keras_equivariant.stock.traits import ELEMENTWISE_OPERATIONS, traits

REDUCTIONS = {"Mean": "average", "Max": "max"}


class _Shared(NoCounterpart):
    """A layer that is called on what moves and on what does not."""


class Plan:
    """What becomes of all calls of a functional model.

    Args:
        graph: a functional model without models inside.
        rank: number of axes of space.
        replacements: classes of layers that the user replaces.

    Attributes:
        calls: its calls.
        predictions: ids of the operations that make the predictions.
        free: operations that stay as they are, for no group moves what they take.
        heads: ids of the outputs of calls that stay as they are, for they act on each prediction of each pixel.
        before: dict from ids of tensors that are a range of channels to the Channels in front of it, or None.
        problems: dict from operations to why they have no counterpart.
        normalized: dict from layers inside a SpectralNormalization to that.
    """

    def __init__(self, graph, rank, replacements=()):
        self.rank = rank
        self._replaced, self.normalized = tuple(replacements), {}
        self.calls = [self._unwrapped(call) for call in calls(graph)]
        self._planned, self.channels = {}, []
        self.problems, self.free, self.before, self._still = {}, set(), {}, {}
        self.heads = set()
        self.predictions = predictions(graph, self.calls, rank)
        if not any(map(self.is_map, graph.inputs)):
            raise _without_maps(graph.inputs[0], rank)
        for tensor in graph.inputs:
            kind = IMAGE if self.is_map(tensor) else INVARIANT
            self._planned[id(tensor)] = Planned(kind, self._new(tensor.shape[-1], fixed=True))
        for call in self.calls:
            self._add(call)

    def _unwrapped(self, call):
        """The call of the layer inside a SpectralNormalization."""
        wrapper = call.operation
        if not isinstance(wrapper, keras.layers.SpectralNormalization) or isinstance(wrapper, self._replaced):
            return call
        self.normalized[wrapper.layer] = wrapper
        return dataclasses.replace(call, operation=wrapper.layer)

    def __getitem__(self, tensor):
        return self._planned[id(tensor)]

    def is_map(self, tensor):
        """Whether a tensor has axes of space."""
        return len(tensor.shape) == self.rank + 2

    def _new(self, size, **flags):
        self.channels.append(Channels(size, **flags))
        return self.channels[-1]

    def fixed(self, tensor):
        """Channels that stay as many as a tensor has."""
        return self._new(tensor.shape[-1] if len(tensor.shape) > 1 else 1, fixed=True)

    def _add(self, call):
        operation, inputs = call.operation, [self[x] for x in call.inputs]
        row = traits(operation)
        still = bool(inputs) and all(one.kind == INVARIANT for one in inputs)
        try:
            self._check_shared(operation, still, any(one.kind == HEAD for one in inputs))
            if still and row is not None and row.rank:
                self._add_free(call, inputs)
                return
            if isinstance(operation, self._replaced):
                found = self._passed(call, inputs)
            elif any(one.kind in (HEAD, SPLIT) for one in inputs):
                found = plan_other(self, call, inputs)
            elif getattr(operation, "data_format", None) == "channels_first":
                raise NoCounterpart('has data_format="channels_first"', 'build the model with "channels_last"')
            elif isinstance(operation, keras.layers.MultiHeadAttention):
                found = self._attention(call, inputs)
            elif row is None:
                found = self._operation(call, inputs)
            else:
                found = _PLANS[row.kind](self, call, inputs)
        except NoCounterpart as error:
            if still and not isinstance(error, _Shared):
                self._add_free(call, inputs)
                return
            self.problems.setdefault(operation, error)
            kind = inputs[0].kind if inputs else IMAGE
            found = Planned(HEAD if kind == SPLIT else kind, self._new(call.outputs[0].shape[-1] or 1))
        found = found if isinstance(found, list) else [found] * len(call.outputs)
        for tensor, one in zip(call.outputs, found, strict=True):
            if one.kind == REGULAR:
                one.channels.root.regular = True
            self._planned[id(tensor)] = one

    def _check_shared(self, operation, still, head):
        """NoCounterpart for a layer on features of two kinds, which would have to become two layers."""
        before = self._still.setdefault(operation, (still, head))
        changed = operation in self.free or getattr(traits(operation), "rank", None)
        if (before[0] != still and changed) or (before[1] != head and getattr(operation, "weights", ())):
            raise _Shared(
                "is shared by features that the group moves and some that it does not", "use a layer for each"
            )

    def _add_free(self, call, inputs):
        """Of what no group moves any function will do, on as many channels as it was made for."""
        self.free.add(call.operation)
        for one in inputs:
            one.channels.fix()
        for tensor in call.outputs:
            self._planned[id(tensor)] = Planned(INVARIANT, self.fixed(tensor))

    def _passed(self, call, inputs):
        """The channels stay as many."""
        return inputs[0]

    def _convolution(self, call, inputs):
        layer, (given,) = call.operation, inputs
        if given.kind == FLAT or traits(layer).rank != self.rank:
            raise NoCounterpart(f"works on {traits(layer).rank} axes of space", f"use a layer for {self.rank}")
        kind = REGULAR if given.kind == REGULAR or max(layer.kernel_size) > 1 else IMAGE
        if is_transposed(layer):
            kind = REGULAR
        size_in, size_out = call.inputs[0].shape[-1], call.outputs[0].shape[-1]
        if is_depthwise(layer, size_in):
            if size_in == size_out and not given.channels.root.fixed:
                return Planned(kind, given.channels)
            return Planned(kind, self._new(size_out, parts=[given.channels] * (size_out // size_in)))
        groups = getattr(layer, "groups", 1)
        given.channels.root.divisor = math.lcm(given.channels.root.divisor, groups)
        found = self._produced(call, kind, size_out)
        found.channels.root.divisor = math.lcm(found.channels.root.divisor, groups)
        return found

    def _produced(self, call, kind, size):
        if call.operation in self.predictions:
            return Planned(IMAGE if kind == REGULAR else kind, self._new(size, fixed=True))
        return Planned(kind, self._new(size))

    def _dense(self, call, inputs):
        (given,) = inputs
        if given.kind in (IMAGE, REGULAR) and not self.is_map(call.inputs[0]):
            raise NoCounterpart("acts on other axes than the channels of images or vectors", "pool to (B, C) before it")
        kind = INVARIANT if given.kind == FLAT else given.kind
        found = self._produced(call, kind, call.operation.units)
        if given.kind == FLAT:
            found.channels.root.regular = True
        return found

    def _normalization(self, call, inputs):
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

    def _scale(self, call, inputs):
        layer = call.operation
        if (np.ndim(layer.scale) or np.ndim(layer.offset)) and not inputs[0].channels.root.fixed:
            raise NoCounterpart("scales each channel by a number of its own", "use it on the input")
        return inputs[0]

    def _slopes(self, call, inputs):
        shared = {axis % len(call.inputs[0].shape) for axis in call.operation.shared_axes or ()}
        if inputs[0].kind != INVARIANT and set(range(1, self.rank + 1)) - shared:
            raise NoCounterpart(
                "has its own slope at every position", f"use shared_axes={list(range(1, self.rank + 1))}"
            )
        return inputs[0]

    def _softmax(self, call, inputs):
        if call.operation.axis not in (-1, len(call.inputs[0].shape) - 1):
            raise NoCounterpart(f"sums over axis={call.operation.axis}", "use axis=-1")
        return inputs[0]

    def _merge(self, call, inputs):
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

    def _join(self, call, inputs):
        axis, last = call.operation.axis, len(call.outputs[0].shape) - 1
        kinds = {one.kind for one in inputs}
        if axis not in (-1, last) or FLAT in kinds:
            raise NoCounterpart(f"joins along axis={axis}", "join channels, axis=-1")
        if all(one.channels.root.fixed for one in inputs):
            kind = next(kind for kind in (REGULAR, IMAGE, INVARIANT) if kind in kinds)
            return Planned(kind, self._new(call.outputs[0].shape[-1], fixed=True))
        kind = next(kind for kind in (REGULAR, IMAGE, INVARIANT) if kind in kinds)
        return Planned(kind, self._new(call.outputs[0].shape[-1], parts=[one.channels for one in inputs]))

    def _attention(self, call, inputs):
        """Attention between the pixels of a map, in each orientation by itself."""
        axes = call.operation.get_config()["attention_axes"] or range(1, self.rank + 1)
        if not self.is_map(call.inputs[0]) or FLAT in {one.kind for one in inputs}:
            raise NoCounterpart("attends over a sequence", ATTENTION)
        if {axis % (self.rank + 2) for axis in axes} != set(range(1, self.rank + 1)):
            raise NoCounterpart(f"attends along attention_axes={tuple(axes)}, which a rotation swaps", ATTENTION)
        kind = REGULAR if REGULAR in {one.kind for one in inputs} else IMAGE
        if call.outputs[0].shape[-1] != call.inputs[0].shape[-1]:
            return Planned(kind, self._new(call.outputs[0].shape[-1]))
        return Planned(kind, inputs[0].channels)

    def _global(self, call, inputs):
        if inputs[0].kind not in (IMAGE, REGULAR):
            raise NoCounterpart("pools over axes that are no space", "pool the map before it is flattened")
        return Planned(IMAGE if call.operation.keepdims else INVARIANT, inputs[0].channels)

    def _reshape(self, call, inputs):
        before, after = call.inputs[0].shape[1:], call.outputs[0].shape[1:]
        alone = set(before[:-1]) <= {1} and set(after[:-1]) <= {1} and before[-1] == after[-1]
        if tuple(before) == tuple(after):
            return inputs[0]
        if alone and len(after) in (1, self.rank + 1):
            return Planned(INVARIANT if len(after) == 1 else IMAGE, inputs[0].channels)
        if len(after) == 1 and self.is_map(call.inputs[0]) and inputs[0].kind in (IMAGE, REGULAR):
            if None in before:
                raise NoCounterpart("flattens a map of unknown size", "use GlobalAveragePooling")
            return Planned(FLAT, inputs[0].channels)
        found = plan_reshape(self, call, inputs[0])
        if found is not None:
            return found
        made = f"makes (B, {', '.join(map(str, after))}) of (B, {', '.join(map(str, before))})"
        raise NoCounterpart(
            f"{made}, which mixes positions and channels",
            "use GlobalAveragePooling, UpSampling or transposed convolutions. For attention between pixels, "
            f"{ATTENTION}",
        )

    def _permute(self, call, inputs):
        found = plan_reshape(self, call, inputs[0])
        if found is None:
            raise NoCounterpart("moves axes of space", "convert the network without it, and transpose what that gives")
        return found

    def _operation(self, call, inputs):
        operation = call.operation
        name = type(operation).__name__
        if isinstance(operation, keras.layers.Layer) and not is_reshape(operation):
            raise unknown(operation)
        if name in REDUCTIONS and self._over_space(operation, call.inputs[0]):
            return Planned(IMAGE if operation.keepdims else INVARIANT, inputs[0].channels)
        if over_channels(call):
            return Planned(inputs[0].kind, self._new(1, fixed=True))
        if name == "Concatenate":
            return self._join(call, inputs)
        if name == "Pad" and self._around_space(call):
            return inputs[0]
        if name == "Split":
            return self._split(call, *inputs)
        if name in ("Softmax", "LogSoftmax"):
            return self._softmax(call, inputs)
        if name in RESHAPES or only_adds_axes(call):
            return self._reshape(call, inputs)
        if is_reshape(operation):
            return self._permute(call, inputs)
        if name == "GetItem":
            return self._taken(call, *inputs)
        if name in ("Cast", "Identity", "StopGradient") or (name == "Resize" and self.is_map(call.inputs[0])):
            return inputs[0]
        if name not in ELEMENTWISE_OPERATIONS:
            raise unknown(operation)
        constants = [value for value in keras.tree.flatten((call.args, call.kwargs)) if np.ndim(value) > 0]
        wide = [value for value in constants if not isinstance(value, keras.KerasTensor) and np.size(value) > 1]
        if wide and not inputs[0].channels.root.fixed:
            raise NoCounterpart("has a number of its own for each channel or position", "use a layer with weights")
        return self._merge(call, inputs)

    def _around_space(self, call):
        """Whether keras.ops.pad puts pixels around space."""
        shape = call.inputs[0].shape
        widths, _ = padding_of(call.operation, len(shape), (call.args, call.kwargs))
        return self.is_map(call.inputs[0]) and not any(widths[0]) and not any(widths[-1])

    def _split(self, call, given):
        """Channels side by side, each of which has its own number; what was split is their sum."""
        axis, last = call.operation.axis, len(call.inputs[0].shape) - 1
        if axis not in (-1, last) or given.kind == FLAT:
            raise NoCounterpart(f"splits axis={axis}", "split channels, axis=-1")
        root = given.channels.root
        parts = [self._new(tensor.shape[-1], fixed=root.fixed) for tensor in call.outputs]
        if not root.fixed:
            root.sums.append(tuple(parts))
        return [Planned(given.kind, part) for part in parts]

    def _taken(self, call, given):
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
        before, part, behind = (self._new(n, fixed=root.fixed) if n else None for n in sizes)
        if not root.fixed:
            root.sums.append(tuple(one for one in (before, part, behind) if one))
        self.before[id(call.outputs[0])] = before
        return Planned(given.kind, part)

    def _over_space(self, operation, tensor):
        axis = operation.axis if isinstance(operation.axis, list | tuple) else [operation.axis]
        if None in axis or not self.is_map(tensor):
            return False
        return {a % len(tensor.shape) for a in axis} == set(range(1, self.rank + 1))


def _without_maps(tensor, rank):
    wanted = "images (B, H, W, C)" if rank == 2 else "volumes (B, D, H, W, C)"
    remedy = "name a group of the plane, such as D4"
    if rank == 2:
        remedy = "name a group of space, such as O, for volumes"
    if rank == 2 and len(tensor.shape) == 5:
        remedy += "; of frames convert what sees one of them, and call that in keras.layers.TimeDistributed"
    return ValueError(
        f"The inputs must be {wanted} for a group of {rank} axes, perhaps others beside them. "
        f"Received: an input of shape {tuple(tensor.shape)}; {remedy}"
    )


def only_adds_axes(call):
    """Whether a call is `x[:, None, None]`, all of a tensor with further axes."""
    if type(call.operation).__name__ != "GetItem" or not isinstance(call.args[1], tuple):
        return False
    return None in call.args[1] and all(k is None or k is Ellipsis or k == slice(None) for k in call.args[1])


def over_channels(call):
    """Whether a call is the mean, sum, maximum or minimum of the channels at each place, `keepdims=True`."""
    operation, shape = call.operation, call.inputs[0].shape if call.inputs else ()
    if type(operation).__name__ not in ("Mean", "Sum", "Max", "Min") or not getattr(operation, "keepdims", False):
        return False
    axis = operation.axis if isinstance(operation.axis, list | tuple) else [operation.axis]
    return None not in axis and {a % len(shape) for a in axis} == {len(shape) - 1}


def check(plan):
    """ValueError that names everything without a counterpart."""
    if not plan.problems:
        return
    named = dict.fromkeys(f"{describe(operation)} {error}" for operation, error in plan.problems.items())
    raise NoCounterpart(f"{RULE} Received: {'. '.join(named)}", "")


_PLANS = {
    **dict.fromkeys(
        ("identity", "function", "upsampling", "resizing", "border", "pooling", "unit", "gain"), Plan._passed
    ),
    "convolution": Plan._convolution,
    "dense": Plan._dense,
    "normalization": Plan._normalization,
    "scale": Plan._scale,
    "slopes": Plan._slopes,
    "softmax": Plan._softmax,
    "merge": Plan._merge,
    "join": Plan._join,
    "global": Plan._global,
    "flatten": Plan._reshape,
    "reshape": Plan._reshape,
}
