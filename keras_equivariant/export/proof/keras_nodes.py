"""What the readers of Keras's layers and of its operations share."""

import numpy as np

from keras_equivariant.stock.traits import SYMMETRIC, activation_name, is_elementwise


def function(node, activation):
    """An activation function by itself."""
    name = activation_name(activation)
    if name in SYMMETRIC:
        node.kind, node.options = "along", {"name": name, "axis": -1}
    elif is_elementwise(activation):
        node.kind, node.options = "pointwise", {"name": name}


def reshaped(node, shape):
    """The shape of an example; at most one of its sizes is unknown."""
    known = [-1 if n is None else n for n in shape]
    node.kind, node.inputs = "reshape", (node.inputs[0], None)
    node.options = {"shape": lambda old: ((old[0] if -1 in known else -1), *known)}


def as_tuple(value, rank):
    return (value,) * rank if isinstance(value, (int, np.integer)) else tuple(value)
