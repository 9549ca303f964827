"""What Keras's own layers do to a layout: the layout behind them, or why they break the symmetry."""

import dataclasses

import keras
import numpy as np

from keras_equivariant.groups import channels, grid
from keras_equivariant.groups.layouts import (
    BreaksSymmetry,
    Broken,
    Frames,
    Harmonic,
    Image,
    Invariant,
    OnOtherAxes,
    Points,
    Regular,
    Typed,
    Vectors,
    WrongFeatures,
    of_values,
    received,
)
from keras_equivariant.stock import resizing, traits, windows
from keras_equivariant.stock.features import check_features, mean, ours
from keras_equivariant.stock.merging import join, merge
from keras_equivariant.stock.operations import UnknownLaw, operation_law
from keras_equivariant.stock.reshaping import check_reshape, on_other_axes, reshaped

COMPLEX = "harmonic features rotate as complex numbers, and "


def output_layout(layer, layouts, shapes, group=None, arguments=None):
    """The layout of what a stock layer or operation of Keras makes of features.

    Args:
        layer: the layer or operation, built or not.
        layouts: a Layout for each input tensor.
        shapes: their shapes, with the batch axis; None where a size is unknown.
        group: the group under which to judge, where it is smaller than that of the layouts.
        arguments: of an operation, `(args, kwargs)` of its call.

    Returns:
        A Layout; for an operation with several outputs that differ, a tuple of them.

    Raises:
        WrongFeatures: the layer cannot take such features.
        BreaksSymmetry: it does not commute with the group.
    """
    row = traits.traits(layer)
    broken = next((layout for layout in layouts if isinstance(layout, Broken)), None)
    if broken is not None:
        return broken
    if isinstance(layouts[0], Points):
        return _on_points(row, layer, layouts, shapes, arguments)
    if isinstance(layouts[0], Vectors):
        return _on_vectors(row, layer, layouts[0])
    if isinstance(layouts[0], Frames) and row is not None:
        return _on_frames(row, layer, layouts, shapes, group)
    if row is None:
        return operation_law(layer, layouts, shapes, group, arguments)
    found = on_other_axes(row, layer, layouts, shapes)
    if found is not None:
        return found
    if len(layouts) > 1 or row.merges:
        if row.kind == "join":
            return join(layouts, shapes, layer.axis)
        return merge(layouts, linear=row.linear, name=type(layer).__name__)
    layout, shape = layouts[0], tuple(shapes[0])
    check_features(row, layer, layout, shape)
    judge = group or layout.group
    if (judge is not None or isinstance(layout, OnOtherAxes)) and not layout.is_still(shape):
        _JUDGES[row.kind](row, layer, layout, shape, judge)
    return _behind(row, layer, layout, shape)


def _on_frames(row, layer, layouts, shapes, group):
    """What acts on the last axis alone does to each of some frames (B, T, ...) what it does to one."""
    if len(layouts) > 1 or row.kind not in ("identity", "function", "scale", "dense"):
        raise UnknownLaw(layer, layouts[0])
    shape = tuple(shapes[0])
    return Frames(output_layout(layer, [layouts[0].layout], [(shape[0], *shape[2:])], group))


def mixes(layer, field_type):
    """The error that says that a layer does not commute with a field type, and what to use instead."""
    row = traits.traits(layer)
    remedy = (row and row.remedy) or "NormPooling before it, for features that do not rotate"
    return BreaksSymmetry(
        f'mixes the components of features of type "{field_type}" on {field_type.group.name}', f"use {remedy}"
    )


def _behind(row, layer, layout, shape):
    """The layout behind a layer that breaks nothing."""
    if row.kind == "global" and not layer.keepdims:
        if isinstance(layout, Typed):
            return Typed.of(layout.type, 2)
        return Invariant(layout.group)
    if row.kind in ("flatten", "reshape"):
        new = tuple(layer.compute_output_shape(shape))
        if new != shape and (layout.is_still(shape) or len(new) < 3):
            return Invariant(layout.group)
        return reshaped(layout, shape, new) or Image(layout.group)
    if row.kind == "global" and isinstance(layout, Regular):
        return Image(layout.group)
    return layout


