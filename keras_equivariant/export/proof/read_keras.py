"""A Keras model of stock layers as a Graph, as `fold` gives it."""

import inspect

import keras

from keras_equivariant.export.proof.graph import Graph, Node
from keras_equivariant.export.proof.keras_layers import LAYERS
from keras_equivariant.export.proof.keras_nodes import function
from keras_equivariant.export.proof.keras_operations import OPERATIONS
from keras_equivariant.export.signature import output_names
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import as_functional, is_function, is_plain
from keras_equivariant.graphs.symmetry import group_of
from keras_equivariant.graphs.tracing import follow
from keras_equivariant.stock.inference import named_weights
from keras_equivariant.stock.traits import TABLE, activation_name, is_elementwise, is_linear


def read(model):
    """The Graph of a model; models inside it are read through."""
    graph = as_functional(model, purpose="read")
    reader = _Reader()
    keys = {id(tensor): reader.key() for tensor in graph.inputs}
    inputs = {keys[id(tensor)]: tuple(tensor.shape) for tensor in graph.inputs}
    reader.walk(graph, keys)
    outputs = {keys[id(tensor)]: name for tensor, name in zip(graph.outputs, output_names(graph), strict=True)}
    return Graph(model.name, inputs, outputs, reader.nodes, reader.constants, _group(model))


def _group(model):
    """The group that the layers of a model name; None where there is none."""
    try:
        return group_of(model)
    except ValueError:
        return None


def _inside(call):
    """What a layer of Keras's computes in keras.ops, as a graph; None where that is not known."""
    layer = call.operation
    stock = isinstance(layer, keras.layers.Layer) and type(layer).__module__.startswith("keras.")
    if not stock or isinstance(layer, keras.Model) or is_function(layer):  # which is the user's
        return None
    if getattr(inspect.signature(layer.call).parameters.get("training"), "default", None):  # random at inference, too
        return None
    inputs = []

    def symbol(x):
        if not isinstance(x, keras.KerasTensor):
            return x
        inputs.append(keras.Input(batch_shape=x.shape, dtype=x.dtype))
        return inputs[-1]

    args, kwargs = keras.tree.map_structure(symbol, (call.args, call.kwargs))
    try:
        return keras.Model(inputs, follow(layer, args, kwargs, "read"))
    except ValueError:  # Untraceable, or calls of one name
        return None


class _Reader:
    def __init__(self):
        self.nodes, self.constants, self._number = [], {}, 0

    def key(self):
        """The key of a new tensor."""
        self._number += 1
        return self._number

    def constant(self, array):
        """The key of a constant."""
        key = self.key()
        self.constants[key] = keras.ops.convert_to_numpy(array)
        return key

    def walk(self, graph, keys):
        """Adds the calls of a graph; `keys` has those of its inputs and gets those of its tensors."""
        for call in calls(graph):
            given = [keys[id(tensor)] for tensor in call.inputs]
            if isinstance(call.operation, keras.Model) and is_plain(call.operation):
                self._enter(as_functional(call.operation), call, given, keys)
                continue
            made = [self.key() for _ in call.outputs]
            keys |= dict(zip(map(id, call.outputs), made, strict=True))
            node = Node("", call.operation.name, type(call.operation).__name__, tuple(given), tuple(made))
            count = len(self.nodes)
            self._add(node, call, keys)
            inner = None if node.kind else _inside(call)
            if inner is not None:
                del self.nodes[count:]
                self._enter(inner, call, given, keys)

    def _enter(self, inner, call, given, keys):
        """Adds the calls of a graph in the place of one call."""
        known = dict(zip(map(id, inner.inputs), given, strict=True))
        self.walk(inner, known)
        keys |= {id(a): known[id(b)] for a, b in zip(call.outputs, inner.outputs, strict=True)}

    def _add(self, node, call, keys):
        operation = call.operation
        self.nodes.append(node)
        if isinstance(operation, keras.layers.Layer):
            row = TABLE.get(type(operation))
            describe = None if row is None else LAYERS.get(row.kind)
            if hasattr(operation, "fold") or hasattr(operation, "fold_call"):
                node.options = {"unfolded": True}
            if describe and getattr(operation, "data_format", "channels_last") == "channels_last":
                node.described(describe, self, operation, call)
        elif node.operation in OPERATIONS:
            node.described(OPERATIONS[node.operation], self, operation, call, keys)

    def weights(self, node, layer, kernel=None):
        """Gives a node the kernel and bias of a layer, the kernel perhaps in another shape."""
        found = named_weights(layer)
        kernel = found["kernel"] if kernel is None else kernel
        node.inputs += (self.constant(kernel), *([self.constant(found["bias"])] if "bias" in found else []))

    def activated(self, node, activation):
        """The activation inside a layer, as an operation of its own where it looks at several channels."""
        if is_linear(activation):
            return
        if is_elementwise(activation):
            node.activation = activation_name(activation)
            return
        (output,) = node.outputs
        node.outputs = (self.key(),)
        self.nodes.append(Node("", node.name, node.operation, node.outputs, (output,)))
        function(self.nodes[-1], activation)
