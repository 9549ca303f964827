"""A functional model as a list of calls, in an order in which they can be done, and the same calls made again."""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer, of a model inside the model, or of an operation of keras.ops.

    Attributes:
        operation: what is called; a shared layer stands in several calls.
        args, kwargs: what it is called with: tensors of the graph, and constants.
        outputs: the tensors that come out, as a flat list.
    """

    operation: keras.Operation
    args: tuple
    kwargs: dict
    outputs: list

    @property
    def inputs(self):
        """The tensors that go in, as a flat list."""
        return [x for x in keras.tree.flatten((self.args, self.kwargs)) if isinstance(x, keras.KerasTensor)]


def calls(graph):
    """The calls of a functional model, each after those whose results it takes.

    Args:
        graph: a plain functional model, as `as_functional` gives it.
    """
    found, known = [], ids(graph.inputs)
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            reached = node.operation and not node.is_input and all(id(x) in known for x in node.input_tensors)
            if reached:
                found.append(Call(node.operation, node.arguments.args, node.arguments.kwargs, list(node.outputs)))
                known |= ids(node.outputs)
    return found


def call_of(tensor):
    """The call that a symbolic tensor comes from; None for an input."""
    history = getattr(tensor, "_keras_history", None)
    if history is None or history.operation is None:
        return None
    node = history.operation._inbound_nodes[history.node_index]
    if node.is_input:
        return None
    return Call(node.operation, node.arguments.args, node.arguments.kwargs, list(node.outputs))


def ids(tensors):
    """The identities of the tensors in a structure."""
    return {id(tensor) for tensor in keras.tree.flatten(tensors)}


def is_empty(argument):
    """Whether an argument is None, or a structure of nothing else: Keras gives a mask for each of a model's inputs."""
    leaves = keras.tree.flatten(argument)
    return bool(leaves) and all(value is None for value in leaves)


def fresh(tensor, dtype=None, name=None):
    """A new input like a tensor."""
    name = name or getattr(tensor, "name", None)
    return keras.Input(batch_shape=tensor.shape, dtype=dtype or tensor.dtype, name=name)


def replay(some_calls, tensors, function):
    """Makes calls again.

    Args:
        some_calls: Calls of a graph, in an order in which they can be done.
        tensors: dict from the id of a tensor of the graph to the new tensor; what the calls give is added.
        function: from an operation and its arguments, new tensors in place of the old, to what comes out.
    """
    for call in some_calls:
        args, kwargs = keras.tree.map_structure(lambda x: tensors.get(id(x), x), (call.args, call.kwargs))
        results = keras.tree.flatten(function(call.operation, *args, **kwargs))
        tensors.update(zip(map(id, call.outputs), results, strict=True))


def replay_graph(graph, inputs, function):
    """The outputs of a functional model on new inputs, in its structure, each call made as in `replay`."""
    tensors = dict(zip(map(id, graph.inputs), keras.tree.flatten(inputs), strict=True))
    replay(calls(graph), tensors, function)
    return keras.tree.map_structure(lambda x: tensors[id(x)], graph.output)


def check_channels_last(graph):
    """ValueError for a functional model with a layer that takes the first axis of space for the channels."""
    for call in calls(graph):
        if getattr(call.operation, "data_format", None) == "channels_first":
            raise ValueError(
                f'Images must have their channels last. Received: layer "{call.operation.name}" with '
                'data_format="channels_first"; build the model with "channels_last"'
            )
