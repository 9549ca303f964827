"""What each layer of a network becomes on a subgroup: convolutions by their dense kernels, the others by a table."""

import keras
import numpy as np

from keras_equivariant import groups, layers
from keras_equivariant.graphs.reading import walk as graph_layers
from keras_equivariant.graphs.weights import DeferredWeights, clone_with
from keras_equivariant.layers.core.rotated_conv import RotatedConv
from keras_equivariant.layers.core.typed import Typed
from keras_equivariant.layers.core.window_pooling import PixelwiseLayer
from keras_equivariant.layers.harmonic.features import OnHarmonic
from keras_equivariant.layers.points.features import OnPoints
from keras_equivariant.layers.regular.group_depthwise_conv import GroupDepthwiseConv
from keras_equivariant.stock import making
from keras_equivariant.stock.inference import at_inference
from keras_equivariant.stock.traits import (
    ELEMENTWISE_OPERATIONS,
    SYMMETRIC,
    SYMMETRIC_OPERATIONS,
    activation_name,
    has,
    is_elementwise,
    traits,
)
from keras_equivariant.transfer import typed_rules
from keras_equivariant.transfer.convolutions import restrict_depthwise, restrict_rotated
from keras_equivariant.transfer.copies import copy
from keras_equivariant.transfer.restricted_layouts import Split

# What to use instead of layers that have no restriction.
_REMEDIES = {
    layers.GroupRepeat: "GroupPooling before what is joined there, without a group axis",
    layers.Relaxed: "keras_equivariant.project(model).model, and restrict that",
}


