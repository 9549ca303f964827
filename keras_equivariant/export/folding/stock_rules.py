"""Stock layers on features with a fiber, on their 4-D form. A rule returns None where only the full form will do."""

import math

import keras
import numpy as np
from keras import layers

from keras_equivariant.export.folding.adaptive import ADAPTIVE, beside_fiber
from keras_equivariant.export.folding.features import in_packed_order
from keras_equivariant.export.folding.volumes import slopes
from keras_equivariant.layers.core.base import stock
from keras_equivariant.stock.inference import at_inference
from keras_equivariant.stock.traits import SYMMETRIC, TABLE, activation_name, is_elementwise

# With more fields a block-diagonal 1x1 convolution costs more than going to 5-D and back (measured, TF and TFLite).
_BLOCK_DIAGONAL_FIELDS = 16


def elementwise(emitter, operation, *args):
    """The operation on the 4-D forms, where all tensors are features of one shape, and constants the same in space."""
    tensors = [x for x in keras.tree.flatten(args) if isinstance(x, keras.KerasTensor)]
    features = [emitter.features.get(x) for x in tensors]
    if not all(features) or len({f.shape for f in features}) > 1 or all(f.tensor is None for f in features):
        return None
    constants = [x for x in keras.tree.flatten(args) if not isinstance(x, keras.KerasTensor) and np.ndim(x)]
    if any(set(np.shape(x)[: -1 - len(features[0].fiber)]) - {1} for x in constants):
        return None
    if len({f.sections for f in features}) > 1:
        for x in tensors:
            emitter.features.canonical(x)
    else:
        for x in tensors:
            emitter.features.packed(x)

    def four(x):
        if isinstance(x, keras.KerasTensor):
            return emitter.features.get(x).tensor
        return x if np.ndim(x) == 0 else _on_channels(keras.ops.convert_to_numpy(x), features[0])

    result = emitter.copy(operation, *keras.tree.map_structure(four, args))
    return emitter.features.add(features[0].holding(result))


def _on_channels(constant, features):
    """A constant that differs between the fields, or along the fiber, as one of the channels of the 4-D form."""
    sizes = (*features.fiber, features.fields)
    kept = constant.reshape(constant.shape[-len(sizes) :])
    return in_packed_order(np.broadcast_to(kept, sizes).ravel(), features.order, features.sections)


def _activation(emitter, layer, x):
    if is_elementwise(layer.activation):
        return elementwise(emitter, layer, x)
    of_fields = activation_name(layer.activation) in SYMMETRIC
    return _on_vectors(emitter, x, lambda flat: emitter.copy(layer, flat)) if of_fields else None


def _is_elementwise_rescaling(emitter, layer, x):
    scalars = np.ndim(layer.scale) == 0 and np.ndim(layer.offset) == 0
    return elementwise(emitter, layer, x) if scalars else None


def _batch_normalization(emitter, layer, x):
    """Parameters along the fields, or along an axis of the fiber, as one for each entry of the fiber and field."""
    features = emitter.features.get(x)
    along = layer.axis % len(features.shape) - 1 - features.rank
    if along < 0 or features.tensor is None:
        return None
    sizes = (*features.fiber, features.fields)
    overrides, weights = at_inference(layer)

    def spread(w):
        w = np.broadcast_to(w.reshape(*(-1 if axis == along else 1 for axis in range(len(sizes)))), sizes)
        return in_packed_order(w.ravel(), features.order, features.sections)

    source = (id(layer), features.order, features.sections)
    result = emitter.apply(source, layer, list(map(spread, weights)), features.tensor, **{**overrides, "axis": -1})
    return emitter.features.add(features.holding(result))


def _prelu(emitter, layer, x):
    features = emitter.features.canonical(x)  # of four axes, for TFLite has it for no more
    alpha = layer.get_weights()[0]
    space = alpha.shape[: features.rank]
    alpha = np.broadcast_to(alpha, (*space, *features.fiber, features.fields)).reshape(*space, -1)
    if features.rank == 3:
        return emitter.features.add(features.holding(slopes(features.tensor, alpha)))
    shared = [axis for axis in (layer.shared_axes or ()) if axis <= features.rank]
    source = (id(layer), features.order, features.sections)
    result = emitter.apply(source, layer, [alpha], features.tensor, shared_axes=shared or None)
    return emitter.features.add(features.holding(result))


def _concatenate(emitter, layer, xs):
    """Along the fields: the parts side by side, each with its own group axis."""
    features = [emitter.features.get(x) for x in xs]
    if not all(features) or len({f.fiber for f in features}) > 1:
        return None
    if layer.axis not in (-1, len(features[0].shape) - 1):
        return None
    features = [emitter.features.packed(x) for x in xs]
    result = emitter.replace(layer, layers.Concatenate, axis=-1)([f.tensor for f in features])
    sections = sum((f.sections for f in features), ())
    return emitter.features.add(features[0].holding(result, sections))


