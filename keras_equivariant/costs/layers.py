"""What a model costs, layer by layer: counted on the stock layers that each of its layers folds to."""

import dataclasses
import math
import warnings

import keras

from keras_equivariant.costs import sequences
from keras_equivariant.export.folding.fold import fold
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import functional
from keras_equivariant.stock.traits import traits

_BYTES = 4  # a float32


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """One layer's share, for one example.

    Attributes:
        name: the layer's name.
        kind: its class.
        shape: shape of its output, the batch axis left out.
        parameters: trainable parameters; those of a shared layer count where it stands first.
        multiply_adds: multiplications with additions in its convolutions and matrix products, once folded, in all its
            calls.
        activation_bytes: of its outputs in float32, of all its calls.
        exported_bytes: of its folded weights in float32, before BatchNormalization is absorbed.
    """

    name: str
    kind: str
    shape: tuple
    parameters: int
    multiply_adds: int
    activation_bytes: int
    exported_bytes: int


def layer_costs(model):
    """A LayerCost for each layer of a model, inputs left out, in the order of the model.

    Args:
        model: a built functional or sequential `keras.Model` whose inputs have known sizes.

    Raises:
        ValueError: if a size is unknown, or a layer cannot be folded.

    Example:
        >>> import keras_equivariant as ke
        >>> from keras_equivariant.costs.layers import layer_costs
        >>> sum(cost.parameters for cost in layer_costs(ke.build_from_spec("p4_cnn")))
        24680
    """
    graph = functional(model)
    seen, found, made = set(), [], calls(graph)
    for layer in graph.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        own = [call for call in made if call.operation is layer]
        output = [tensor for call in own for tensor in call.outputs]
        sizes = [size for tensor in output for size in tensor.shape[1:]]
        if None in sizes:
            raise ValueError(
                f"Costs are counted for known sizes. Received: {layer.name!r} with an output of shape "
                f"{output[0].shape}; give the input a shape without None"
            )
        variables = [v for v in layer.trainable_variables if id(v) not in seen]
        seen |= {id(v) for v in variables}
        costs = [_folded_costs(layer, call) for call in own]
        found.append(
            LayerCost(
                name=layer.name,
                kind=type(layer).__name__,
                shape=tuple(output[0].shape[1:]),
                parameters=sum(math.prod(v.shape) for v in variables),
                multiply_adds=sum(multiply_adds for multiply_adds, _ in costs),
                activation_bytes=_BYTES * sum(math.prod(tensor.shape[1:]) for tensor in output),
                exported_bytes=_BYTES * costs[0][1],
            )
        )
    return tuple(found)


def _folded_costs(layer, call):
    """Multiply-adds and number of weights of the stock layers that this one becomes, called like this."""
    twin = layer.__class__.from_config(layer.get_config())  # calling the layer itself would add to the user's graph
    inputs = []

    def fresh(given):
        if not isinstance(given, keras.KerasTensor):
            return given
        # Of one example, so that shapes are known where the batch and other axes become one.
        inputs.append(keras.Input(batch_shape=(1, *given.shape[1:]), dtype=given.dtype))
        return inputs[-1]

    # As it is called: a mask, say, is given by its name.
    args, kwargs = keras.tree.map_structure(fresh, (call.args, call.kwargs))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*its exact symmetry")  # said when the model was built
        outputs = twin(*args, **kwargs)
    folded = fold(keras.Model(inputs, outputs, name="twin"), verify=False)
    weights = sum(part.count_params() for part in folded.layers)
    return sum(map(_multiply_adds, calls(folded))), weights


def _multiply_adds(call):
    """Every number of a kernel is used once at every position, of the output or, transposed, of the input.

    The blocks of a group convolution are called once for each row of their irrep.
    """
    layer = call.operation
    if not isinstance(layer, keras.layers.Layer):
        return _of_operation(call)
    found = sequences.multiply_adds(call)
    if found is not None:
        return found
    kernels = [math.prod(w.shape) for w in getattr(layer, "weights", ()) if _is_kernel(layer, w)]
    if not kernels:
        return 0
    shape = (call.inputs if getattr(traits(layer), "transposed", False) else call.outputs)[0].shape
    first = getattr(layer, "data_format", None) == "channels_first"
    return sum(kernels) * math.prod((shape[0], *shape[2:]) if first else shape[:-1])


def _of_operation(call):
    """Multiply-adds of an operation of keras.ops: each number of the output is a sum of so many products."""
    name, operands = type(call.operation).__name__, [x.shape for x in call.args if hasattr(x, "shape")]
    if name == "Einsum":
        return _of_einsum(call.operation.subscripts, operands, call.outputs[0].shape)
    terms = {"Matmul": lambda: operands[0][-1:], "Conv": lambda: operands[1][:-1]}
    terms["DepthwiseConv"] = lambda: operands[1][:-2]
    return math.prod((*call.outputs[0].shape, *terms[name]())) if name in terms else 0


def _of_einsum(subscripts, operands, output):
    terms, _, kept = subscripts.replace(" ", "").partition("->")
    if len(operands) < 2:
        return 0
    sizes = {}
    for term, shape in zip(terms.split(","), operands, strict=True):
        before, _, after = term.partition("...")
        ends = (before, shape), (reversed(after), reversed(shape))
        sizes |= {axis: size for end in ends for axis, size in zip(*end, strict=False)}
    return math.prod((*output, *(size for axis, size in sizes.items() if axis not in kept)))


def _is_kernel(layer, weight):
    """Whether the numbers of a weight are multiplied and added up: slopes, scales and tables of vectors are not."""
    row = traits(layer)
    if row is not None:
        return row.kind in ("convolution", "dense") and len(weight.shape) >= 2
    return len(weight.shape) >= 2 and weight.name not in ("bias", "embeddings")