def _identity(row, layer, layout, shape, group):
    """Nothing at inference: every layout stays."""


def _function(row, layer, layout, shape, group):
    commutes(getattr(layer, "activation", layer), layer, layout)


def commutes(activation, layer, layout):
    """BreaksSymmetry unless an activation, or a layer that is one, commutes with a layout."""
    function = activation if not isinstance(activation, keras.Operation) else None
    if function is not None and traits.is_linear(function):
        return
    if isinstance(layout, Typed):
        name = function and traits.activation_name(function)
        if layout.permutes and name != "glu":
            return
        if function is not None and traits.is_odd(function) and channels.is_signed(layout.type):
            return
        raise mixes(layer, layout.type)
    if not layout.permutes:
        name = type(layer).__name__
        raise BreaksSymmetry(
            f"{COMPLEX}{name} acts on real and imaginary parts by themselves", "use HarmonicActivation"
        )


def _scale(row, layer, layout, shape, group):
    scaled(layer.scale, layer.offset, layer, layout, shape)


def scaled(scale, offset, layer, layout, shape):
    """BreaksSymmetry unless x -> scale x + offset commutes with a layout."""
    scale, offset = np.asarray(scale, dtype=np.float64), np.asarray(offset, dtype=np.float64)
    for values in (scale, offset):
        if any(size != 1 for size in values.shape[:-1]):
            raise BreaksSymmetry(
                f"treats positions or group elements differently. Received: an array of shape {values.shape}",
                "use one number for each channel",
            )
    if isinstance(layout, Typed):
        if not channels.commutes(layout.type, scale):
            raise BreaksSymmetry(
                f"scales the components of a field differently. Received: features of type {layout.described}",
                "use one number as its scale",
            )
        if not channels.fixes(layout.type, offset):
            raise BreaksSymmetry(
                f"adds a vector that rotates with the group. Received: an offset to fields of type {layout.described}",
                "use offset=0",
            )
    elif not layout.permutes and np.any(offset):
        raise BreaksSymmetry(f"{COMPLEX}an offset does not rotate", "use offset=0")


def _slopes(row, layer, layout, shape, group):
    # Keras counts from the axis behind the batch, so that -1 is the last but one.
    shared = {1 + (axis - 1) % (len(shape) - 1) for axis in layer.shared_axes or ()}
    own = [axis for axis in range(1, len(shape) - 1) if axis not in shared and shape[axis] != 1]
    if isinstance(layout, Typed) and (len(shape) - 1 not in shared or not layout.permutes):
        raise mixes(layer, layout.type)
    if not layout.permutes and not isinstance(layout, Typed):
        raise BreaksSymmetry(f"{COMPLEX}PReLU acts on real and imaginary parts by themselves", "use HarmonicActivation")
    if own:
        wanted = list(range(1, len(shape) - 1))
        raise BreaksSymmetry(
            f"has its own slope at every position. {received(layout, shape)}", f"use shared_axes={wanted}"
        )


def _gain(row, layer, layout, shape, group):
    if isinstance(layout, Typed):
        raise mixes(layer, layout.type)


def _softmax(row, layer, layout, shape, group):
    if isinstance(layout, Harmonic):
        raise BreaksSymmetry(
            f"{COMPLEX}Softmax acts on real and imaginary parts by themselves", "use HarmonicActivation"
        )
    if not layout.permutes:
        raise mixes(layer, layout.type)
    _check_statistics(layer, layout, shape, group)


def _unit(row, layer, layout, shape, group):
    chosen = _check_statistics(layer, layout, shape, group)
    if isinstance(layout, Harmonic) and 4 not in chosen:
        raise BreaksSymmetry(
            f"{COMPLEX}{type(layer).__name__} shifts or scales real and imaginary parts",
            "use HarmonicBatchNormalization",
        )
    if isinstance(layout, Typed) and len(shape) - 1 not in chosen and not layout.permutes:
        raise mixes(layer, layout.type)