def _dense(emitter, layer, x):
    """The same map for every group element: a block-diagonal 1x1 convolution."""
    features = emitter.features.get(x)
    small = features.fields <= _BLOCK_DIAGONAL_FIELDS
    if features.tensor is None or not small or not is_elementwise(layer.activation):
        return None
    _, (kernel, *bias) = at_inference(layer)
    kernel = np.kron(np.eye(features.order), kernel)
    kernel = in_packed_order(kernel, features.order, features.sections, axis=0)
    kernel = kernel.reshape((1,) * features.rank + kernel.shape)
    weights = [kernel, *(np.tile(b, features.order) for b in bias)]
    convolution = stock("Conv", features.rank)(
        features.order * layer.units, 1, activation=layer.activation, use_bias=layer.use_bias, name=layer.name
    )
    source = (id(layer), features.order, features.sections)
    result = emitter.apply(source, convolution, weights, features.tensor)
    return emitter.features.add(features.holding(result, (layer.units,)))


def _as_2d(twin, arguments):
    """A 3-D layer that leaves the group axis alone (size 1 or padding 0 there) is its 2-D twin on the 4-D form."""

    def rule(emitter, layer, x):
        features = emitter.features.get(x)
        config = layer.get_config()
        sizes = {name: config[name] for name in arguments}
        neutral = (1, 0, (0, 0), [0, 0])
        if features.tensor is None or any(size[2] not in neutral for size in sizes.values()):
            return None
        same = {name: config[name] for name in ("padding",) if name in config and name not in arguments}
        new = emitter.replace(layer, twin, **same, **{name: size[:2] for name, size in sizes.items()})
        result = new(features.tensor)
        return emitter.features.add(features.holding(result))

    return rule


def _global_pooling(over_space, over_group):
    def rule(emitter, layer, x):
        features = emitter.features.get(x)
        if layer.keepdims or features.tensor is None:
            return None
        features = emitter.features.canonical(x)
        result = emitter.replace(layer, over_space)(features.tensor)
        result = emitter.make(layers.Reshape, f"{layer.name}_unpack", (features.order, features.fields))(result)
        return emitter.make(over_group, f"{layer.name}_group")(result)

    return rule


def _on_vectors(emitter, x, function):
    """A function of each vector of fields: the last axis of space and the fiber as one, so that 4-D will do."""
    features = emitter.features.get(x)
    if features.tensor is None:
        return None
    features = emitter.features.canonical(x)
    *before, last = features.tensor.shape[1:-1]
    if last is None or None in before:
        return None
    vectors = (math.prod(before[:-1]), before[-1]) if features.rank == 3 else before
    result = function(keras.ops.reshape(features.tensor, (-1, *vectors, last * features.order, features.fields)))
    channels = features.order * features.fields
    return emitter.features.add(features.holding(keras.ops.reshape(result, (-1, *before, last, channels))))


def _layer_normalization(emitter, layer, x):
    """Of each vector of fields by itself."""
    features = emitter.features.get(x)
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else (layer.axis,)
    if features.tensor is None or {axis % len(features.shape) for axis in axes} != {len(features.shape) - 1}:
        return None
    overrides, weights = at_inference(layer)
    return _on_vectors(
        emitter, x, lambda v: emitter.apply((id(layer), "last"), layer, weights, v, **{**overrides, "axis": -1})
    )


def _group_normalization(emitter, layer, x):
    """Of volumes: the last axis of space and the fiber as one, for LiteRT has no means over more axes."""
    features = emitter.features.get(x)
    last = layer.axis in (-1, len(features.shape) - 1)
    if features.rank < 3 or not last or None in features.shape[1 : 1 + features.rank]:
        return None
    features = emitter.features.canonical(x)
    *before, width, channels = features.tensor.shape[1:]
    flat = keras.ops.reshape(features.tensor, (-1, *before, width * features.order, features.fields))
    overrides, weights = at_inference(layer)
    result = emitter.apply((id(layer), "last"), layer, weights, flat, **{**overrides, "axis": -1})
    return emitter.features.add(features.holding(keras.ops.reshape(result, (-1, *before, width, channels))))


def _reshape(emitter, layer, x):
    """Row-major order is the same in both forms."""
    return emitter.copy(layer, emitter.features.canonical(x).tensor)


RULES = {
    **dict.fromkeys(ADAPTIVE, beside_fiber),
    layers.Activation: _activation,
    layers.BatchNormalization: _batch_normalization,
    layers.Concatenate: _concatenate,
    layers.Dense: _dense,
    layers.GroupNormalization: _group_normalization,
    layers.LayerNormalization: _layer_normalization,
    layers.PReLU: _prelu,
    layers.Rescaling: _is_elementwise_rescaling,
    layers.Flatten: _reshape,
    layers.Reshape: _reshape,
    layers.MaxPooling3D: _as_2d(layers.MaxPooling2D, ("pool_size", "strides")),
    layers.AveragePooling3D: _as_2d(layers.AveragePooling2D, ("pool_size", "strides")),
    layers.UpSampling3D: _as_2d(layers.UpSampling2D, ("size",)),
    layers.ZeroPadding3D: _as_2d(layers.ZeroPadding2D, ("padding",)),
    layers.Cropping3D: _as_2d(layers.Cropping2D, ("cropping",)),
    layers.GlobalAveragePooling3D: _global_pooling(layers.GlobalAveragePooling2D, layers.GlobalAveragePooling1D),
    layers.GlobalMaxPooling3D: _global_pooling(layers.GlobalMaxPooling2D, layers.GlobalMaxPooling1D),
    **{
        cls: elementwise
        for cls, row in TABLE.items()
        if row.kind in ("function", "merge") and cls is not layers.Activation
    },
}
