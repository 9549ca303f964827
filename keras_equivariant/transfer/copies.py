"""Layers of a model that restriction leaves as they are."""

import keras

from keras_equivariant.graphs.weights import DeferredWeights, clone_operation, clone_with


def copy(walk, operation):
    """A layer with the same config and weights, made once; for an operation of keras.ops a new one."""
    if not isinstance(operation, keras.layers.Layer):
        return clone_operation(operation)
    weights = operation.get_weights()
    return walk.make(operation, "copy", lambda name: DeferredWeights(clone_with(operation, name), weights))
