"""How field types flow through a network: every typed layer gets the type of what reaches it."""

import functools
import inspect

from keras_equivariant import groups
from keras_equivariant.compiler import registry
from keras_equivariant.layers.typed import LINEAR, POINTWISE, Typed, keeps_type, mixes


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
    knows_no_types = not hasattr(layer, "symmetry_problems") or name in LINEAR + POINTWISE
    if features.type is None or takes_type(name) or knows_no_types:
        return None
    return (
        f"takes no features with a field type. Received: {features} features; use SteerableConv2D and the other layers "
        "for field types"
    )


def breaks(name, layer, features):
    """Why a layer that knows nothing of field types breaks this one, or None."""
    return None if keeps_type(name, layer, features.type, len(features.shape)) else mixes(name, features.type)


def joined(branches):
    """The type of concatenated features, or None where they have none."""
    types = [features.type for features in branches]
    return None if None in types else functools.reduce(lambda a, b: a + b, types)
