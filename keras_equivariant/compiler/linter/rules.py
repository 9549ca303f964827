"""How features transform on their way through a network, and which stock layers break it.

| layout      | shape            | an element g of the group           |
|-------------|------------------|-------------------------------------|
| image       | (B, *space, C)   | moves the pixels                    |
| regular G   | (B, *space, |G|, C) | moves the pixels, permutes the axis |
| quotient H  | (B, *space, n, C) | moves the pixels, permutes the cosets of H |
| harmonic    | (B, H, W, M+1, 2, C) | moves the pixels, turns order m by e^{i m t} |
| typed       | (B, *space, D), (B, D) | moves the pixels, acts on the channels as their field type says |
| positions   | (B, N, d) and values (B, N, C) | moves the positions          |
| points      | elements (B, N, E) and values  | multiplies the elements from the left |
| vectors     | (B, d C)         | turns the vectors                   |
| invariant   | (B, ...)         | does nothing                        |
| broken      | any              | nothing that can be said            |
"""

import dataclasses

from keras_equivariant import groups
from keras_equivariant.compiler import harmonic
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.compiler.linter import points, typed
from keras_equivariant.layers.core.base import space_rank
from keras_equivariant.stock import windows

CONVOLUTIONS = ("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D", "Conv3D", "Conv3DTranspose")
NORMALIZATIONS = (
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "Normalization",
    "Softmax",
    "UnitNormalization",
)


@dataclasses.dataclass(frozen=True)
class Features:
    """Features at one point of a network.

    Attributes:
        shape: with the batch axis; None where unknown.
        layout: a layout's name.
        group: the group of regular and typed features, and of scalars that came out of typed layers; else None.
        type: FieldType of typed features, else None.
        space: of points, the batch axis (1 where all samples share them) and the width of their positions or elements;
            else None. `shape` is that of their values.
    """

    shape: tuple
    layout: str
    group: object = None
    type: object = None
    space: tuple | None = None

    @classmethod
    def typed(cls, shape, field_type):
        """Features of a field type; scalars are an image, or invariant."""
        if field_type.scalar:
            return cls(shape, "image" if len(shape) > 2 else "invariant", field_type.group)
        return cls(shape, "typed", field_type.group, field_type)

    def __str__(self):
        if self.type is not None:
            return f'"{self.type}" on {self.group.name}'
        if self.layout == points.POINTS:
            return f"points on {self.group.name}"
        return f"regular {self.group.name}" if self.layout == "regular" else self.layout

    @property
    def rank(self):
        """Number of axes of space; 0 without any, or where nothing is known of the features."""
        if self.layout == "harmonic":
            return 2
        fibre = 1 if self.layout == "regular" or self.layout.startswith("quotient") else 0
        spaceless = self.layout in ("invariant", "broken", "vectors") or self.space is not None
        return 0 if spaceless else len(self.shape) - 2 - fibre

    @property
    def is_invariant(self):
        """Whether nothing moves: no group axis, and a single pixel if there are pixels."""
        return self.layout == "invariant" or (self.layout == "image" and set(self.shape[1:-1]) == {1})


def input_features(shape, space=None):
    """The features that an input of this shape (without the batch axis) is; with `space` coordinates, points."""
    if space is not None:
        return points.input_features(Features, shape, space)
    layout = {1: "invariant", 3: "image", 4: "image"}.get(len(shape), "broken")
    return Features((None, *shape), layout)


