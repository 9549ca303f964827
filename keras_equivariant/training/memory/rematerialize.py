"""rematerialize(): a model that trains in less memory, because it computes features a second time instead of keeping
them."""

from __future__ import annotations

import math

import keras

from keras_equivariant.graphs.calls import calls, fresh, ids, replay
from keras_equivariant.graphs.reading import functional
from keras_equivariant.stock.traits import is_seed, treats_examples_alone
from keras_equivariant.training.memory.checkpoints import least_memory_runs
from keras_equivariant.training.memory.slices import slice_by_slice

WIDTHS = {"float16": 2, "bfloat16": 2, "float64": 8, "int64": 8, "bool": 1}  # bytes; else 4


def rematerialize(
    model: keras.Model, input_gradients: bool = False, batch_size: int = 32, slices: int = 8
) -> keras.Model:
    """A model over the same layers whose training step keeps few features and computes the others a second time.

    The layers are cut into runs, where fewest features are alive at the worst moment. Between the forward and the
    backward pass only what enters a run is kept; its inside is computed again when its gradient is due. A run whose
    features are still too many is computed slice by slice of the batch, if all its layers treat each example alone, as
    convolutions and nonlinearities do, but not batch normalization.

    Outputs, gradients and updates of statistics are those of `model`: a moving average moves once, and dropout draws
    the same mask in both passes, without slices that of `model`. Train the result; `model`, whose weights are the same
    variables, is the one to save, fold and export.

    Args:
        model: a built functional or sequential `keras.Model`.
        input_gradients: also differentiate by the inputs of the model, which costs its first layers more memory.
            Otherwise, as in every training step, nobody asks for these gradients, and they are zero.
        batch_size: examples in a batch, at least about: the cuts weigh features, which grow with it, against expanded
            kernels, which do not.
        slices: into how many a batch may be divided; 1 computes every run on the whole batch.

    Returns:
        A functional `keras.Model` with the inputs and outputs of `model`, not compiled.

    Equivariance: that of `model`.

    Raises:
        TypeError: if `model` is not a Keras model.
        ValueError: if it is subclassed or not built, or `slices` is no positive integer.

    Example:
        >>> import keras_equivariant as ke
        >>> model = ke.build_from_spec("p4_cnn")
        >>> trained = ke.rematerialize(model)
        >>> len(trained.trainable_weights) == len(model.trainable_weights)
        True

    Reference: Chen et al., Training deep nets with sublinear memory cost, arXiv 1604.06174, section 4.
    """
    if not isinstance(slices, int) or slices < 1:
        raise ValueError(f"`slices` must be a positive integer. Received: slices={slices!r}. Use 1 for none.")
    graph = functional(model, "rematerialized", opened=False)
    listed = calls(graph)
    inputs = keras.tree.map_structure(fresh, graph.input)
    real = dict(zip(map(id, graph.inputs), keras.tree.flatten(inputs), strict=True))
    given = ids(graph.inputs)
    for number, (start, stop, parts) in enumerate(_runs(listed, graph.outputs, batch_size, slices)):
        body, entering, leaving = _body(listed, start, stop, graph.outputs)
        data = () if input_gradients else [i for i, tensor in enumerate(entering) if id(tensor) in given]
        results = Rematerialized(body, data, parts, stop - start, name=f"run_{number}")(
            [real[id(tensor)] for tensor in entering]
        )
        real.update(zip(map(id, leaving), keras.tree.flatten(results), strict=True))
    return keras.Model(inputs, keras.tree.map_structure(lambda x: real[id(x)], graph.output), name=model.name)