def apply_rule(walk, operation, args, kwargs):
    """The tensors of the restricted network for one call of the model's."""
    forms = [walk.form(x) for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    if isinstance(operation, (OnPoints, layers.ImageToPoints)):
        return _on_points(walk, operation, args, kwargs)
    if isinstance(operation, Typed):
        return typed_rules.apply(walk, operation, args[0])
    if isinstance(operation, RotatedConv):
        return _rotated(walk, operation, args[0])
    if isinstance(operation, GroupDepthwiseConv):
        return _depthwise(walk, operation, args[0])
    if isinstance(operation, layers.GroupPooling):
        return _group_pooling(walk, operation, args[0])
    if isinstance(operation, layers.FlattenFields) and any(forms):
        typed_rules.refuse_flattening(operation)
    if isinstance(operation, PixelwiseLayer):
        return _pixelwise(walk, operation, args[0])
    if isinstance(operation, (OnHarmonic, layers.HarmonicConv2D)):
        raise ValueError(
            f'{type(operation).__name__} has no restriction. Received: the layer "{operation.name}"; build the network '
            "with SteerableConv2D on SO2 and restrict that"
        )
    _check_inside(walk, operation)
    if not any(forms):
        return copy(walk, operation)(*args, **kwargs)
    if any(isinstance(form, groups.FieldType) for form in forms):
        return typed_rules.apply_stock(walk, operation, args, kwargs, forms)
    form = next(form for form in forms if form)
    if has(operation, "merge") or _is_elementwise_operation(operation):
        args, kwargs = _spread(walk, operation, args, kwargs, form)
    elif len(set(forms)) > 1:
        raise _joined(operation, forms)
    return _on_split(walk, operation, args, kwargs, form)


def _joined(operation, forms):
    return ValueError(
        "What one layer joins must be split alike. Received: fields split into "
        f'{[form.orbits if form else 1 for form in forms]} as the inputs of "{operation.name}"; pool over the '
        "group before it"
    )


def _spread(walk, operation, args, kwargs, form):
    """The arguments of a function of each number; those without a group axis have what one field had for all that it
    has become."""
    tensors = keras.tree.flatten((args, kwargs))
    forms = [walk.form(x) for x in tensors if isinstance(x, keras.KerasTensor)]
    if set(forms) - {None, form}:
        raise _joined(operation, forms)
    layer = isinstance(operation, keras.layers.Layer)

    def spread(x):
        shape = tuple(getattr(x, "shape", ()))
        if isinstance(x, keras.KerasTensor) and walk.form(x) or not shape:
            return x
        # A layer of Keras's puts axes of one between the batch and the channels of a vector.
        if len(shape) > (2 if layer else 1) and shape[-2] != 1 or len(shape) == 1 and isinstance(x, keras.KerasTensor):
            raise _joined(operation, forms)
        return x if shape[-1] == 1 else keras.ops.repeat(x, form.orbits, axis=-1)

    return keras.tree.map_structure(spread, (args, kwargs))


def _on_points(walk, operation, args, kwargs):
    if isinstance(operation, Typed) and not walk.affects(operation):
        return copy(walk, operation)(*args, **kwargs)
    raise ValueError(
        f'{type(operation).__name__} has no restriction. Received: the layer "{operation.name}"; build the network on '
        "points with layers on the smaller group, and train that"
    )


def _check_inside(walk, operation):
    """ValueError for a wrapper, or a layer that could not be followed, around a layer that should be restricted."""
    for layer in graph_layers(operation) if isinstance(operation, keras.layers.Layer) else ():
        group = getattr(layer, "group", None)
        if isinstance(group, groups.Group) and group.orthogonal and walk.affects(layer, group):
            around = f' around "{layer.name}"'
            remedy = f'"{layer.name}" without it, or build the model in the functional API'
            if layer is operation:
                around, remedy = (
                    "",
                    _REMEDIES.get(type(layer), "layers of the subgroup from there on, or GroupPooling before it"),
                )
            raise ValueError(
                f"{type(operation).__name__} has no restriction. Received: the layer "
                f'"{operation.name}"{around} on {group.name}; use {remedy}'
            )


def _rotated(walk, layer, x):
    if not walk.affects(layer):
        return copy(walk, layer)(x)
    if not layer.lifting and not isinstance(walk.form(x), Split):
        raise ValueError(
            "A network that is restricted must start from images. "
            f'Received: features with a group axis as the input of "{layer.name}"; put the lifting convolution into it'
        )
    orbits = layer.group.order // walk.subgroup.order
    _check_activation(layer, layer.filters, orbits)
    new = walk.make(layer, (), lambda name: restrict_rotated(layer, walk.subgroup, tuple(x.shape), name))
    return walk.mark(new(x), Split(orbits))


def _depthwise(walk, layer, x):
    if not walk.affects(layer):
        return copy(walk, layer)(x)
    form = walk.form(x)
    if not isinstance(form, Split) or layer.depth_multiplier > 1:
        raise ValueError(
            f"{type(layer).__name__} is restricted behind a lifting convolution and with depth_multiplier=1. "
            f'Received: the layer "{layer.name}" with depth_multiplier={layer.depth_multiplier}; make more fields in '
            "the group convolution before it"
        )
    _check_activation(layer, x.shape[-1] // form.orbits, form.orbits)
    new = walk.make(layer, (), lambda name: restrict_depthwise(layer, walk.subgroup, tuple(x.shape), name))
    return walk.mark(new(x), form)


def _check_activation(layer, fields, orbits):
    """ValueError where an activation would mix the fields that one field becomes, as a softmax over fields does."""
    activation = layer.activation
    if is_elementwise(activation):
        return
    x = np.random.default_rng(0).normal(size=(2, fields, orbits)).astype("float32")
    whole = keras.ops.convert_to_numpy(activation(x.reshape(2, -1)))
    parts = np.stack([keras.ops.convert_to_numpy(activation(x[..., i])) for i in range(orbits)], axis=-1)
    if whole.size != parts.size or not np.allclose(whole.reshape(parts.shape), parts, atol=1e-6):
        raise ValueError(
            "An activation on a subgroup must treat every field by itself, for one field becomes several. Received: "
            f'activation="{activation.__name__}" of the layer "{layer.name}"; use an element-wise one, or put it '
            "behind GroupPooling"
        )


def _group_pooling(walk, layer, x):
    form = walk.form(x)
    if not isinstance(form, Split):
        return copy(walk, layer)(x)
    if layer.subgroup is None:
        group = None if layer.group is None else walk.subgroup
        options = {"group": group, "orbits": layer.orbits * form.orbits}
        return walk.make(layer, form, lambda name: clone_with(layer, name, **options))(x)
    kept = _members(layer, walk.subgroup)
    if kept is None or layer.orbits > 1:
        raise ValueError(
            f"Pooling over cosets is restricted to a group that contains {layer.subgroup}, a normal subgroup of "
            f'{layer.group.name}. Received: {walk.subgroup.name} for the layer "{layer.name}"; restrict to a larger '
            "group, or pool over the whole group"
        )
    options = {"group": walk.subgroup, "subgroup": kept}
    return walk.mark(walk.make(layer, form, lambda name: clone_with(layer, name, **options))(x), form)


def _members(layer, subgroup):
    """The pooled subgroup as one of the new group: its name, or its elements; None where there is no such rule."""
    group, members = layer.group, layer.group.subgroup(layer.subgroup)
    normal = all(
        group.product(group.product(g, k), group.inverse(g)) in members for g in range(group.order) for k in members
    )
    try:
        elements = subgroup.subgroup([subgroup.index(group.matrices[k]) for k in members])
    except ValueError:
        return None
    return (layer.subgroup if isinstance(layer.subgroup, str) else elements) if normal else None


def _pixelwise(walk, layer, x):
    if layer.group is None or not walk.affects(layer):
        return walk.mark(copy(walk, layer)(x), walk.form(x))
    new = walk.make(layer, (), lambda name: clone_with(layer, name, group=walk.subgroup))
    return walk.mark(new(x), walk.form(x))


def _on_split(walk, operation, args, kwargs, form):
    """A stock layer on regular features whose fields have become several."""
    x = args[0]
    rank = next(len(t.shape) for t in keras.tree.flatten(args) if isinstance(t, keras.KerasTensor))
    if _elementwise(operation, rank):
        return walk.mark(copy(walk, operation)(*args, **kwargs), form)
    if has(operation, "global") and rank == 5 and not operation.keepdims:
        over_space = getattr(keras.layers, type(operation).__name__.replace("3D", "2D"))
        options = {"mode": "mean" if traits(operation).linear else "max", "orbits": form.orbits}
        pool = walk.make(operation, ("group", form), lambda name: layers.GroupPooling(**options, name=name))
        return walk.make(operation, ("space", form), lambda name: making.make(over_space, name=name))(pool(x))
    axes = _axes(operation, rank)
    alone = len(keras.tree.flatten((args, kwargs))) == 1  # without a mask, say
    if axes == {rank - 1} and alone:
        return walk.mark(_of_each_orbit(walk, operation, x, form), form)
    if axes is not None and alone and not getattr(operation, "weights", ()) and len(axes & {rank - 2, rank - 1}) != 1:
        return walk.mark(copy(walk, operation)(x), form)  # of all fields and elements, or of each by itself
    change = _changed(operation, form.orbits, rank)
    if change is None:
        raise ValueError(
            f"{type(operation).__name__} has no restriction on features with a group axis. Received: the layer "
            f'"{operation.name}"; use BatchNormalization, Dense or an activation there, or GroupPooling before it'
        )
    options, weights = change
    new = walk.make(operation, form, lambda name: DeferredWeights(clone_with(operation, name, **options), weights))
    return walk.mark(new(x), form)


def _axes(layer, rank):
    """The axes of which a layer sees all numbers at once, and treats them alike; None for other layers."""
    if isinstance(layer, keras.layers.Activation):
        return {rank - 1} if activation_name(layer.activation) in SYMMETRIC else None
    if type(layer).__name__ in SYMMETRIC_OPERATIONS and not isinstance(layer, keras.layers.Layer):
        return {axis % rank for axis in np.ravel(layer.axis).tolist()}
    kinds = (keras.layers.LayerNormalization, keras.layers.RMSNormalization)
    if not has(layer, "unit") and not has(layer, "softmax") and not isinstance(layer, kinds):
        return None
    return {axis % rank for axis in np.ravel(layer.axis).tolist()}


def _of_each_orbit(walk, layer, x, form):
    """A function of all fields, each of which has become several: of those of one orbit."""
    if x.shape[1:].count(None) > 1:
        raise ValueError(
            f"{type(layer).__name__} is restricted on known sizes. Received: the layer "
            f'"{layer.name}" on features of shape {tuple(x.shape)}; give the input a shape without None'
        )
    whole = [-1 if size is None else size for size in x.shape[1:]]
    # Three axes: of more than five TensorFlow has no softmax.
    apart = (-1, whole[-1] // form.orbits, form.orbits)

    def step(role, kind, argument):
        return walk.make(layer, (role, *argument), lambda name: making.make(kind, argument, name=name))

    def build(name):
        if not isinstance(layer, keras.layers.Layer):
            return keras.layers.Activation(SYMMETRIC_OPERATIONS[type(layer).__name__], name=name)
        options = {"axis": axis} if hasattr(layer, "axis") else {}
        return DeferredWeights(clone_with(layer, name, **options), layer.get_weights())

    y = step("apart", keras.layers.Reshape, apart)(x)
    # A softmax is one of the last axis, and of another RMSNormalization's scale does not broadcast.
    last = not has(layer, "unit") and not isinstance(layer, keras.layers.LayerNormalization)
    axis = -1 if last else -2
    swapped = step("swapped", keras.layers.Permute, (1, 3, 2))
    y = walk.make(layer, form, build)(swapped(y) if last else y)
    return step("joined", keras.layers.Reshape, tuple(whole))(swapped(y) if last else y)


def _is_elementwise_operation(operation):
    return not isinstance(operation, keras.layers.Layer) and type(operation).__name__ in ELEMENTWISE_OPERATIONS


def _elementwise(operation, rank):
    if not isinstance(operation, keras.layers.Layer):
        return _is_elementwise_operation(operation)
    if isinstance(operation, keras.layers.Activation):
        return is_elementwise(operation.activation)
    if isinstance(operation, keras.layers.Concatenate):
        return operation.axis in (-1, rank - 1)
    if isinstance(operation, keras.layers.Rescaling):
        return np.ndim(operation.scale) == np.ndim(operation.offset) == 0
    return has(operation, "identity") or has(operation, "function") or has(operation, "merge")


def _changed(operation, orbits, rank):
    """What to change in a stock layer with weights for each field, and its weights; None for layers without a rule."""
    if not isinstance(operation, keras.layers.Layer):
        return None
    weights = operation.get_weights()
    if isinstance(operation, keras.layers.BatchNormalization) and operation.axis in (-1, rank - 1):
        activation = getattr(operation, "activation", keras.activations.linear)
        return ({}, [np.repeat(w, orbits) for w in weights]) if is_elementwise(activation) else None
    if isinstance(operation, keras.layers.PReLU) and set(weights[0].shape[:-1]) <= {1}:
        return {}, [np.repeat(weights[0], orbits, axis=-1)]
    if isinstance(operation, layers.LayerScale):
        return {}, [np.repeat(weights[0], orbits)]
    if type(operation) is keras.layers.Dense and is_elementwise(operation.activation):
        changes, (kernel, *bias) = at_inference(operation)
        return {**changes, "units": operation.units * orbits}, [
            np.kron(kernel, np.eye(orbits)),
            *(np.repeat(b, orbits) for b in bias),
        ]
    return None