def wrong_input(entry, layer, features):
    """Why the layer cannot take these features at all, or None."""
    reason = points.wrong_input(entry.layer, layer, features)
    if reason or features.space is not None:
        return reason
    rank = len(features.shape)
    spec = getattr(layer, "input_spec", None)
    wanted = 2 + axes_of(entry.layer) if entry.layer in CONVOLUTIONS else getattr(spec, "ndim", None)
    if wanted is not None and rank != wanted:
        return f"takes features with {wanted} axes. {_received(features)}{_instead(entry.layer, features)}"
    least = getattr(spec, "min_ndim", None)
    if least is not None and rank < least:
        return f"takes features with {least} axes or more. {_received(features)}"
    if space_rank(layer) not in (None, features.rank or None) and features.rank:
        wanted, fitting = {2: "images", 3: "volumes"}[space_rank(layer)], entry.layer.replace(*_other_rank(features))
        return f"works on {wanted}. {_received(features)}" + (f"; use {fitting}" if fitting != entry.layer else "")
    reason = typed.wrong_input(entry.layer, layer, features)
    if reason:
        return reason
    if entry.layer == "GroupPooling" and features.layout in ("image", "invariant", "harmonic"):
        lifting = _ours("LiftingConv", features)
        return f"takes features with a group axis. {_received(features)}; such features come from {lifting}"
    if entry.layer.startswith("GroupConv") and features.layout.startswith("quotient"):
        return f"takes regular features. {_received(features)}"
    group = getattr(layer, "group", None)
    if features.layout == "regular" and group is not None and group != features.group:
        return f'takes regular features of its own group, "{group.name}". {_received(features)}'
    return None


def after(entry, layer, features, shape):
    """The features behind a layer that breaks nothing."""
    if features.layout == "broken":
        return Features(shape, "broken")
    if entry.layer == points.SOURCE or points.takes_points(entry.layer):
        return points.after(entry.layer, layer, features, shape, Features)
    if features.space is not None or features.layout == "vectors":
        return dataclasses.replace(features, shape=shape)
    group = getattr(layer, "group", None)
    if getattr(layer, "out_type", None) is not None:
        return Features.typed(shape, layer.out_type)
    if entry.layer.startswith(("LiftingConv", "GroupConv", "UnflattenFields")):
        return Features(shape, "regular", group)
    if entry.layer == "FlattenFields":
        return Features.typed(shape, groups.FieldType.parse(f"{shape[-1] // group.order}xregular", group))
    if features.type is not None and not typed.takes_type(entry.layer):
        return Features(shape, "typed", features.group, features.type)
    if entry.layer == harmonic.PRODUCER:
        return Features(shape, "harmonic")
    if entry.layer == "HarmonicMagnitude":
        return Features(shape, "image")
    if entry.layer == "GroupPooling":
        if layer.subgroup is not None:
            return Features(shape, f"quotient {layer.subgroup}")
        return Features(shape, "image" if features.rank else "invariant")
    if entry.layer.startswith("Global") or (features.is_invariant and len(shape) < 2 + features.rank):
        return Features(shape, "invariant", features.group if features.layout == "image" else None)
    return Features(shape, features.layout, features.group)


def breaks(entry, layer, features, claimed):
    """Why a stock layer does not commute with the groups of the network, or None."""
    if features.layout == "vectors" or features.space is not None:
        return points.breaks(entry.layer, layer, features)
    if features.is_invariant or features.layout == "broken" or not claimed:
        return None
    if features.type is not None:
        return typed.breaks(entry.layer, layer, features)
    name = entry.layer
    axis = getattr(layer, "axis", -1)
    last = (-1, len(features.shape) - 1)
    if features.layout == "harmonic":
        return harmonic.breaks(name, layer, axis)
    if name in CONVOLUTIONS:
        return _convolution(name, layer, features, claimed)
    if name in NORMALIZATIONS and not _only_last(axis, last) and not (name == "Normalization" and axis is None):
        return f"treats positions or group elements differently. Received: axis={entry.arguments['axis']}; use axis=-1"
    if name == "Concatenate" and axis not in last:
        return f"must join channels. Received: axis={axis}; use axis=-1"
    if name == "PReLU" and not set(layer.shared_axes or ()) >= set(range(1, len(features.shape) - 1)):
        shared = list(range(1, len(features.shape) - 1))
        return f"has its own slope at every position. {_received(features)}; use shared_axes={shared}"
    if name.startswith(("ZeroPadding", "Cropping")):
        return _border(layer, features, claimed)
    if name == "Flatten":
        fix = ("" if features.layout == "image" else "GroupPooling, then ") + _mean(features)
        return f"makes each position and group element a channel of its own. {_received(features)}; use {fix}"
    if name == "Reshape":
        return f"mixes positions, group elements and channels. {_received(features)}; pool to (B, C) before it"
    return None