def _normalization(row, layer, layout, shape, group):
    name, chosen = type(layer).__name__, _axes(layer, shape)
    if isinstance(layout, Harmonic):
        raise BreaksSymmetry(
            f"{COMPLEX}{name} shifts or scales real and imaginary parts", "use HarmonicBatchNormalization"
        )
    has_weights = not hasattr(layer, "groups") and not isinstance(layer, keras.layers.LayerNormalization)
    has_weights = has_weights or getattr(layer, "center", False) or getattr(layer, "scale", False) is True
    if isinstance(layout, Typed):
        whole = getattr(layer, "groups", 1) in (1, -1)
        if has_weights or not whole or not layout.permutes:
            raise mixes(layer, layout.type)
    if not has_weights and isinstance(layer, keras.layers.LayerNormalization):
        _check_statistics(layer, layout, shape, group)
    elif chosen - {len(shape) - 1} - _still_axes(layout, shape, group):
        raise _differently(layer)


def _still_axes(layout, shape, group):
    """The axes of space along which no element of the group moves anything."""
    return {axis for axis, moved in zip(layout.axes(shape).space, grid.moved_axes(group), strict=False) if not moved}


def _check_statistics(layer, layout, shape, group):
    """The axes that a layer sums over; BreaksSymmetry where they are some that the group swaps with others."""
    chosen, space = _axes(layer, shape), layout.axes(shape).space
    marks = [int(axis in chosen) for axis in space]
    if space and not grid.keeps_shape(group, marks):
        raise _differently(layer)
    return chosen


def _differently(layer):
    given = layer.get_config().get("axis", layer.axis)
    given = list(given) if isinstance(given, tuple) else given
    return BreaksSymmetry(f"treats positions or group elements differently. Received: axis={given}", "use axis=-1")


def _axes(layer, shape):
    axis = layer.axis
    axis = () if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
    return {a % len(shape) for a in axis}


def _dense(row, layer, layout, shape, group):
    if isinstance(layout, Typed):
        raise mixes(layer, layout.type)
    if layout.mixes:
        return
    if not traits.is_linear(layer.activation):
        raise BreaksSymmetry(
            f"{COMPLEX}Dense with an activation acts on real and imaginary parts", "use HarmonicActivation"
        )
    if layer.use_bias:
        raise BreaksSymmetry(f"{COMPLEX}a bias does not rotate", "use use_bias=False or the bias of HarmonicActivation")


def _convolution(row, layer, layout, shape, group):
    if isinstance(layout, Typed):
        raise mixes(layer, layout.type)
    name, moved = type(layer).__name__, grid.moved_axes(group)
    pointwise = all(k == 1 or not moves for k, moves in zip(layer.kernel_size, moved, strict=True))
    if pointwise and windows.keeps(layer, shape[1 : 1 + row.rank], [group]):
        return
    reason = f"a stock {name} does not commute with {group.name}"
    if pointwise:
        reason += f": strides={layer.strides} do not treat the ends of {shape[1 : 1 + row.rank]} pixels alike"
    remedy = f"use {ours('LiftingConv', layout, shape)} or {ours('GroupConv', layout, shape)}"
    raise BreaksSymmetry(reason, remedy + ("" if pointwise else ", or a kernel of one pixel"))


def _pooling(row, layer, layout, shape, group):
    if isinstance(layout, Typed) and not (row.linear or layout.permutes):
        raise mixes(layer, layout.type)
    sizes = f"pool_size={layer.pool_size}, strides={layer.strides} on {shape[1:-1]}"
    if not _keep(layer, layout, shape, group):
        raise BreaksSymmetry(
            f"its windows do not treat all sides alike. Received: {sizes}",
            "use the layer of this package with its name, which says what sizes are right",
        )


def _upsampling(row, layer, layout, shape, group):
    size = layer.size if isinstance(layer.size, tuple | list) else (layer.size,)
    if not _keep(layer, layout, shape, group):
        raise BreaksSymmetry(
            f"a quarter turn swaps the axes, which grow by different factors, size={tuple(size)}",
            f"use size={max(size)}",
        )


