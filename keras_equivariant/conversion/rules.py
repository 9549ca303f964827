"""What becomes of layers without windows: activations, normalizations, merges, dense layers, pooling over all space."""

import math
from functools import partial

import keras

from keras_equivariant.conversion.kinds import FLAT, IMAGE, INVARIANT, REGULAR
from keras_equivariant.conversion.plan_operations import REDUCTIONS, only_adds_axes, over_channels
from keras_equivariant.conversion.problems import unknown
from keras_equivariant.conversion.reshaping import RESHAPES
from keras_equivariant.conversion.spatial import resized, taken
from keras_equivariant.graphs.weights import settings
from keras_equivariant.stock import making
from keras_equivariant.stock.traits import is_linear, traits

POINT = "mixes pixels alone, as a convolution of one"
MAP = "the flattened map, as a convolution over all of it"


def _same(walk, call, args, kwargs):
    """The layer as it is."""
    (x, *_) = args
    return walk.mark(walk.copy(call.operation)(*args, **kwargs), walk.kind(x))


def free(walk, call, args, kwargs):
    """Any function of what does not move, as it is."""
    layer = isinstance(call.operation, keras.layers.Layer)
    results = (walk.copy(call.operation) if layer else partial(walk.again, call.operation))(*args, **kwargs)
    for result in keras.tree.flatten(results):
        walk.mark(result, INVARIANT)
    return results


