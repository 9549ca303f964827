"""What each layer of the unfolded model becomes: our layers by their `fold`, stock layers by the table at the end."""

import keras

from keras_equivariant import layers
from keras_equivariant.export.folding.adaptive import ADAPTIVE
from keras_equivariant.export.folding.attention import ATTENTION
from keras_equivariant.export.folding.features import Packed, in_packed_order
from keras_equivariant.export.folding.stock_rules import RULES, elementwise
from keras_equivariant.export.folding.volumes import VOLUMES
from keras_equivariant.graphs.reading import has_own_activation, is_composed, is_function, walk
from keras_equivariant.graphs.tracing import follow
from keras_equivariant.layers.core.base import space_rank
from keras_equivariant.stock import copies
from keras_equivariant.stock.inference import check_not_quantized
from keras_equivariant.stock.traits import ELEMENTWISE_OPERATIONS, has, is_elementwise, traits


def apply_rule(emitter, operation, args, kwargs):
    """Tensors of the folded graph for one call of the unfolded one."""
    if isinstance(operation, keras.layers.Layer):
        check_not_quantized(operation)
    if isinstance(operation, keras.layers.BatchNormalization | layers.SteerableBatchNormalization):
        kwargs.pop("mask", None)  # which points there are matters to the statistics of training alone
    if isinstance(operation, (layers.BatchNormalization, layers.LayerScale)):
        return _apply_steps(emitter, operation, args[0])
    if isinstance(operation, keras.layers.SpectralNormalization):
        return apply_rule(emitter, operation.layer, args, kwargs)  # the kernel is normalized while training
    if callable(getattr(operation, "fold_call", None)):
        return _apply_call(emitter, operation, *args)
    if callable(getattr(operation, "fold", None)):
        return _apply_own(emitter, operation, *args, **kwargs)
    if is_composed(operation):
        _follow(emitter, operation, args, kwargs)
    if not copies.is_stock(operation):
        raise ValueError(
            "Every layer must be a stock Keras layer or one that can be folded. Received: "
            f"{copies.describe(operation)}. "
            "Build it from stock layers, or give it a method `fold(input_shape) -> [(stock_layer, weights), ...]`."
        )
    if isinstance(operation, keras.layers.TimeDistributed):
        _check_frames(operation, args[0])
    if has(operation, "identity") and keras.backend.is_float_dtype(args[0].dtype):
        return args[0]
    given = [emitter.features.get(x) for x in keras.tree.flatten((args, kwargs))]
    if not any(given):
        rewrite = None if kwargs else VOLUMES.get(type(operation))
        return rewrite(emitter, operation, *args) if rewrite else _copied(emitter, operation, args, kwargs)
    if not kwargs:
        result = _by_table(emitter, operation, args)
        if result is not None:
            return result
    return _unpacked(emitter, operation, args, kwargs, next(f for f in given if f))


_REWRITTEN = {**ATTENTION, **ADAPTIVE}


def _copied(emitter, operation, args, kwargs):
    """A stock layer as it is, or as an equal one that more converters can read."""
    rewrite = _REWRITTEN.get(type(operation))
    result = rewrite(emitter, operation, *args, **kwargs) if rewrite else None
    return emitter.copy(operation, *args, **kwargs) if result is None else result


def _check_frames(operation, x):
    if any(not copies.is_stock(one) or is_function(one) or has_own_activation(one) for one in walk(operation)):
        raise ValueError(
            "A TimeDistributed layer of other than stock layers, or with a function of your own, is folded for a known "
            "number of frames of known size. "
            f'Received: "{operation.name}" of class {type(operation.layer).__name__} on inputs of shape '
            f"{tuple(x.shape)}; give the input a shape without None"
        )


def _follow(emitter, operation, args, kwargs):
    """Raises Untraceable: what is inside could not take the layer's place when the model was read."""
    args, kwargs = keras.tree.map_structure(emitter.features.full, (args, kwargs))
    follow(operation, args, kwargs, "folded")


def _apply_steps(emitter, layer, x):
    """Stock layers on the features as the layer takes them, one after the other."""
    known = emitter.features.get(x)
    for step in emitter.steps(layer, known.shape if known else tuple(x.shape)):
        x = apply_rule(emitter, step, (x,), {})
    return x


def _apply_call(emitter, layer, inputs):
    """What a layer of several tensors does, in operations of keras.ops and stock layers."""

    def apply(key, step, weights, tensor):
        weights = [keras.ops.convert_to_numpy(w) for w in weights]
        return emitter.apply((id(layer), key), step, weights, tensor)

    return layer.fold_call(apply, keras.tree.map_structure(emitter.features.full, inputs))


def _by_table(emitter, operation, args):
    if getattr(operation, "data_format", "channels_last") != "channels_last":
        return None
    if type(operation) in RULES:
        return RULES[type(operation)](emitter, operation, args[0])
    is_layer = isinstance(operation, keras.layers.Layer)
    if not is_layer and type(operation).__name__ in ELEMENTWISE_OPERATIONS:
        return elementwise(emitter, operation, *args)
    return None


