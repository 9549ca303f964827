"""What Keras's own layers do to a layout: the layout behind them, or why they break the symmetry."""

import dataclasses

import numpy as np

from keras_equivariant.groups.layouts import (
    BreaksSymmetry,
    Broken,
    Frames,
    Image,
    Invariant,
    OnOtherAxes,
    Points,
    Regular,
    Typed,
    Vectors,
    WrongFeatures,
    of_values,
)
from keras_equivariant.stock import channel_laws, space_laws, traits
from keras_equivariant.stock.features import check_features
from keras_equivariant.stock.merging import join, merge
from keras_equivariant.stock.operations import UnknownLaw, operation_law
from keras_equivariant.stock.reshaping import on_other_axes, reshaped


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
    if row is None and all(isinstance(layout, Invariant) for layout in layouts):
        return layouts[0]  # any function of what does not move
    if row is None:
        return operation_law(layer, layouts, shapes, group, arguments)
    found = on_other_axes(row, layer, layouts, shapes)
    if found is not None:
        return found
    if len(layouts) > 1 or row.merges:
        if row.kind == "join":
            return join(layouts, shapes, layer.axis)
        return merge(layouts, shapes, linear=row.linear, name=type(layer).__name__)
    layout, shape = layouts[0], tuple(shapes[0])
    check_features(row, layer, layout, shape)
    judge = group or layout.group
    if (judge is not None or isinstance(layout, OnOtherAxes)) and not layout.is_still(shape):
        _check_format(layer)
        _JUDGES[row.kind](row, layer, layout, shape, judge)
    return _behind(row, layer, layout, shape)


def _check_format(layer):
    """BreaksSymmetry where a layer takes an axis of space for the channels."""
    if getattr(layer, "data_format", None) == "channels_first":
        raise BreaksSymmetry(
            'takes the first axis of space for the channels. Received: data_format="channels_first"',
            'give it data_format="channels_last", which Keras leaves to `keras.config.image_data_format()`',
        )


def _on_frames(row, layer, layouts, shapes, group):
    """What acts on the last axis alone does to each of some frames (B, T, ...) what it does to one."""
    if len(layouts) > 1 or row.kind not in ("identity", "function", "scale", "dense"):
        raise UnknownLaw(layer, layouts[0])
    shape = tuple(shapes[0])
    return Frames(output_layout(layer, [layouts[0].layout], [(shape[0], *shape[2:])], group))


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
        return Invariant(layout.group)
    return layout


def _identity(row, layer, layout, shape, group):
    """Nothing at inference: every layout stays."""
    if row.of_images and len(shape) > 4:
        raise WrongFeatures(
            f"takes images of four axes. Received: {layout.described} features of shape {shape}",
            "use it before the lifting convolution",
        )


_JUDGES = {
    "identity": _identity,
    "function": channel_laws.function,
    "scale": channel_laws.scale,
    "slopes": channel_laws.slopes,
    "gain": channel_laws.gain,
    "softmax": channel_laws.softmax,
    "unit": channel_laws.unit,
    "normalization": channel_laws.normalization,
    "dense": channel_laws.dense,
    "convolution": space_laws.convolution,
    "pooling": space_laws.pooling,
    "adaptive": space_laws.adaptive,
    "upsampling": space_laws.upsampling,
    "resizing": space_laws.resizing,
    "border": space_laws.border,
    "global": space_laws.global_pooling,
    "flatten": space_laws.flatten,
    "reshape": space_laws.reshape,
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
