"""New layers from those of a model: the same, or with other arguments."""

import keras

from keras_equivariant.stock import copies


class Filled:
    """A layer that gets its weights when it is first called, and then is that layer.

    Args:
        layer: a layer that is not built.
        weights: list of arrays.
    """

    def __init__(self, layer, weights):
        self._layer, self._weights = layer, weights

    def __call__(self, *args, **kwargs):
        result = self._layer(*args, **kwargs)
        if self._weights is not None:
            self._layer.set_weights(self._weights)
            if hasattr(self._layer, "finalize_state"):  # preprocessing layers read their weights here
                self._layer.finalize_state()
            self._weights = None
        return result


def copy(walk, operation):
    """A layer with the same config and weights, made once; for an operation of keras.ops a new one."""
    if not isinstance(operation, keras.layers.Layer):
        return copies.copy_operation(operation)
    return walk.make(operation, "copy", lambda name: Filled(renewed(operation, name), operation.get_weights()))


def renewed(layer, name, **changes):
    """A layer of the same class that is not built, with some arguments changed."""
    return type(layer).from_config({**layer.get_config(), "name": name, **changes})
