"""Any Keras model as a plain functional one: nested, shared and subclassed models, layers made of layers, wrappers."""

import functools
import inspect

import keras

from keras_equivariant.graphs.calls import calls, fresh, is_empty, replay_graph
from keras_equivariant.graphs.tracing import Untraceable, follow, follow_function
from keras_equivariant.graphs.weights import clone_with, set_weights
from keras_equivariant.stock.traits import traits


def walk(layer):
    """The layer and every layer inside it, outermost first, each once."""
    found, waiting = {}, [layer]
    while waiting:
        one = waiting.pop(0)
        if id(one) not in found:
            found[id(one)] = one
            waiting = [*one._flatten_layers(include_self=False, recursive=False), *waiting]
    yield from found.values()


def as_functional(model, inputs=None, purpose="read", opened=True, functions=False, closed=()):
    """A plain functional model over the same layers.

    A functional or sequential model is read. A subclassed one is called once on symbolic tensors; what it does where
    `training` is None is what counts. One that takes the gradient of its network, with `around`, stays one call.

    Args:
        model: a Keras model or layer.
        inputs: arrays in the structure that the model takes, for what has no input shape of its own: a layer, an
            unbuilt sequential model, a subclassed model that has not been called yet.
        purpose: what the model is wanted for, as the errors say it: "folded".
        opened: whether the calls inside take the place of layers that are made of layers, as far as they can be
            followed, and of subclassed models. A functional or sequential model inside stays one call. With False a
            subclassed model is refused.
        functions: whether the operations inside a Lambda, inside the user's own layers that hold nothing, and inside
            activations of the user's own take their place too, as far as they can be followed.
        closed: classes of layers that are not opened.

    Raises:
        TypeError: if `model` is no Keras layer.
        ValueError: without an input shape.
        Untraceable: where the calls inside a subclassed model cannot be followed; the message names the one.
    """
    if not isinstance(model, keras.Layer):
        raise TypeError(f"`model` must be a keras.Model. Received: {model!r} of type {type(model).__name__}")
    if isinstance(model, keras.Sequential) and type(model).call is keras.Sequential.call:
        graph = _sequential_graph(model, inputs, purpose)
    else:
        graph = _own_graph(model)
    if graph is None and isinstance(model, keras.Model) and not opened:
        raise Untraceable(
            f"A model must be functional or sequential to be {purpose}: what a subclassed model does in training is "
            f'not known. Received: "{model.name}" of class {type(model).__name__}. Build it in the functional API, or '
            "with keras_equivariant.build_from_spec"
        )
    if graph is None:
        symbols = _symbols(model, inputs, purpose)
        followed = isinstance(model, keras.Model) and not hasattr(model, "around")
        call = follow if followed else (lambda layer, args, *_: layer(*args))
        graph = keras.Model(symbols, call(model, (symbols,), {}, purpose), name=model.name)
    return _opened(graph, functions, tuple(closed)) if opened else graph


def functional(model, purpose="read", opened=True, functions=False, closed=()):
    """`as_functional` of a model; TypeError for anything else, layers too."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a keras.Model. Received: {model!r} of type {type(model).__name__}")
    return as_functional(model, purpose=purpose, opened=opened, functions=functions, closed=closed)


def is_plain(operation):
    """Whether the calls inside are known: a functional or sequential model whose `call` nothing overrides."""
    if isinstance(operation, keras.Sequential):
        return type(operation).call is keras.Sequential.call
    return isinstance(operation, keras.Model) and type(operation).call is _functional_class().call


@functools.cache
def _functional_class():
    """The class of functional models, which Keras does not name in public."""
    x = keras.Input((1,))
    return type(keras.Model(x, x))


def is_composed(operation):
    """Whether an operation's calls are seen only by following it: a subclassed model, or a layer made of layers."""
    if isinstance(operation, keras.Model):
        return not is_plain(operation)
    return isinstance(operation, keras.Layer) and _is_foreign(operation) and len(list(walk(operation))) > 1


def is_function(operation):
    """Whether a layer is a function of its inputs: a Lambda, or one of the user's that holds nothing, says nothing of
    its own symmetry or folding, and does the same in training."""
    if isinstance(operation, keras.layers.Lambda):
        return "training" not in inspect.signature(operation.function).parameters
    if not isinstance(operation, keras.Layer) or isinstance(operation, keras.Model) or not _is_foreign(operation):
        return False
    knows = any(hasattr(operation, name) for name in ("output_layout", "symmetry_problems", "fold", "fold_call"))
    return not knows and not operation.variables and "training" not in inspect.signature(operation.call).parameters


def _is_foreign(layer):
    return type(layer).__module__.split(".")[0] not in (__name__.split(".")[0], "keras")


def _sequential_graph(model, inputs, purpose):
    if not model.built or not model.inputs:
        if inputs is None:
            raise ValueError(
                f"A model must be built before it is {purpose}. Received: the sequential model "
                f'"{model.name}" without an input shape. Call model.build((None, height, width, channels)), '
                "put a keras.Input first, or pass inputs="
            )
        model.build(keras.tree.map_structure(lambda x: (None, *x.shape[1:]), inputs))
    # Its `input` is that of the graph it is called in.
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _own_graph(model):
    return keras.Model(model.input, model.output, name=model.name) if is_plain(model) else None


