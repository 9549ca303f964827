"""What the readers of Keras's layers and of its operations share."""

import numpy as np

from keras_equivariant.export.proof.graph import Node
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


class Steps:
    """Nodes before a given one, which is the reader's last and makes what its operation makes."""

    def __init__(self, reader, node):
        self.reader, self.node = reader, node

    def add(self, kind, options, *inputs):
        """The key of what a new node makes."""
        output = self.reader.key()
        node = Node(kind, self.node.name, self.node.operation, inputs, (output,), options)
        self.reader.nodes.insert(-1, node)
        return output

    def pointwise(self, name, *inputs):
        return self.add("pointwise", {"name": name}, *inputs)

    def reshape(self, x, shape):
        return self.add("reshape", {"shape": shape}, x, None)

    def mean(self, x, axes, keepdims=True):
        options = {"mode": "mean", "keepdims": keepdims}
        return self.add("reduce", options, x, self.reader.constant(np.array(axes)))

    def moments(self, x, axes, keepdims=True):
        """The mean and the mean of the squared distances from it."""
        mean = self.mean(x, axes)
        distance = self.pointwise("subtract", x, mean)
        return mean, self.mean(self.pointwise("square", distance), axes, keepdims)

    def last(self, name, *inputs):
        """Makes the given node a function of some numbers."""
        self.node.kind, self.node.options, self.node.inputs = "pointwise", {"name": name}, inputs
