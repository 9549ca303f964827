"""How field types flow through a network: every typed layer gets the type of what reaches it."""

import functools
import inspect

from keras_equivariant import groups
from keras_equivariant.compiler import registry
from keras_equivariant.layers.typed import LINEAR, POINTWISE, Typed

# Layers of this package that treat every channel alike: linearly, or with permutation types only.
OWN_LINEAR = ("AveragePooling2D", "UpSampling2D")
OWN_POINTWISE = ("MaxPooling2D",)
PIXELS_APART = ("AveragePooling2D", "Cropping2D", "MaxPooling2D", "UpSampling2D", "ZeroPadding2D")


@functools.cache
def takes_type(name):
    """Whether the layer is told the field type of its input."""
    return "in_type" in inspect.signature(registry.layer_classes()[name].__init__).parameters


def needs_group(name):
    """Whether the layer cannot do without a group."""
    return issubclass(registry.layer_classes()[name], Typed)


def given_type(name, features, group):
    """The `in_type` of a layer for features that reach it: their own, or scalars of the group; None for no type."""
    if features.type is not None:
        return features.type
    scalar = features.layout in ("image", "invariant") and features.shape[-1]
    if not scalar or group is None or not needs_group(name):
        return None
    return groups.FieldType.scalars(features.shape[-1], group)


def wrong_input(name, layer, features):
    """Why the layer cannot take features with a field type, or none, or None."""
    if features.type is None or takes_type(name) or not hasattr(layer, "symmetry_problems"):
        return None
    if name in OWN_LINEAR + OWN_POINTWISE:
        return None
    return (
        f"takes no features with a field type. Received: {features} features; use SteerableConv2D and the other layers "
        "for field types"
    )


def breaks(name, layer, features):
    """Why a layer that knows nothing of field types breaks this one, or None."""
    linear = getattr(getattr(layer, "activation", None), "__name__", "linear") == "linear"
    if name in LINEAR + OWN_LINEAR or (name in ("Activation", "Dropout") and linear and not getattr(layer, "rate", 0)):
        return None
    if name == "Concatenate" and layer.axis in (-1, len(features.shape) - 1):
        return None
    if features.type.permutation and name in POINTWISE + OWN_POINTWISE:
        return None
    remedy = {
        "Activation": "NormActivation, GatedActivation or FourierActivation",
        "ReLU": "NormActivation, GatedActivation or FourierActivation",
        "BatchNormalization": "SteerableBatchNormalization",
        "LayerNormalization": "SteerableLayerNormalization",
        "GroupNormalization": "SteerableGroupNormalization",
        "Dense": "SteerableDense, or NormPooling before it",
        "Dropout": "FieldDropout",
        "SpatialDropout2D": "FieldDropout",
        "MaxPooling2D": "NormMaxPooling2D or AveragePooling2D",
        "GlobalMaxPooling2D": "NormPooling before it",
        "Conv2D": "SteerableConv2D",
        "Conv2DTranspose": "SteerableConv2DTranspose",
    }.get(name, "NormPooling before it, for features that do not turn")
    return f'mixes the components of features of type "{features.type}" on {features.group.name}; use {remedy}'


def joined(branches):
    """The type of concatenated features, or None where they have none."""
    types = [features.type for features in branches]
    return None if None in types else functools.reduce(lambda a, b: a + b, types)
