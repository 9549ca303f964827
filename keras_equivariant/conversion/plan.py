"""What each call of a network will be in its twin: which tensors get a group axis, and how many channels they have."""

import dataclasses

import keras

from keras_equivariant.conversion.channels import Channels
from keras_equivariant.conversion.kinds import HEAD, IMAGE, INVARIANT, REGULAR, SPLIT, Planned
from keras_equivariant.conversion.plan_layers import plan_attention, plan_layer
from keras_equivariant.conversion.plan_operations import plan_operation
from keras_equivariant.conversion.predictions import predictions
from keras_equivariant.conversion.problems import RULE, STILL, NoCounterpart, describe
from keras_equivariant.conversion.reshaping import plan_other
from keras_equivariant.graphs.calls import calls
from keras_equivariant.stock.traits import traits

_MADE = "a map of numbers that do not, made behind a Flatten or a pooling over all pixels"


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
            raise without_maps(graph.inputs[0], rank)
        for tensor in graph.inputs:
            kind = IMAGE if self.is_map(tensor) else INVARIANT
            self._planned[id(tensor)] = Planned(kind, self.new(tensor.shape[-1], fixed=True))
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

    def is_still_map(self, tensor):
        """Whether a tensor has axes of space, of more than one pixel, that no rotation moves."""
        return self.is_map(tensor) and self[tensor].kind == INVARIANT and set(tensor.shape[1:-1]) != {1}

    def new(self, size, **flags):
        """Channels of their own; flags are the arguments of Channels."""
        self.channels.append(Channels(size, **flags))
        return self.channels[-1]

    def fixed(self, tensor):
        """Channels that stay as many as a tensor has."""
        return self.new(tensor.shape[-1] if len(tensor.shape) > 1 else 1, fixed=True)

    def _add(self, call):
        operation, inputs = call.operation, [self[x] for x in call.inputs]
        row = traits(operation)
        still = bool(inputs) and all(one.kind == INVARIANT for one in inputs)
        try:
            if not still and any(map(self.is_still_map, call.inputs)):
                raise NoCounterpart(f"takes features that move with the image and {_MADE}", STILL[1])
            self._check_shared(operation, still, *(any(one.kind == k for one in inputs) for k in (HEAD, REGULAR)))
            if still and row is not None and row.rank:
                self._add_free(call, inputs)
                return
            if isinstance(operation, self._replaced):
                found = inputs[0]
            elif any(one.kind in (HEAD, SPLIT) for one in inputs):
                found = plan_other(self, call, inputs)
            elif getattr(operation, "data_format", None) == "channels_first":
                raise NoCounterpart('has data_format="channels_first"', 'build the model with "channels_last"')
            elif isinstance(operation, keras.layers.MultiHeadAttention):
                found = plan_attention(self, call, inputs)
            elif row is None:
                found = plan_operation(self, call, inputs)
            else:
                found = plan_layer(self, call, inputs)
        except NoCounterpart as error:
            if still and not isinstance(error, _Shared):
                self._add_free(call, inputs)
                return
            self.problems.setdefault(operation, error)
            kind = inputs[0].kind if inputs else IMAGE
            size = call.outputs[0].shape[-1:] or (1,)  # of one number for all examples
            found = Planned(HEAD if kind == SPLIT else kind, self.new(size[0] or 1))
        found = found if isinstance(found, list) else [found] * len(call.outputs)
        for tensor, one in zip(call.outputs, found, strict=True):
            if one.kind == REGULAR:
                one.channels.root.regular = True
            self._planned[id(tensor)] = one

    def _check_shared(self, operation, still, head, lifted):
        """NoCounterpart for a layer on features of two kinds, which would have to become two layers."""
        before = self._still.setdefault(operation, (still, head, lifted))
        changed = operation in self.free or getattr(traits(operation), "rank", None)
        if (before[0] != still and changed) or (before[1] != head and getattr(operation, "weights", ())):
            raise _Shared(
                "is shared by features that the group moves and some that it does not", "use a layer for each"
            )
        if before[2] != lifted and not isinstance(operation, self._replaced) and getattr(operation, "weights", ()):
            raise _Shared(
                "is shared by the image and by features made of it, which have an axis for the group",
                "use a layer for each",
            )

    def _add_free(self, call, inputs):
        """Of what no group moves any function will do, on as many channels as it was made for."""
        self.free.add(call.operation)
        for one in inputs:
            one.channels.fix()
        for tensor in call.outputs:
            self._planned[id(tensor)] = Planned(INVARIANT, self.fixed(tensor))


def without_maps(tensor, rank):
    """The error of a model whose inputs are no images, or no volumes; `tensor` is the first of them."""
    wanted = "images (B, H, W, C)" if rank == 2 else "volumes (B, D, H, W, C)"
    remedy = "name a group of the plane, such as D4"
    if len(tensor.shape) == 3:
        remedy = "make of a series (B, T, C) an image of one row (B, 1, T, C), which D1 mirrors"
    elif rank == 2:
        remedy = "name a group of space, such as O, for volumes"
    if rank == 2 and len(tensor.shape) == 5:
        remedy += "; of frames convert what sees one of them, and call that in keras.layers.TimeDistributed"
    return ValueError(
        f"The inputs must be {wanted} for a group of {rank} axes, perhaps others beside them. "
        f"Received: an input of shape {tuple(tensor.shape)}; {remedy}"
    )


def check(plan):
    """ValueError that names everything without a counterpart."""
    if not plan.problems:
        return
    named = dict.fromkeys(f"{describe(operation)} {error}" for operation, error in plan.problems.items())
    raise NoCounterpart(f"{RULE} Received: {'. '.join(named)}", "")