def _identity(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    if traits(layer).rank and walk.kind(x) == REGULAR:  # SpatialDropout: whole fields
        shape = (None, *(1,) * (walk.rank + 1), None)
        options = {"rate": layer.rate, "noise_shape": shape, "seed": layer.seed, "dtype": layer.dtype_policy}
        new = walk.make(layer, "", lambda name: keras.layers.Dropout(**options, name=name))
        walk.because("drops whole fields")
        return walk.mark(new(x, **kwargs), REGULAR)
    noise = getattr(layer, "noise_shape", None)
    if noise is not None and walk.kind(x) == REGULAR:
        noise = (*noise[:-1], 1 if noise[-1] == 1 else None, noise[-1])
        return walk.mark(walk.copy(layer, noise_shape=noise)(x, **kwargs), REGULAR)
    return _same(walk, call, args, kwargs)


def _normalization(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    if isinstance(layer, keras.layers.Normalization):
        return walk.mark(walk.copy(layer, keep_weights=True)(*args), walk.kind(x))
    changes = {}
    if getattr(layer, "axis", -1) not in (-1, [-1], (-1,)):
        changes["axis"] = -1
    fields, groups = x.shape[-1], getattr(layer, "groups", 1)
    if groups > 1 and (fields % groups or groups == call.inputs[0].shape[-1]):
        whole = groups == call.inputs[0].shape[-1]
        changes["groups"] = fields if whole else max(n for n in range(1, groups + 1) if fields % n == 0)
        walk.because(f"groups={changes['groups']} divide the {fields} fields")
    return walk.mark(walk.copy(layer, **changes)(x, **kwargs), walk.kind(x))


def _slopes(walk, call, args, kwargs):
    x = args[0]
    shared = list(range(1, len(x.shape) - 1)) or None
    return walk.mark(walk.copy(call.operation, shared_axes=shared)(x), walk.kind(x))


def _gain(walk, call, args, kwargs):
    x = args[0]
    return walk.mark(walk.copy(call.operation, projection_dim=x.shape[-1])(x), walk.kind(x))


def _scale(walk, call, args, kwargs):
    return walk.mark(walk.copy(call.operation)(*args, **kwargs), walk.kind(args[0]))


def _alike(walk, call, tensors):
    """Tensors of one kind, so that they can be merged."""
    kinds = {walk.kind(x) for x in tensors}
    if REGULAR in kinds:
        return [walk.lift(x, call.operation.name) for x in tensors], REGULAR
    if IMAGE in kinds and INVARIANT in kinds:
        shape = (*(1,) * walk.rank, -1)
        return [x if walk.kind(x) == IMAGE else keras.layers.Reshape(shape)(x) for x in tensors], IMAGE
    return tensors, kinds.pop()


def _merge(walk, call, args, kwargs):
    tensors, kind = _alike(walk, call, list(args[0]))
    walk.check_sizes(tensors)
    return walk.mark(walk.copy(call.operation)(tensors), kind)


def _join(walk, call, args, kwargs):
    tensors, kind = _alike(walk, call, list(args[0]))
    walk.check_sizes(tensors)
    return walk.mark(walk.copy(call.operation, axis=-1)(tensors), kind)


def _dense(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    if walk.kind(x) == FLAT:
        return _over_map(walk, call, x)
    if walk.kind(x) == REGULAR:
        if layer in walk.plan.predictions:
            x = walk.pool(x, "max", layer.name)
            return walk.mark(walk.copy(layer)(x), IMAGE)
        walk.because(POINT)
        new = walk.make(layer, "", lambda name: _as_convolution(walk, layer, name, walk.filters(call.outputs[0]), 1))
        return walk.mark(new(x), REGULAR)
    return walk.mark(walk.copy(layer, units=walk.filters(call.outputs[0]))(x), walk.kind(x))


def _as_convolution(walk, layer, name, filters, kernel_size, lifting=False, **changes):
    """A dense layer as a convolution of this package."""
    cls = walk.ours("LiftingConv" if lifting else "GroupConv")
    config = {key: value for key, value in settings(layer).items() if key in _DENSE_OPTIONS}
    config |= {"filters": filters, "kernel_size": kernel_size, "group": walk.group, "name": name, **changes}
    return cls(**config)


_DENSE_OPTIONS = (
    *("activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer"),
    *("activity_regularizer", "kernel_constraint", "bias_constraint", "dtype", "trainable"),
)


def _over_map(walk, call, x):
    """A dense layer on a flattened map: a convolution whose window is the map, then pooling over the group."""
    layer, lifting = call.operation, len(x.shape) == walk.rank + 2
    final = layer in walk.plan.predictions
    walk.because(MAP)
    sizes = walk.square(walk.space(x), layer)
    changes = {"activation": None} if final else {}
    filters = walk.filters(call.outputs[0])
    new = walk.make(layer, "", lambda name: _as_convolution(walk, layer, name, filters, sizes, lifting, **changes))
    y = walk.pool(walk.mark(new(x), REGULAR), "mean" if final else "max", layer.name)
    y = making.make(keras.layers.Flatten, name=walk.names.new(f"{layer.name}_flatten"))(y)
    if final and not is_linear(layer.activation):
        name = walk.names.new(f"{layer.name}_activation")
        y = keras.layers.Activation(layer.activation, name=name, dtype=layer.dtype_policy)(y)
    return walk.mark(y, INVARIANT)


def _global(walk, call, args, kwargs):
    layer, x = call.operation, args[0]
    if walk.kind(x) == REGULAR:
        x = walk.pool(x, "mean" if traits(layer).linear else "max", layer.name)
    return walk.mark(walk.copy(layer)(x), IMAGE if layer.keepdims else INVARIANT)


def _reshape(walk, call, args, kwargs):
    x, shape = args[0], tuple(call.outputs[0].shape[1:])
    kind = walk.plan[call.outputs[0]].kind
    if tuple(call.inputs[0].shape[1:]) == shape:
        return x
    if kind == FLAT:
        walk.because("becomes part of the dense layer behind it")
        return walk.view(x, FLAT)
    if walk.kind(x) == REGULAR:
        x = walk.pool(x, "mean", call.operation.name)
    new = walk.make(
        call.operation, "", lambda name: keras.layers.Reshape((*shape[:-1], x.shape[-1]), name=name, dtype=x.dtype)
    )
    return walk.mark(new(x), kind)


def attention(walk, call, args, kwargs):
    """Attention between the pixels of a map, in each orientation by itself."""
    layer, names = call.operation, ("query", "value", "key")
    tensors = [*args[:3], *(kwargs.pop(name) for name in names if name in kwargs)]
    tensors, kind = _alike(walk, call, tensors)
    changes = {"attention_axes": tuple(range(1, walk.rank + 1))}
    if layer.get_config()["output_shape"] is not None:
        changes["output_shape"] = walk.filters(call.outputs[0])
    if kind == REGULAR:
        walk.because("in each orientation by itself")
    known = all(None not in x.shape[1:-1] for x in tensors)
    if kind == REGULAR and walk.rank > 2 and known and not kwargs and not args[3:]:
        return walk.mark(_in_rows(walk, layer, {**changes, "attention_axes": (1,)}, tensors), kind)
    return walk.mark(walk.copy(layer, **changes)(*tensors, *args[3:], **kwargs), kind)


def _in_rows(walk, layer, changes, tensors):
    """Attention between the voxels in one row: along three axes TensorFlow has no function of so many axes."""

    def reshape(x, *shape, role):
        return keras.layers.Reshape((*shape, *x.shape[-2:]), name=walk.names.new(f"{layer.name}_{role}"))(x)

    each = {id(x): x for x in tensors}
    rows = {key: reshape(x, math.prod(walk.space(x)), role="row") for key, x in each.items()}
    y = walk.copy(layer, **changes)(*(rows[id(x)] for x in tensors))
    return reshape(y, *walk.space(tensors[0]), role="voxels")


def operation(walk, call, args, kwargs):
    """An operation of keras.ops."""
    name = type(call.operation).__name__
    if over_channels(call):
        return walk.mark(walk.again(type(call.operation)(axis=-1, keepdims=True), args[0]), walk.kind(args[0]))
    if name in REDUCTIONS:
        x = walk.pool(args[0], REDUCTIONS[name], "pooled") if walk.kind(args[0]) == REGULAR else args[0]
        kind = IMAGE if call.operation.keepdims else INVARIANT
        return walk.mark(walk.again(call.operation, x), kind)
    if name == "Concatenate":
        tensors, kind = _alike(walk, call, list(args[0]))
        return walk.mark(keras.ops.concatenate(tensors, axis=-1), kind)
    if name in RESHAPES or only_adds_axes(call):
        return _reshape(walk, call, args, kwargs)
    if name == "GetItem":
        return taken(walk, call, args, kwargs)
    if name == "Split":
        widths = [walk.filters(tensor) for tensor in call.outputs]
        places = [sum(widths[: i + 1]) for i in range(len(widths) - 1)]
        parts = walk.again(type(call.operation)(places, axis=-1), args[0])
        return [walk.mark(part, walk.kind(args[0])) for part in parts]
    if name == "Resize":
        return resized(walk, call, args, kwargs)
    if name in ("Softmax", "LogSoftmax"):
        return walk.mark(walk.again(type(call.operation)(axis=-1), args[0]), walk.kind(args[0]))
    flat = keras.tree.flatten((args, kwargs))
    tensors = [x for x in flat if isinstance(x, keras.KerasTensor)]
    if not tensors:
        raise unknown(call.operation)
    alike, kind = _alike(walk, call, tensors)
    walk.check_sizes(alike)
    new = dict(zip(map(id, tensors), alike, strict=True))
    args, kwargs = keras.tree.map_structure(lambda x: new.get(id(x), x), (args, kwargs))
    return walk.mark(walk.again(call.operation, *args, **kwargs), kind)


def broadcasts(sizes):
    """Whether tensors of these sizes can be merged."""
    return all(len(set(column) - {1, None}) < 2 for column in zip(*sizes, strict=True))


RULES = {
    "identity": _identity,
    **dict.fromkeys(("function", "softmax", "unit"), _same),
    "normalization": _normalization,
    "slopes": _slopes,
    "gain": _gain,
    "scale": _scale,
    "merge": _merge,
    "join": _join,
    "dense": _dense,
    "global": _global,
    "flatten": _reshape,
    "reshape": _reshape,
}