class Rematerialized(keras.layers.Layer):
    """Layers whose features are not kept for the backward pass, but computed again in it.

    Args:
        body: a functional model of a list of inputs and a list of outputs.
        data: positions of inputs that need no gradient.
        slices: of the batch, computed one after the other; with more than 1 no layer may mix examples or add a loss.
        calls: of layers in the body, at least as many as random numbers are drawn from one generator.
        **kwargs: those of `keras.layers.Layer`.
    """

    def __init__(self, body, data=(), slices=1, calls=1, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.body = body
        self.data = frozenset(data)
        self.slices = slices
        self.calls = calls

    def call(self, inputs, training=None):
        if not training:
            return keras.tree.flatten(self.body(inputs, training=False))
        # States enter from outside and leave as results, so that the second pass repeats the first and changes nothing.
        weights = list(map(keras.ops.copy, self.body.trainable_variables))
        variables = self.body.non_trainable_variables
        states = list(map(keras.ops.copy, variables))  # the second pass comes after the update
        inputs = list(map(_as_number, inputs))
        if self.slices > 1:
            return _as_before(self._in_slices(inputs, weights, states), self.body.outputs)
        outputs, losses, states = self._run(inputs, weights, states)
        for loss in losses:
            self.add_loss(loss)
        for variable, value in zip(variables, states, strict=True):
            variable.assign(value)
        return _as_before(outputs, self.body.outputs)

    def _in_slices(self, inputs, weights, states):
        """Slice by slice: a generator of random numbers, a seed and a counter, draws at most once in each call."""
        variables = self.body.non_trainable_variables

        def advanced(variable, state, slices):
            if not is_seed(variable):
                return state
            return state + keras.ops.cast([0, self.calls], state.dtype) * keras.ops.cast(slices, state.dtype)

        def after(slices):
            return [advanced(*pair, slices) for pair in zip(variables, states, strict=True)]

        def run(number, part):
            return self._run(part, weights, after(number))[0]

        for variable, state in zip(variables, after(self.slices), strict=True):
            variable.assign(state)
        return slice_by_slice(run, inputs, list(map(_as_number, self.body.outputs)), self.slices)

    def _run(self, inputs, weights, states):
        """(outputs, losses, states), of which the backward pass keeps the inputs only."""
        before = list(zip(self.body.non_trainable_variables, states, strict=True))
        losses = []

        def run(*tensors):
            values = _after(tensors[len(inputs) :], tensors[: len(inputs)])
            mapping = before + list(zip(self.body.trainable_variables, values, strict=True))
            given = _as_before(tensors[: len(inputs)], self.body.inputs)
            given = [keras.ops.stop_gradient(t) if i in self.data else t for i, t in enumerate(given)]
            with keras.StatelessScope(mapping, collect_losses=True) as scope:
                outputs = list(map(_as_number, keras.tree.flatten(self.body(given, training=True))))
            if self.slices > 1:  # a gradient by whole numbers would stop TensorFlow's loop
                return tuple(outputs)
            losses[:] = scope.losses
            return (*outputs, *losses, *(scope.get_current_value(variable) for variable, _ in before))

        results = list(keras.remat(run)(*inputs, *weights))
        first, last = len(self.body.outputs), len(self.body.outputs) + len(losses)
        return results[:first], results[first:last], results[last:]


def _as_number(tensor):
    """A mask as 0 and 1: TensorFlow computes nothing twice through tensors of booleans."""
    boolean = keras.backend.standardize_dtype(tensor.dtype) == "bool"
    return keras.ops.cast(tensor, "float32") if boolean else tensor


def _as_before(tensors, like):
    """Masks of the numbers that `_as_number` made of them."""
    pairs = zip(tensors, like, strict=True)
    return [keras.ops.cast(x, "bool") if keras.backend.standardize_dtype(y.dtype) == "bool" else x for x, y in pairs]


def _after(tensors, others):
    """The same tensors; what is computed from them is computed once the others are there.

    TensorFlow begins with all that can be computed at once: kernels expanded from variables alone would all be there
    from the beginning of a step. JAX orders a compiled step by its memory, torch does as it is told.
    """
    if keras.backend.backend() != "tensorflow":
        return tensors
    import tensorflow as tf

    with tf.control_dependencies(others):
        return [tf.identity(tensor) for tensor in tensors]


def _alive(some_calls, position, outputs):
    """The tensors that calls before `position` give, or none does, and those after it or the model's outputs need."""
    inside = ids([call.outputs for call in some_calls[position:]])
    needed = [tensor for call in some_calls[position:] for tensor in call.inputs] + outputs
    return list({id(tensor): tensor for tensor in needed if id(tensor) not in inside}.values())


def _body(some_calls, start, stop, outputs):
    """(functional model of the calls of one run, the tensors that enter it, those that leave it)."""
    given = ids([call.outputs for call in some_calls[start:stop]])
    entering = [t for t in _alive(some_calls[:stop], start, []) if id(t) not in given]
    leaving = [tensor for tensor in _alive(some_calls, stop, outputs) if id(tensor) in given]
    inputs = list(map(fresh, entering))
    real = dict(zip(map(id, entering), inputs, strict=True))
    replay(some_calls[start:stop], real, lambda operation, *args, **kwargs: operation(*args, **kwargs))
    return keras.Model(inputs, [real[id(tensor)] for tensor in leaving]), entering, leaving


def _size(tensor):
    """Bytes of one example; axes of open length count once."""
    return math.prod(size or 1 for size in tensor.shape) * WIDTHS.get(keras.backend.standardize_dtype(tensor.dtype), 4)


def _runs(listed, outputs, batch_size, slices):
    """(start, stop, slices) of the runs into which the calls are cut."""
    made = [batch_size * sum(map(_size, call.outputs)) for call in listed]
    kernels = [_kernel_size(call.operation) for call in listed]
    kept = [batch_size * sum(map(_size, _alive(listed, position, outputs))) for position in range(len(listed))] + [0]
    alone = [treats_examples_alone(call.operation) for call in listed]
    return least_memory_runs(made, kernels, kept, alone, min(slices, batch_size))


def _kernel_size(layer):
    """Bytes of the kernel that a layer expands from its weights, which is kept for the backward pass like features."""
    expand = getattr(layer, "expanded_kernel", None)
    return 0 if expand is None else _size(expand())
