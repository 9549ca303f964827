"""A model built again with a function for each of its calls; fold, restrict and the float64 twin are such functions."""

import contextlib
import re

import keras

from keras_equivariant.graphs.calls import calls, fresh, is_empty, replay_graph
from keras_equivariant.graphs.reading import as_functional, is_plain


class Rewriter:
    """A model built again, call by call; models inside it become models of their own, shared ones once.

    What takes the gradient of a network says with `network` and `around(network, name)` what it is around another one.

    Subclasses say in `call` what comes of a call. Where the new tensors may have several forms, such as features
    without their group axis, they keep them: `form`, `mark` and `crossing`.

    Attributes:
        purpose: what the model is wanted for, as errors say it.
        functions: whether functions of the user's are followed in inner models, as `as_functional` does.
        names: the Names in the new model.
    """

    purpose = "rewritten"
    functions = False

    def __init__(self):
        self.names = Names()
        self._models = {}

    def call(self, operation, args, kwargs):
        """The new tensors that come of one call."""
        raise NotImplementedError

    def input(self, tensor):
        """The new input for one of the model."""
        return fresh(tensor)

    def form(self, tensor):
        """The form of a new tensor, hashable; None for what is as it was."""
        return None

    def mark(self, tensor, form):
        """Notes the form of a new tensor, and returns it."""
        return tensor

    def crossing(self, tensor):
        """The tensor that stands for another one where it enters or leaves an inner model."""
        return tensor

    def scope(self, graph):
        """A context in which one model is made."""
        return contextlib.nullcontext()

    def own_name(self, name):
        """The name of the new layer for one of this name."""
        return self.names.own(name)

    def finish(self, inputs, outputs, name):
        """The new model, once all its calls are made."""
        return keras.Model(inputs, outputs, name=name)

    def run(self, graph, name=None):
        """The new model of a functional one."""
        graph = with_masks(graph)
        with self.scope(graph):
            inputs = keras.tree.map_structure(self.input, graph.input)
            outputs = self.outputs(replay_graph(graph, inputs, self._call))
            return self.finish(inputs, outputs, name or graph.name)

    def outputs(self, tensors):
        """What the outermost model gives for these results."""
        return tensors

    def _call(self, operation, *args, **kwargs):
        kwargs = {key: value for key, value in kwargs.items() if not is_empty(value)}
        if isinstance(operation, keras.Model) and is_plain(operation):
            return self._call_model(operation, *args, **kwargs)
        if hasattr(operation, "around"):
            return self._around(operation)(*args)
        return self.call(operation, args, kwargs)

    def _around(self, model):
        """A model that takes the gradient of its network, around the new network."""
        if id(model) not in self._models:
            network = self.run(as_functional(model.network, purpose=self.purpose, functions=self.functions))
            self._models[id(model)] = model, model.around(network, self.own_name(model.name))
        return self._models[id(model)][1]

    def _call_model(self, model, inputs, training=None):
        flat = list(map(self.crossing, keras.tree.flatten(inputs)))
        key = (id(model), *map(self.form, flat))
        if key not in self._models:
            self._models[key] = model, *self._inner(model, flat)  # kept, so that no other gets its id
        _, new, forms = self._models[key]
        results = new(keras.tree.pack_sequence_as(inputs, flat))
        for tensor, form in zip(keras.tree.flatten(results), forms, strict=True):
            self.mark(tensor, form)
        return results

    def _inner(self, model, outside):
        """(the new model for an inner one, the forms of what it gives)."""
        name = self.own_name(model.name)
        graph = as_functional(model, purpose=self.purpose, functions=self.functions)
        with self.scope(graph):
            pairs = zip(graph.inputs, outside, strict=True)
            flat = [self.mark(fresh(x, name=old.name), self.form(x)) for old, x in pairs]
            inputs = keras.tree.pack_sequence_as(graph.input, flat)
            outputs = keras.tree.map_structure(self.crossing, replay_graph(graph, inputs, self._call))
            new = self.finish(inputs, outputs, name)
        return new, [self.form(tensor) for tensor in keras.tree.flatten(outputs)]


def inlined(graph, functions=False, closed=()):
    """The graph with the calls of inner models in their place; the options are those of `as_functional`."""
    inner = {}

    def call(operation, *args, **kwargs):
        if isinstance(operation, keras.Model) and is_plain(operation):
            if id(operation) not in inner:  # read once, so that what it shares stays shared
                inner[id(operation)] = as_functional(operation, functions=functions, closed=closed)
            return replay_graph(inner[id(operation)], args[0], call)
        # Where an inner model had no mask there may be one now: Keras finds it, unless it is told that there is none.
        told = {key: value for key, value in kwargs.items() if not (key.endswith("mask") and is_empty(value))}
        return operation(*args, **told)

    inputs = keras.tree.map_structure(fresh, graph.input)
    return keras.Model(inputs, replay_graph(graph, inputs, call), name=graph.name)


def with_masks(graph):
    """A graph of which each call says the mask that it gets: the graph itself, unless a mask enters an inner model."""
    return inlined(graph) if _masks_a_model(graph) else graph


def _masks_a_model(graph):
    models = [call for call in calls(graph) if isinstance(call.operation, keras.Model) and is_plain(call.operation)]
    return any(
        not is_empty(call.kwargs.get("mask")) or _masks_a_model(as_functional(call.operation)) for call in models
    )


class Names:
    """Names in use in one model.

    Args:
        reserved: those of the model that is rewritten, which its own layers shall keep.
    """

    def __init__(self, reserved=()):
        self._reserved = set(reserved)
        self._used = set()

    def own(self, name):
        """The name itself for the first layer that has it in the old model; a new one for its second copy."""
        if name in self._used:
            return self.new(name)
        self._used.add(name)
        return name

    def new(self, stem):
        """A name that nothing has yet."""
        name, i = stem, 0
        while name in self._used or name in self._reserved:
            i += 1
            name = f"{stem}_{i}"
        self._used.add(name)
        return name

    def free(self, name):
        """Gives a name up, for another layer to have it."""
        self._used.discard(name)


def advance_automatic_names(graph):
    """Keeps the names that Keras will give to operations away from those in a graph."""
    for operation in graph.operations:
        stem, number = re.fullmatch(r"(.*?)(?:_(\d{1,4}))?", operation.name).groups()
        while keras.backend.get_uid(stem) <= int(number or 0):
            pass
