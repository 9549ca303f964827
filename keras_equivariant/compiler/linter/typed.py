"""Every typed layer of a spec gets the field type of what reaches it."""

from keras_equivariant import groups
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.groups.layouts import Broken, Regular, Typed, of_values
from keras_equivariant.layers.core.typed import Typed as TypedLayer


def takes_type(name):
    """Whether the layer is told the field type of its input."""
    return issubclass(registry.layer_classes()[name], TypedLayer)


def given_type(entry, features):
    """The `in_type` of a typed layer for the features that reach it: their own, or scalars of its group.

    Args:
        entry: the `LayerEntry`.
        features: a `rules.Features`.

    Raises:
        SpecError: features with an axis of their own, or no group.
    """
    layout = of_values(features.layout)
    if isinstance(layout, Typed):
        return layout.type
    if not (layout.scalars or isinstance(layout, Broken)) or features.shape[-1] is None:
        remedy = "FlattenFields" if isinstance(layout, Regular) else "GroupPooling or HarmonicMagnitude"
        raise entry.where.error(
            f"takes an image or features with a field type. Received: {features} features of shape {features.shape}; "
            f"use {remedy} before it"
        )
    group = entry.arguments.get("group") or layout.group
    if group is None:
        raise entry.where.error('needs the argument "group" where no layer before it has one, e.g. group: SO2')
    try:
        return groups.FieldType.scalars(features.shape[-1], group)
    except ValueError as error:  # a group of points and motions, which has no field types
        raise entry.where.error(str(error)) from None
