"""Which operations of a network make its predictions, so that their channels stay as many."""

from keras_equivariant.conversion.channels import is_depthwise
from keras_equivariant.stock.traits import activation_name, traits

_OF_PREDICTIONS = ("linear", "softmax", "sigmoid", "tanh", "log_softmax", "hard_sigmoid", "softplus", "exponential")
_PASSED = (
    "identity",
    "function",
    "scale",
    "softmax",
    "border",
    "upsampling",
    "resizing",
    "pooling",
    "adaptive",
    "global",
    "flatten",
    "reshape",
)


def predictions(graph, some_calls, rank):
    """The operations whose channels are those that the model predicts, so that they stay as many.

    An output comes from them through layers that keep channels apart, without a normalization or a rectifier behind a
    spatial convolution: what comes behind those are features. What a Reshape puts on other axes than those of a map are
    predictions of each pixel, whatever is done to them.

    Args:
        graph: a functional model.
        some_calls: its calls.
        rank: number of axes of space.
    """
    source = {id(tensor): call for call in some_calls for tensor in call.outputs}
    found, waiting, seen = set(), [(tensor, True) for tensor in graph.outputs], set()
    while waiting:
        tensor, plain = waiting.pop()
        call = source.get(id(tensor))
        if call is None or (id(tensor), plain) in seen:
            continue
        seen.add((id(tensor), plain))
        row = traits(call.operation)
        kind = getattr(row, "kind", None)
        if len(tensor.shape) not in (2, rank + 2) and kind != "dense":
            waiting += [(x, plain) for x in call.inputs]
            continue
        activation = getattr(call.operation, "activation", None)
        plain = plain and (activation is None or activation_name(activation) in _OF_PREDICTIONS)
        plain = plain and (kind != "function" or activation is not None)
        if kind == "dense" or (kind == "convolution" and not is_depthwise(call.operation, call.inputs[0].shape[-1])):
            if kind == "dense" or plain or max(call.operation.kernel_size) == 1:
                found.add(call.operation)
        elif kind in _PASSED and len(call.inputs) == 1:
            waiting.append((call.inputs[0], plain))
    return found