def _unpacked(emitter, operation, args, kwargs, features):
    """Any stock layer whatever, on the features as they are in the unfolded model."""
    args, kwargs = keras.tree.map_structure(emitter.features.full, (args, kwargs))
    results = _copied(emitter, operation, args, kwargs)
    for result in keras.tree.flatten(results):
        if len(result.shape) > 2 + features.rank and tuple(result.shape[1 + features.rank : -1]) == features.fiber:
            emitter.features.add(Packed(features.fiber, (result.shape[-1],), features.rank, full=result))
    return results


def _apply_own(emitter, layer, inputs):
    """The stock layers that one of our layers folds to, one after the other."""
    features, order, sections = emitter.features, None, (0,)
    known = features.get(inputs)
    rank = space_rank(layer) or (known.rank if known else features.rank)
    input_shape = known.shape if known else tuple(inputs.shape)
    output_shape = layer.compute_output_shape(input_shape)
    steps = [(step, [keras.ops.convert_to_numpy(w) for w in weights]) for step, weights in layer.fold(input_shape)]
    tensor, activation = inputs, None
    if steps:
        steps, activation = _split_activation(steps, len(output_shape) > 2 + rank)
        own = getattr(layer, "activation", None)  # with its weights, of which a step has a copy without
        activation = own if type(activation) is type(own) and isinstance(own, keras.Layer) else activation
    if len(input_shape) > 2 + rank:
        if known and known.tensor is None and _only_unpacks(steps, input_shape):
            steps, tensor = steps[1:], known.full
        else:
            any_order = _takes_any_order(steps) and (steps or len(output_shape) > 2 + rank)
            packed = features.packed(inputs, rank) if any_order else features.canonical(inputs, rank)
            tensor, order, sections = packed.tensor, packed.order, packed.sections
    for i, (step, weights) in enumerate(steps):
        if not isinstance(step, keras.layers.Layer):
            tensor = step(tensor)
            continue
        if i == 0 and len(sections) > 1:
            weights = _permute(step, weights, order, sections)
        tensor = emitter.apply((id(layer), i, input_shape, sections), step, weights, tensor)
    if len(output_shape) < 3 + rank:
        tensor = emitter.view(tensor) if features.get(tensor) else tensor
        return tensor if activation is None else apply_rule(emitter, activation, (tensor,), {})
    if len(input_shape) < 3 + rank or not _keeps_order(steps):
        sections = (output_shape[-1],)
        tensor = emitter.view(tensor) if tensor is inputs else tensor
    packed = Packed(tuple(output_shape[1 + rank : -1]), sections, rank, tensor=tensor)
    tensor = features.add(packed)
    if type(activation) is keras.layers.Activation:
        result = _by_table(emitter, activation, (tensor,))
        return _unpacked(emitter, activation, (tensor,), {}, packed) if result is None else result
    return tensor if activation is None else apply_rule(emitter, activation, (tensor,), {})


def _split_activation(steps, has_fields):
    """The steps, and apart an activation that is a layer, or that looks at all fields at once (softmax) and needs the
    5-D form."""
    # Behind it there may be operations that choose pixels.
    place = next((i for i in range(len(steps) - 1, -1, -1) if isinstance(steps[i][0], keras.layers.Layer)), -1)
    last, weights = steps[place]
    activation = getattr(last, "activation", None)
    alone = isinstance(activation, keras.Layer)
    if activation is None or (not alone and (not has_fields or is_elementwise(activation))):
        return steps, None
    apart = activation if alone else keras.layers.Activation(activation, name=f"{last.name}_{activation.__name__}")
    before, behind = steps[:place], steps[place + 1 :]
    if isinstance(last, keras.layers.Activation):
        return [*before, *behind], apart
    linear = type(last).from_config({**last.get_config(), "activation": "linear"})
    return [*before, (linear, weights), *behind], apart


def _takes_any_order(steps):
    return _keeps_order(steps) or _mixes_all(steps[0][0])


def _mixes_all(step):
    """Whether every output channel of a step with a kernel follows from all input channels."""
    alone = getattr(step, "groups", 1) > 1 or hasattr(step, "depth_multiplier")
    return _input_axis(step) is not None and not alone


def _keeps_order(steps):
    return all(getattr(traits(step), "channelwise", False) for step, _ in steps)


def _input_axis(step):
    """Where the kernel of a step has its input channels; None without a kernel."""
    return getattr(traits(step), "input_axis", None)


def _only_unpacks(steps, shape):
    first = steps[0][0] if steps else None
    return isinstance(first, keras.layers.Reshape) and tuple(first.target_shape) == tuple(shape[1:])


def _permute(step, weights, order, sections):
    """The weights of a first step for channels in packed order."""
    if isinstance(step, keras.layers.BatchNormalization):
        return [in_packed_order(w, order, sections) for w in weights]
    if _input_axis(step) is None:
        return weights
    kernel = in_packed_order(weights[0], order, sections, axis=_input_axis(step))
    return [kernel, *weights[1:]]
