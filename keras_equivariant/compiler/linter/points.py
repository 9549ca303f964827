"""Points in a spec: three tensors, (elements, values, mask), of which a stock layer sees the values alone."""

from keras_equivariant.layers.points.features import OnPoints
from keras_equivariant.stock.traits import traits

INPUTS = ("positions", "values", "mask")


def apply(layer, x):
    """A layer applied to the three tensors, to the values of them, or to one tensor."""
    if not isinstance(x, tuple) or isinstance(layer, OnPoints):
        return layer(list(x) if isinstance(x, tuple) else x)
    elements, values, mask = x
    return elements, layer(values, mask=mask) if getattr(traits(layer), "masked", False) else layer(values), mask


def merge(layer, branches):
    """Branches merged: the values of points, whose elements and mask are those of the first."""
    if not isinstance(branches[0], tuple):
        return layer(branches)
    return branches[0][0], layer([values for _, values, _ in branches]), branches[0][2]
