"""How field types flow through a network: every typed layer gets the type of what reaches it."""

import functools

from keras_equivariant import groups
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.layers.core.typed import LINEAR, POINTWISE, Typed, keeps_type, mixes


def takes_type(name):
    """Whether the layer is told the field type of its input."""
    return issubclass(registry.layer_classes()[name], Typed)


def given_type(entry, features, group):
    """The `in_type` of a typed layer for the features that reach it: their own, or scalars of the group.

    Args:
        entry: the `LayerEntry`.
        features: a `layouts.Features`.
        group: name of the group where the features have none.

    Raises:
        SpecError: features with an axis of their own, or no group.
    """
    if features.type is not None:
        return features.type
    if features.layout not in ("image", "invariant", "broken") or features.shape[-1] is None:
        remedy = "FlattenFields" if features.layout == "regular" else "GroupPooling or HarmonicMagnitude"
        raise entry.where.error(
            f"takes an image or features with a field type. Received: {features} features of shape {features.shape}; "
            f"use {remedy} before it"
        )
    if features.group is None and not entry.arguments.get("group"):
        raise entry.where.error('needs the argument "group" where no layer before it has one, e.g. group: SO2')
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
