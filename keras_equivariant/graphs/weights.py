"""New layers from those of a model, with their weights."""

import keras
import numpy as np


def clone_with(layer, name, **changes):
    """A layer of the same class that is not built, with some arguments changed."""
    if isinstance(layer, keras.layers.Lambda):  # whose function no configuration holds
        options = {"output_shape": layer._output_shape, "arguments": layer.arguments, "name": name, **changes}
        return type(layer)(layer.function, **options)
    return type(layer).from_config({**settings(layer), "name": name, **changes})


def settings(layer):
    """The configuration of a layer, with functions and objects of the user's own in place of their description."""
    config = layer.get_config()
    return {key: getattr(layer, key, value) if _is_own(value) else value for key, value in config.items()}


def _is_own(value):
    """Whether something serialized is nothing that Keras finds by its name."""
    if not isinstance(value, dict) or not {"class_name", "value"} & set(value):
        return False
    return not str(value.get("module") or "").startswith("keras")


def clone_operation(operation, name=None):
    """An operation of keras.ops of its own, with the same arguments, and a name of Keras's unless one is given."""
    config = {key: value for key, value in operation.get_config().items() if key != "name"}
    return type(operation).from_config(config if name is None else {**config, "name": name})


def set_weights(layer, weights):
    """Sets the weights of a built layer, and what it derives from them."""
    layer.set_weights(weights)
    finalize(layer)


def finalize(layer):
    """Lets a layer that computes with what it derives from its weights, as Normalization does, derive it."""
    if hasattr(layer, "finalize_state"):
        layer.finalize_state()


def scale_and_offset(layer):
    """Arrays (a, b) in float64, broadcast against the input, with a * x + b = layer(x).

    Of a Normalization or Rescaling; None of another layer. What a Normalization derives from its weights may be
    symbolic, where it was built inside a graph, so that the weights themselves are read.
    """
    if isinstance(layer, keras.layers.Rescaling):
        # Through the backend, as Keras does it: TensorFlow rounds numbers of Python to float32, for float64 too.
        dtype = "float64" if layer.compute_dtype == "float64" else "float32"
        numbers = (keras.ops.convert_to_numpy(keras.ops.cast(n, dtype)) for n in (layer.scale, layer.offset))
        return tuple(np.asarray(value, "float64") for value in numbers)
    if not isinstance(layer, keras.layers.Normalization):
        return None
    found = {weight.name: keras.ops.convert_to_numpy(weight) for weight in layer.weights}
    given = {"mean": layer.input_mean, "variance": layer.input_variance} if not found else found
    shape = tuple(layer.mean.shape)
    mean, variance = (
        np.broadcast_to(np.asarray(given[name], "float64").reshape(_fitting(given[name], shape)), shape)
        for name in ("mean", "variance")
    )
    deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
    return (deviation, mean) if layer.invert else (1 / deviation, -mean / deviation)


def _fitting(values, shape):
    """A shape that broadcasts to this one: the same if it holds as many numbers."""
    return shape if np.size(values) == np.prod(shape, dtype=int) else np.shape(values)


class DeferredWeights:
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
            set_weights(self._layer, self._weights)
            self._weights = None
        return result


def constants(args):
    """The arguments of a call with arrays in place of the variables that it uses outside a layer."""
    return keras.tree.map_structure(lambda x: keras.ops.convert_to_numpy(x) if _is_constant(x) else x, args)


def _is_constant(x):
    return isinstance(x, keras.Variable) or (keras.ops.is_tensor(x) and not isinstance(x, keras.KerasTensor))