def _resizing(row, layer, layout, shape, group):
    if not windows.keeps(layer, shape[1:-1], [group]):
        raise resizing.uneven(layer, shape[1:-1])


def _border(row, layer, layout, shape, group):
    sides = getattr(layer, "padding", None) or layer.cropping
    if not _keep(layer, layout, shape, group):
        raise BreaksSymmetry(
            f"must treat all sides alike. Received: {tuple(map(tuple, sides))}", "use one number for all sides"
        )


def _keep(layer, layout, shape, group):
    """Whether windows treat the axes of space as the group wants it, and leave a group axis alone."""
    rank = layout.rank(shape)
    beyond = windows.windows_of(layer)[rank:]
    neutral = all(window.factor == 1 if hasattr(window, "factor") else _is_neutral(window) for window in beyond)
    return neutral and windows.keeps(layer, shape[1 : 1 + rank], [group])


def _is_neutral(window):
    sizes = (window.low, window.high, 0) if hasattr(window, "low") else (window.kernel - 1, window.stride - 1, 0)
    return not any(sizes)


def _global(row, layer, layout, shape, group):
    if isinstance(layout, Typed) and not (row.linear or layout.permutes):
        raise mixes(layer, layout.type)


def _flatten(row, layer, layout, shape, group):
    if tuple(layer.compute_output_shape(shape)) == shape:
        return
    _check_numbers(layer, layout)
    fix = ("" if isinstance(layout, Image) else "GroupPooling, then ") + mean(layout, shape)
    raise BreaksSymmetry(
        f"makes each position and group element a channel of its own. {received(layout, shape)}", f"use {fix}"
    )


def _reshape(row, layer, layout, shape, group):
    if tuple(layer.compute_output_shape(shape)) != shape:
        _check_numbers(layer, layout)
        check_reshape(layer, layout, shape)


def _check_numbers(layer, layout):
    """BreaksSymmetry where the group mixes the numbers of a pixel."""
    if isinstance(layout, Typed):
        raise mixes(layer, layout.type)
    if isinstance(layout, Harmonic):
        reason = f"{COMPLEX}{type(layer).__name__} acts on real and imaginary parts by themselves"
        raise BreaksSymmetry(reason, "use HarmonicMagnitude before it")


_JUDGES = {
    "identity": _identity,
    "function": _function,
    "scale": _scale,
    "slopes": _slopes,
    "gain": _gain,
    "softmax": _softmax,
    "unit": _unit,
    "normalization": _normalization,
    "dense": _dense,
    "convolution": _convolution,
    "pooling": _pooling,
    "upsampling": _upsampling,
    "resizing": _resizing,
    "border": _border,
    "global": _global,
    "flatten": _flatten,
    "reshape": _reshape,
}


def _on_points(row, layer, layouts, shapes, arguments):
    """The layout of points whose values a stock layer changes: of each point by itself."""
    layout = layouts[0]
    if row is None and layout.group is not None or row is not None and not row.on_points:
        pooling = "LiePooling" if layout.type is None else "SteerablePointPooling"
        raise WrongFeatures(f"takes no points. Received: {layout.described} features", f"use {pooling} before it")
    axis = getattr(layer, "axis", -1)
    chosen = () if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
    if set(chosen) - {-1, 2}:
        raise BreaksSymmetry(f"must act on channels. Received: axis={axis}", "use axis=-1", layout=layout)
    if not any(isinstance(other, Points) and other.rotating for other in layouts):
        return layout
    of_each = [of_values(other) for other in layouts]
    found = output_layout(layer, of_each, [(shape[0], shape[-1]) for shape in shapes], arguments=arguments)
    return dataclasses.replace(layout, type=found.type if isinstance(found, Typed) else None)


def _on_vectors(row, layer, layout):
    kind = row.kind if row else None
    plain = kind == "scale" and np.ndim(layer.scale) == 0 and not np.any(layer.offset)
    if not plain and kind not in ("identity", "reshape"):
        raise BreaksSymmetry(
            f"{type(layer).__name__} acts on the components of vectors by themselves",
            "let LiePooling with vectors be the last layer",
        )
    return layout
