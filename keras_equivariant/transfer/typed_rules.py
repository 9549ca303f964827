"""What layers on field types become on a subgroup."""

import keras
import numpy as np

from keras_equivariant import layers
from keras_equivariant.graphs.weights import DeferredWeights, clone_with
from keras_equivariant.groups import FieldType
from keras_equivariant.groups.layouts import BreaksSymmetry, Image, Typed
from keras_equivariant.layers.core.steerable_weights import bias_size
from keras_equivariant.layers.steerable.steerable_conv import SteerableConv
from keras_equivariant.stock import laws
from keras_equivariant.transfer.convolutions import restrict_steerable, scalars_of
from keras_equivariant.transfer.copies import copy
from keras_equivariant.transfer.restricted_layouts import change_matrix, keeps_fields, per_field, restricted_type

# These treat each field by itself: they stay the same layer where no field falls apart.
_FIELD_BY_FIELD = (
    *(layers.FieldDropout, layers.FieldPooling, layers.GatedActivation, layers.NormActivation, layers.NormPooling),
    *(layers.NormMaxPooling2D, layers.NormMaxPooling3D, layers.SteerableGroupNormalization),
    *(layers.SteerableInstanceNormalization, layers.SteerableLayerNormalization),
)


def apply(walk, layer, x):
    """The tensor of the restricted network for one call of a typed layer."""
    form = walk.form(x)
    if not walk.affects(layer):
        return copy(walk, layer)(x)
    if isinstance(layer, layers.UnflattenFields):
        refuse_flattening(layer)
    if form is None and not layer.in_type.scalar:
        x = _restrict(walk, layer, "in", layer.in_type, x)
    return _restricted(walk, layer, x)


def _restricted(walk, layer, x):
    subgroup = walk.subgroup
    if isinstance(layer, (SteerableConv, layers.SteerableDense)):
        shape = tuple(x.shape)
        new = walk.make(layer, (), lambda name: restrict_steerable(layer, subgroup, shape, name))
    elif isinstance(layer, layers.SteerableBatchNormalization):
        new = walk.make(
            layer, (), lambda name: DeferredWeights(_on_subgroup(walk, layer, name), _statistics(layer, subgroup))
        )
    elif isinstance(layer, layers.PointwiseActivation) or (
        isinstance(layer, _FIELD_BY_FIELD) and keeps_fields(layer.in_type, subgroup)
    ):
        new = walk.make(layer, (), lambda name: DeferredWeights(_on_subgroup(walk, layer, name), layer.get_weights()))
    else:
        return _in_between(walk, layer, x)
    return walk.mark(new(x), layer.out_type)


def _in_between(walk, layer, x):
    """The layer as it is, between changes to the channels of the large group and back."""
    if not layer.in_type.scalar:
        options = {"out_type": layer.in_type, "subgroup": walk.subgroup}
        x = walk.make(layer, "before", lambda name: layers.Unrestrict(**options, name=f"{name}_unrestrict"))(x)
    y = copy(walk, layer)(x)
    if not walk.affects(layer, layer.out_type.group):  # Restrict to a group that is smaller still
        return y
    return walk.mark(_restrict(walk, layer, "after", layer.out_type, y), layer.out_type)


def _restrict(walk, layer, role, field_type, x):
    return walk.make(
        layer, role, lambda name: layers.Restrict(field_type, walk.subgroup, name=f"{name}_restrict_{role}")
    )(x)


def _on_subgroup(walk, layer, name):
    return clone_with(layer, name, in_type=restricted_type(layer.in_type, walk.subgroup), group=None)


def _statistics(layer, subgroup):
    """The weights of a batch normalization, of which some are one number a field and some one for each scalar in it."""
    whole = restricted_type(layer.in_type, subgroup)
    change = change_matrix(layer.in_type, subgroup)

    def scalars(channels):
        channels = np.zeros(whole.size) if channels is None else keras.ops.convert_to_numpy(channels)
        return scalars_of(change @ channels, whole)

    def fields(variable):
        return per_field(keras.ops.convert_to_numpy(variable), layer.in_type, subgroup)

    centered = bias_size(whole) > 0
    return [
        *([fields(layer.gamma)] if layer.scale else []),
        *([scalars(layer.affine(None)[1])] if layer.center and centered else []),
        *([scalars(layer._moving()[0])] if centered else []),
        fields(layer.moving_variance),
    ]


def apply_stock(walk, operation, args, kwargs, forms):
    """A stock layer on features of field types."""
    tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    given = [Typed(form) if isinstance(form, FieldType) else Image() for form in forms]
    y = copy(walk, operation)(*args, **kwargs)
    try:
        shapes = [tuple(tensor.shape) for tensor in tensors]
        found = laws.output_layout(operation, given, shapes, arguments=(args, kwargs))
    except BreaksSymmetry as error:
        if all(form is None or form.scalar for form in forms):
            return y
        name = type(operation).__name__
        raise ValueError(f'The layer "{operation.name}" ({name}) {error}') from None
    outputs = keras.tree.flatten(y)
    for tensor, layout in zip(outputs, found if isinstance(found, tuple) else [found] * len(outputs), strict=True):
        walk.mark(tensor, getattr(layout, "type", None))
    return y


def refuse_flattening(layer):
    """Raises ValueError: between regular and typed features their fields lie in different orders."""
    raise ValueError(
        "FlattenFields and UnflattenFields have no restriction. "
        f'Received: the layer "{layer.name}"; build the network of SteerableConv2D throughout, or of GroupConv2D'
    )
