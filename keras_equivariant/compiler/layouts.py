"""How features transform on their way through a network, and which stock layers break it.

| layout      | shape            | an element g of the group           |
|-------------|------------------|-------------------------------------|
| image       | (B, H, W, C)     | moves the pixels                    |
| regular G   | (B, H, W, |G|, C)| moves the pixels, permutes the axis |
| quotient H  | (B, H, W, n, C)  | moves the pixels, permutes the cosets of H |
| harmonic    | (B, H, W, M+1, 2, C) | moves the pixels, turns order m by e^{i m t} |
| typed       | (B, H, W, D), (B, D) | moves the pixels, acts on the channels as their field type says |
| positions   | (B, N, d) and values (B, N, C) | moves the positions          |
| points      | elements (B, N, E) and values  | multiplies the elements from the left |
| vectors     | (B, d C)         | turns the vectors                   |
| invariant   | (B, ...)         | does nothing                        |
| broken      | any              | nothing that can be said            |
"""

import dataclasses

from keras_equivariant import groups
from keras_equivariant.compiler import harmonic, points, registry, typed
from keras_equivariant.layers.base import moved_axes

CONVOLUTIONS = ("Conv2D", "Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D")
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
    def still(self):
        """Whether nothing moves: no group axis, and a single pixel if there are pixels."""
        return self.layout == "invariant" or (self.layout == "image" and set(self.shape[1:-1]) == {1})


def input_features(shape, space=None):
    """The features that an input of this shape (without the batch axis) is; with `space` coordinates, points."""
    if space is not None:
        return points.input_features(Features, shape, space)
    layout = {1: "invariant", 3: "image"}.get(len(shape), "broken")
    return Features((None, *shape), layout)


def wrong_input(entry, layer, features):
    """Why the layer cannot take these features at all, or None."""
    reason = points.wrong_input(entry.layer, layer, features)
    if reason or features.space is not None:
        return reason
    rank = len(features.shape)
    spec = getattr(layer, "input_spec", None)
    wanted = 4 if entry.layer in CONVOLUTIONS else getattr(spec, "ndim", None)
    if wanted is not None and rank != wanted:
        return f"takes features with {wanted} axes. {_received(features)}{_instead(entry.layer, features)}"
    least = getattr(spec, "min_ndim", None)
    if least is not None and rank < least:
        return f"takes features with {least} axes or more. {_received(features)}"
    reason = typed.wrong_input(entry.layer, layer, features)
    if reason:
        return reason
    if entry.layer == "GroupPooling" and features.layout in ("image", "invariant", "harmonic"):
        return f"takes features with a group axis. {_received(features)}; such features come from LiftingConv2D"
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
        return Features(shape, "image" if len(shape) == 4 else "invariant")
    if entry.layer.startswith("Global") or (features.still and len(shape) < 4):
        return Features(shape, "invariant", features.group if features.layout == "image" else None)
    return Features(shape, features.layout, features.group)


def breaks(entry, layer, features, claimed):
    """Why a stock layer does not commute with the groups of the network, or None."""
    if features.layout == "vectors" or features.space is not None:
        return points.breaks(entry.layer, layer, features)
    if features.still or features.layout == "broken" or not claimed:
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
    if name in ("ZeroPadding2D", "Cropping2D"):
        return _border(layer, claimed)
    if name == "Flatten":
        fix = "GlobalAveragePooling2D" if features.layout == "image" else "GroupPooling, then GlobalAveragePooling2D"
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
            "GroupPooling and GlobalAveragePooling2D"
        )
    if features.layout == "typed":
        return (
            f"the network ends with {features} features, which turn with the input; for an invariant answer end with "
            "NormPooling, or with scalar fields, and GlobalAveragePooling2D"
        )
    if features.layout == "harmonic":
        return (
            "the network ends with harmonic features, which turn with the input; for an invariant answer end with "
            "HarmonicMagnitude and GlobalAveragePooling2D"
        )
    return None


def _received(features):
    return f"Received: {features} features of shape {features.shape}"


def _instead(name, features):
    if features.layout == "harmonic":
        return "; use HarmonicConv2D" if name in CONVOLUTIONS else "; use HarmonicMagnitude before it"
    if features.layout != "regular":
        return ""
    if name in CONVOLUTIONS:
        return "; use GroupConv2D"
    if name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D"):
        return f"; use GroupPooling before it, or {name[:-2]}3D for the group axis as well"
    return "; use it before LiftingConv2D or after GroupPooling"


def _only_last(axis, last):
    return all(a in last for a in axis) if isinstance(axis, list | tuple) else axis in last


def _convolution(name, layer, features, claimed):
    sizes = zip(features.shape[1:3], layer.strides, strict=True)
    if set(layer.kernel_size) == {1} and all(size is None or (size - 1) % stride == 0 for size, stride in sizes):
        return None
    names = " and ".join(group.name for group in claimed)
    return f"a stock {name} does not commute with {names}; use LiftingConv2D or GroupConv2D, or a kernel of one pixel"


def _border(layer, claimed):
    sides = getattr(layer, "padding", None) or layer.cropping
    uneven = any(moved_axes(g)[axis] and sides[axis][0] != sides[axis][1] for g in claimed for axis in (0, 1))
    turned = any(g.swaps_axes for g in claimed) and tuple(sides[0]) != tuple(sides[1])
    if not uneven and not turned:
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
