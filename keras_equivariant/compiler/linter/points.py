"""How points flow through a network: three tensors, of which a stock layer sees the values alone.

The features of a network on points are (elements, values, mask). In a spec they are one thing: layers on points get
all three, every other layer the values (and BatchNormalization the mask, for its statistics).
"""

import dataclasses

from keras_equivariant.compiler.grammar import registry
from keras_equivariant.groups import lie_group
from keras_equivariant.layers.points.features import OnPoints, element_width

POSITIONS, POINTS = "positions", "points"
SOURCE = "ImageToPoints"
LIFT = "LieLift"
INPUTS = ("positions", "values", "mask")
MASKED = ("BatchNormalization",)
# What acts on the last axis, each point by itself, and changes no number of points.
ON_VALUES = (
    *("Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dense", "Dropout", "ELU"),
    *("GaussianDropout", "GaussianNoise", "Identity", "LayerNormalization", "LeakyReLU", "Maximum", "Minimum"),
    *("Multiply", "Normalization", "ReLU", "Rescaling", "Softmax", "UnitNormalization"),
)


def takes_points(name):
    """Whether the layer takes all three tensors."""
    return issubclass(registry.layer_classes()[name], OnPoints)


def group_of(entry):
    """The LieGroup that a layer on points names, or None."""
    given = entry.arguments.get("group")
    return lie_group(given) if given and takes_points(entry.layer) else None


def shapes(features):
    """The shapes of the three tensors."""
    batch, count, _ = features.shape
    alone = batch if features.space[0] is None else features.space[0]
    return [(alone, count, features.space[1]), features.shape, (alone, count)]


def wrong_input(name, layer, features):
    """Why the layer cannot take these features, or None."""
    on_points = features.space is not None
    if takes_points(name):
        if not on_points:
            return (
                f"takes points. Received: {features} features; they begin with ImageToPoints or `input: {{space: 3}}`"
            )
        if (name == LIFT) != (features.layout == POSITIONS):
            return (
                f"takes {'positions' if name == LIFT else 'lifted points'}. Received: {features.layout}; a network "
                "lifts them once, by LieLift"
            )
        group = getattr(layer, "group", None)
        if name != LIFT and group is not None and group is not features.group:
            return f'takes points on its own group, "{group.name}". Received: points on "{features.group.name}"'
        return None
    if on_points and name not in ON_VALUES:
        return f"takes no points. Received: {features} features of shape {features.shape}; use LiePooling before it"
    return None


def breaks(name, layer, features):
    """Why a stock layer on the values of points, or on vectors, does not keep the symmetry, or None."""
    axis = getattr(layer, "axis", -1)
    if features.layout == "vectors" and name not in ("Identity", "Rescaling", "Reshape"):
        return f"{name} acts on the components of vectors by themselves; let LiePooling with vectors be the last layer"
    if features.space is not None and name in ("BatchNormalization", "LayerNormalization", "Softmax", "Concatenate"):
        last = (axis,) if isinstance(axis, int) else tuple(axis)
        if set(last) - {-1, 2}:
            return f"must act on channels. Received: axis={axis}; use axis=-1"
    return None


def after(name, layer, features, found, make):
    """The features behind a layer on points, from its output shapes; `make` makes Features."""
    if name == SOURCE:
        return make(found[1], POSITIONS, space=(1, found[0][2]))
    if name == "LiePooling":
        return make(found, "vectors" if layer.vectors else "invariant", group=features.group if layer.vectors else None)
    group = layer.group
    return make(found[1], POINTS, group=group, space=(features.space[0], element_width(group)))


def apply(layer, x):
    """A layer applied to the three tensors, to the values of them, or to one tensor."""
    if not isinstance(x, tuple) or isinstance(layer, OnPoints):
        return layer(list(x) if isinstance(x, tuple) else x)
    elements, values, mask = x
    masked = type(layer).__name__ in MASKED
    return elements, layer(values, mask=mask) if masked else layer(values), mask


def merge(layer, branches):
    """Branches merged: the values of points, whose elements and mask are those of the first."""
    if not isinstance(branches[0], tuple):
        return layer(branches)
    return branches[0][0], layer([values for _, values, _ in branches]), branches[0][2]


def input_features(make, shape, space):
    """Features of an input with so many coordinates of space."""
    return dataclasses.replace(make((None, *shape), POSITIONS), space=(None, space))
