"""Keras's pooling to a size, in operations that treat both ends of an axis alike in every file.

Keras joins the pixels of two poolings side by side and picks among them.
"""

from keras_equivariant.ops import resizing
from keras_equivariant.stock.resizing import wanted
from keras_equivariant.stock.traits import TABLE


def _pooled(emitter, layer, x, sizes=None):
    if layer.data_format != "channels_last" or None in x.shape[1:-1]:
        return None
    pool = resizing.adaptive_mean if TABLE[type(layer)].linear else resizing.adaptive_max
    return pool(x, wanted(layer) if sizes is None else sizes)


def beside_fiber(emitter, layer, x):
    """Of features whose fiber is an axis that stays as it is: the pixels alone."""
    features = emitter.features.get(x)
    inside, beyond = wanted(layer)[: features.rank], wanted(layer)[features.rank :]
    if features.tensor is None or beyond != features.fiber:
        return None
    result = _pooled(emitter, layer, features.tensor, inside)
    return result if result is None else emitter.features.add(features.holding(result))


ADAPTIVE = {cls: _pooled for cls, row in TABLE.items() if row.kind == "adaptive"}
