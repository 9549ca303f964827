"""Pooling by keras.ops as the layers that do the same, for which there are rules."""

import keras

from keras_equivariant.graphs.calls import calls, fresh, replay_graph
from keras_equivariant.layers.core.base import stock

_STEMS = {"MaxPool": "MaxPooling", "AveragePool": "AveragePooling"}


def with_layers(graph):
    """The graph with `keras.ops.max_pool` and `average_pool` of images and volumes as layers; itself without any."""
    if not any(_is_pool(call.operation, call.inputs) for call in calls(graph)):
        return graph
    made = {}

    def call(operation, *args, **kwargs):
        given = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
        if not _is_pool(operation, given):
            return operation(*args, **kwargs)
        (x,) = given
        if id(operation) not in made:
            make = stock(_STEMS[type(operation).__name__], len(x.shape) - 2)
            options = {"strides": operation.strides, "padding": operation.padding, "dtype": x.dtype}
            made[id(operation)] = make(operation.pool_size, name=operation.name, **options)
        return made[id(operation)](x)

    inputs = keras.tree.map_structure(fresh, graph.input)
    return keras.Model(inputs, replay_graph(graph, inputs, call), name=graph.name)


def _is_pool(operation, given):
    named = type(operation).__name__ in _STEMS and getattr(operation, "data_format", None) != "channels_first"
    return named and len(given) == 1 and len(given[0].shape) in (4, 5)