def _symbols(model, inputs, purpose):
    """Symbolic inputs for a layer or a subclassed model: from arrays, else from the shapes it was built with."""
    if inputs is not None:
        return keras.tree.map_structure(lambda x: keras.Input(x.shape[1:], dtype=_dtype(model, x)), inputs)
    if not isinstance(model, keras.Model):
        raise ValueError(f"A layer has no input shape of its own: pass inputs=. Received: {model!r}")
    if isinstance(model, keras.Function):  # a functional model with a call of its own
        return keras.tree.map_structure(fresh, model.input)
    if hasattr(model, "symbolic_inputs"):
        return keras.tree.map_structure(fresh, model.symbolic_inputs)
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if shape is None:
        raise Untraceable(
            f"A model must be built before it is {purpose}. Received: the subclassed model "
            f'"{model.name}" of class {type(model).__name__}, whose input shape is not known; call it on an array '
            "first, or pass inputs="
        )
    return keras.tree.map_shape_structure(lambda sizes: keras.Input(sizes[1:], dtype=model.input_dtype), shape)


def _dtype(model, x):
    """Real numbers enter in the precision of the model."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return model.input_dtype if keras.backend.is_float_dtype(dtype) else dtype


def _opened(graph, functions, shut):
    """The graph with the calls inside layers of layers, subclassed models and TimeDistributed in their place.

    TimeDistributed layers of stock layers alone are opened where others are, so that features stay what they are
    between them.
    """
    framed = any(_is_own_frame(layer, functions) for layer in walk(graph))
    stuck, plain = set(), {}

    def call(operation, *args, **kwargs):
        if isinstance(operation, shut):
            return operation(*args, **kwargs)
        return _open(stuck, plain, framed, functions, operation, *args, **kwargs)

    def closed(call):
        known = call.operation in stuck or isinstance(call.operation, shut)
        return not known and _can_open(call.operation, call.args, framed, functions)

    while any(map(closed, calls(graph))):
        inputs = keras.tree.map_structure(fresh, graph.input)
        graph = keras.Model(inputs, replay_graph(graph, inputs, call), name=graph.name)
    return graph


def _can_open(operation, args, framed, functions):
    inside = is_composed(operation) or (functions and (is_function(operation) or has_own_activation(operation)))
    return inside or (framed and _frames(operation, args) is not None)


def _open(stuck, plain, framed, functions, operation, *args, **kwargs):
    frames = _frames(operation, args) if framed else None
    if frames is not None and is_empty(kwargs.get("mask")):
        x = keras.ops.reshape(args[0], (-1, *args[0].shape[2:]))
        y = operation.layer(x)
        return keras.tree.map_structure(lambda t: keras.ops.reshape(t, (-1, frames, *t.shape[1:])), y)
    composed = is_composed(operation)
    if operation not in stuck and functions and has_own_activation(operation):
        try:
            return _with_activation(plain, operation, args, kwargs)
        except Untraceable:
            stuck.add(operation)
    if operation not in stuck and (composed or (functions and is_function(operation))):
        try:
            return (follow if composed else follow_function)(operation, args, kwargs, "opened")
        except Untraceable:  # it stays one call; whoever needs what is inside asks again, and says why
            stuck.add(operation)
    elif frames is not None:  # with a mask, it stays one call too
        stuck.add(operation)
    return operation(*args, **kwargs)


def has_own_activation(operation):
    """Whether a layer of Keras ends in a function of the user's, which Keras cannot make again from its name."""
    if not isinstance(operation, keras.Layer) or traits(operation) is None:
        return False
    function = getattr(operation, "activation", None)
    foreign = callable(function) and not isinstance(function, keras.Operation)
    return foreign and not (getattr(function, "__module__", None) or "").startswith("keras.")


def _with_activation(plain, layer, args, kwargs):
    """What a layer gives, its activation in operations of its own; `plain` has the layers without."""
    x = args[0]
    if not isinstance(layer, keras.layers.Activation):
        new = plain.setdefault(id(layer), (layer, clone_with(layer, layer.name, activation=None)))[1]
        x = new(*args, **kwargs)
        set_weights(new, layer.get_weights())
    function = keras.layers.Lambda(layer.activation, name=layer.name)
    return follow_function(function, (x,), {}, "opened")


def _frames(operation, args):
    """How many frames of known sizes a TimeDistributed layer takes; None for all else."""
    if not isinstance(operation, keras.layers.TimeDistributed):
        return None
    shape = args[0].shape
    return shape[1] if None not in shape[1:] else None


def _is_own_frame(layer, functions):
    """Whether a layer is TimeDistributed over a layer of this package's, or over a layer or function of the user's."""
    inside = walk(layer.layer) if isinstance(layer, keras.layers.TimeDistributed) else ()
    return any(
        not type(one).__module__.startswith("keras.") or (functions and (is_function(one) or has_own_activation(one)))
        for one in inside
    )
