"""Which features a stock layer can take at all, and what to use for those that it cannot."""

from keras_equivariant.groups.layouts import Harmonic, Regular, WrongFeatures, received


def check_features(row, layer, layout, shape):
    """WrongFeatures unless the number of axes, and of axes of space, are those that a stock layer works on.

    Args:
        row: its Traits.
        layer: the layer.
        layout, shape: of the features.
    """
    axes, spec = len(shape), getattr(layer, "input_spec", None)
    wanted = 2 + row.rank if row.kind in ("convolution", "resizing") else getattr(spec, "ndim", None)
    if wanted is not None and axes != wanted:
        remedy = instead(row, layer, layout, shape)
        raise WrongFeatures(f"takes features with {wanted} axes. {received(layout, shape)}", remedy)
    least = getattr(spec, "min_ndim", None)
    if least is not None and axes < least:
        raise WrongFeatures(f"takes features with {least} axes or more. {received(layout, shape)}")
    rank = layout.rank(shape)
    of_pixels = layout.fiber and set(getattr(layer, "kernel_size", ())) == {1}  # a map of the channels
    if row.kind == "convolution" and rank and row.rank != rank and not of_pixels:
        raise other_rank(type(layer).__name__, row.rank, layout, shape, instead(row, layer, layout, shape))


def other_rank(name, rank, layout, shape, remedy=""):
    """The error of a layer on so many axes of space that gets features with others."""
    found = layout.rank(shape)
    fitting = name.replace(f"{rank}D", f"{found}D")
    remedy = remedy or (f"use {fitting}" if fitting != name else "")
    return WrongFeatures(f"works on {kind_of(rank)}. {received(layout, shape)}", remedy)


def kind_of(rank):
    """What features with so many axes of space are called."""
    return {1: "signals", 2: "images", 3: "volumes"}[rank]


def instead(row, layer, layout, shape):
    """What to use in place of a stock layer that cannot take the features; may be nothing."""
    convolution = row.kind == "convolution"
    if isinstance(layout, Harmonic):
        return "use HarmonicConv2D" if convolution else "use HarmonicMagnitude before it"
    if not isinstance(layout, Regular):
        return ""
    if row.kind == "resizing":
        return "use Resizing2D"
    if convolution:
        return f"use {ours('GroupConv', layout, shape)}"
    if row.kind == "global" and layout.rank(shape) == row.rank == 2:
        name = type(layer).__name__
        return f"use GroupPooling before it, or {name[:-2]}3D for the group axis as well"
    return f"use it before {ours('LiftingConv', layout, shape)} or after GroupPooling"


def ours(stem, layout, shape):
    """The name of our layer for so many axes of space: `GroupConv3D`."""
    return f"{stem}{3 if layout.rank(shape) == 3 else 2}D"


def mean(layout, shape):
    """The name of the layer that takes the mean over space."""
    return ours("GlobalAveragePooling", layout, shape)