def differing(branches, concatenates=False):
    """Why branches cannot be merged, or None."""
    if any(features.layout == "broken" for features in branches):
        return None
    names = list(dict.fromkeys(map(str, branches)))
    if concatenates and typed.joined(branches) is not None:
        return None
    return f"merges features that transform differently: {' and '.join(names)}" if len(names) > 1 else None


def ending(features):
    """A warning for a network whose answer turns with its input, or None."""
    if features.layout == "regular" or features.layout.startswith("quotient"):
        return (
            f"the network ends with {features} features, which turn with the input; for an invariant answer end with "
            f"GroupPooling and {_mean(features)}"
        )
    if features.layout == "typed":
        return (
            f"the network ends with {features} features, which turn with the input; for an invariant answer end with "
            f"NormPooling, or with scalar fields, and {_mean(features)}"
        )
    if features.layout == "harmonic":
        return (
            "the network ends with harmonic features, which turn with the input; for an invariant answer end with "
            "HarmonicMagnitude and GlobalAveragePooling2D"
        )
    return None


def axes_of(name):
    """Axes of space that a layer of this name works on: 3 for `Conv3D`, else 2."""
    return 3 if "3D" in name else 2


def _other_rank(features):
    return ("2D", "3D") if features.rank == 3 else ("3D", "2D")


def _ours(stem, features):
    """The name of our layer for so many axes of space: `GroupConv3D`."""
    return f"{stem}{features.rank if features.rank == 3 else 2}D"


def _mean(features):
    return _ours("GlobalAveragePooling", features)


def _received(features):
    return f"Received: {features} features of shape {features.shape}"


def _instead(name, features):
    if features.layout == "harmonic":
        return "; use HarmonicConv2D" if name in CONVOLUTIONS else "; use HarmonicMagnitude before it"
    if features.layout != "regular":
        return ""
    if name in CONVOLUTIONS:
        return f"; use {_ours('GroupConv', features)}"
    if name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D") and features.rank == 2:
        return f"; use GroupPooling before it, or {name[:-2]}3D for the group axis as well"
    return f"; use it before {_ours('LiftingConv', features)} or after GroupPooling"


def _only_last(axis, last):
    return all(a in last for a in axis) if isinstance(axis, list | tuple) else axis in last


def _convolution(name, layer, features, claimed):
    if set(layer.kernel_size) == {1} and windows.keeps(layer, features.shape[1 : 1 + axes_of(name)], claimed):
        return None
    names = " and ".join(group.name for group in claimed)
    return (
        f"a stock {name} does not commute with {names}; use {_ours('LiftingConv', features)} or "
        f"{_ours('GroupConv', features)}, or a kernel of one pixel"
    )


def _border(layer, features, claimed):
    sides = getattr(layer, "padding", None) or layer.cropping
    if windows.keeps(layer, features.shape[1 : 1 + len(sides)], claimed):
        return None
    return f"must treat all sides alike. Received: {tuple(map(tuple, sides))}; use one number for all sides"


def claimed_group(entry):
    """Name of the group that a layer makes the network claim, or None; Lie groups are judged by themselves."""
    if points.takes_points(entry.layer):
        return None
    return entry.arguments.get("group") or (harmonic.GROUP if entry.layer == harmonic.PRODUCER else None)


def is_ours(name):
    """Whether the layer is one of this package and judges its own sizes."""
    return hasattr(registry.layer_classes()[name], "symmetry_problems")
