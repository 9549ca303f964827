"""How layers of Keras are made here: with their channels on the last axis, whatever Keras's global setting is."""

import functools
import inspect


def make(layer_class, *args, **kwargs):
    """A layer of this class whose channels lie last: without a word Keras takes `image_data_format()`."""
    return layer_class(*args, **channels_last(layer_class), **kwargs)


def channels_last(layer_class):
    """`{"data_format": "channels_last"}` for a layer of Keras that has the argument, `{}` for others."""
    return {"data_format": "channels_last"} if _has_format(layer_class) else {}


@functools.cache
def _has_format(layer_class):
    signatures = (inspect.signature(base.__init__) for base in layer_class.__mro__ if "__init__" in vars(base))
    stock = layer_class.__module__.split(".")[0] == "keras"
    return stock and any("data_format" in signature.parameters for signature in signatures)
