"""What reshaping does to a layout. While the last axis holds channels of one pixel, elements act on what came of it."""

import math

import keras

from keras_equivariant.groups import grid
from keras_equivariant.groups.layouts import (
    BreaksSymmetry,
    Frames,
    Harmonic,
    Image,
    Invariant,
    Joined,
    OnOtherAxes,
    Quotient,
    Regular,
    Reshaped,
    Typed,
    WrongFeatures,
    received,
)
from keras_equivariant.groups.reshaped import channel_axes
from keras_equivariant.stock import traits
from keras_equivariant.stock.merging import differ, merge

_REMEDY = "pool to (B, C) before it, or let its last axis hold channels of one pixel, a size that divides {channels}"


def reshaped(layout, before, after):
    """The layout of features in another shape; None where nothing is known of them.

    Args:
        layout: of the features.
        before, after: the shapes, with the batch axis.
    """
    before, after = tuple(before), tuple(after)
    if after == before:
        return layout
    base, shape = (layout.layout, layout.shape) if isinstance(layout, Reshaped) else (layout, before[1:])
    if not isinstance(base, Image | Regular | Quotient) or None in (*shape, *after[1:]):
        return None
    if after[1:] == shape:
        return base
    whole = math.prod(after[1:]) == math.prod(shape)
    if len(after) < 3 or not whole or not channel_axes(after, shape[-1]):
        return None
    return Reshaped(base, tuple(shape))


def check_reshape(layer, layout, shape):
    """BreaksSymmetry unless the group acts on what a layer makes of features by another shape."""
    after = tuple(layer.compute_output_shape(shape))
    if reshaped(layout, shape, after) is None:
        raise BreaksSymmetry(
            f"mixes positions, group elements and channels. {received(layout, shape)}",
            _REMEDY.format(channels=layout.shape[-1] if isinstance(layout, Reshaped) else shape[-1]),
        )


def permuted(layout, shape, order):
    """The layout of features whose axes are in another order; None where others than those of channels are moved.

    Args:
        order: the axis of `shape` that each axis was, the batch axis among them.
    """
    if list(order) == list(range(len(shape))) or isinstance(layout, Invariant):
        return layout
    if not isinstance(layout, Reshaped):
        return None
    channels = channel_axes(shape, layout.shape[-1])
    return layout if all(old == new or old in channels for new, old in enumerate(order)) else None


def order_of(operation, rank):
    """The order of axes that a Permute layer or keras.ops.transpose makes, the batch axis among them."""
    if isinstance(operation, keras.layers.Layer):
        return (0, *operation.dims)
    return tuple(reversed(range(rank))) if operation.axes is None else tuple(a % rank for a in operation.axes)


def joined(layouts, shapes, axis):
    """The layout of features on other axes, side by side: along the channels, or along axis 1 one behind the other."""
    axis, last, layout = axis % len(shapes[0]), len(shapes[0]) - 1, layouts[0]
    if not all(isinstance(one, OnOtherAxes) for one in layouts):
        raise differ(layouts)
    if axis == last and all(
        one.with_channels(shape[-1], shapes[0][-1]) == layout for one, shape in zip(layouts, shapes, strict=True)
    ):
        return layout.with_channels(shapes[0][-1], sum(shape[-1] for shape in shapes))
    if axis != 1 or axis == last:
        raise BreaksSymmetry(f"must join channels, or along axis 1. Received: axis={axis}", "use axis=-1")
    parts, sizes = [], []
    for one, shape in zip(layouts, shapes, strict=True):
        parts += one.layouts if isinstance(one, Joined) else (one,)
        sizes += one.sizes if isinstance(one, Joined) else (shape[1],)
    return Joined(tuple(parts), tuple(sizes))


def merged(layouts, shapes, linear=False, name=""):
    """The layout of a function of the same number in features on other axes, of which some may have one channel.

    Args:
        layouts, shapes, linear, name: as in `merge`.
    """
    if any(isinstance(one, Regular | Quotient | Harmonic | Typed) for one in layouts):
        return merge(layouts, shapes, linear, name)
    widest = max(shape[-1] for shape in shapes)
    found = [
        one.with_channels(shape[-1], widest) if isinstance(one, OnOtherAxes) else one
        for one, shape in zip(layouts, shapes, strict=True)
    ]
    if any(other != found[0] for other in found) or any(shape[1:-1] != shapes[0][1:-1] for shape in shapes):
        raise differ(layouts)
    return found[0]


def sums_over_places(layout, shape, axes):
    """Whether axes are all but that of the channels, so that a sum over them is one over all places."""
    return isinstance(layout, OnOtherAxes) and set(axes) == set(range(1, len(shape) - 1))


def _of_one_pixel(layout, shape):
    """The axes that hold nothing but channels."""
    last = {len(shape) - 1}
    return last.union(channel_axes(shape, layout.shape[-1])) if isinstance(layout, Reshaped) else last


def attended(layer, layouts, shapes, arguments, group):
    """The layout of attention without masks: between all places of features on other axes, or along axes of maps that
    the group does not exchange for others; None where nothing is known of it."""
    args, kwargs = arguments or ((), {})
    axes = {axis % len(shapes[0]) for axis in layer.get_config()["attention_axes"] or range(1, len(shapes[0]) - 1)}
    others = [value for key, value in kwargs.items() if key not in ("query", "value", "key", "training")]
    masked = any(value is not None and value is not False for value in (*args[3:], *others))
    after = layer.get_config()["output_shape"]
    if masked or (isinstance(after, list | tuple) and len(after) > 1):
        return None
    if isinstance(layouts[0], Image | Regular | Quotient):
        return _attended_map(layouts, shapes, axes, group)
    if len(shapes[0]) != 3 or not sums_over_places(layouts[0], shapes[0], axes):
        return None
    try:
        merged(layouts, shapes)
    except BreaksSymmetry as error:
        raise BreaksSymmetry(f"attends to other places, {error.reason}", "use one map for all it attends to") from None
    after = shapes[0][-1] if after is None else after if isinstance(after, int) else after[-1]
    return layouts[0].with_channels(shapes[0][-1], after)


def _attended_map(layouts, shapes, axes, group):
    """The layout of attention along some axes of maps, the others by themselves."""
    layout, space = layouts[0], layouts[0].axes(shapes[0]).space
    if any(other != layout for other in layouts):
        raise differ(layouts)
    along = [axis in axes for axis in space]
    group = group or layout.group
    if len(set(along)) > 1:
        if group is None:
            return None
        if not grid.keeps_shape(group.finite, [1 + own for own in along]):
            raise BreaksSymmetry(
                "attends along axes that the group exchanges for others. Received: "
                f"attention_axes={tuple(sorted(axes))} on {group.name}",
                f"attend along all axes of space at once, attention_axes={tuple(space)}",
            )
    if len(axes) == 1 and len(shapes[0]) >= traits.SOFTMAX_AXES and keras.backend.backend() == "tensorflow":
        raise WrongFeatures(  # several axes Keras makes one of
            f"takes a softmax of {len(shapes[0]) + 1} axes, and TensorFlow {traits.SOFTMAX_AXES} at the most. "
            f"{received(layout, shapes[0])}",
            f"attend along all axes of space at once, attention_axes={tuple(space)}, or use it behind GroupPooling",
        )
    return layout


def on_other_axes(row, layer, layouts, shapes):
    """The layout behind a stock layer of features that a Reshape put on other axes; None where that tells no more.

    Raises:
        WrongFeatures: the layer works on axes of space.
        BreaksSymmetry: it does not commute with the group.
    """
    if not any(isinstance(layout, OnOtherAxes) for layout in layouts):
        return None
    layout, shape = layouts[0], tuple(shapes[0])
    if row.kind == "join":
        return joined(layouts, shapes, layer.axis)
    if row.kind == "merge":
        return merged(layouts, shapes, row.linear, type(layer).__name__)
    if row.kind == "dense":
        return layout.with_channels(shape[-1], layer.units)
    if row.kind == "global" and not layer.keepdims and len(shape) == row.rank + 2:
        return Invariant(layout.group)
    if row.kind in ("softmax", "unit", "normalization"):
        axes = layer.axis if isinstance(layer.axis, list | tuple) else [layer.axis]
        axes = {a % len(shape) for a in axes if a is not None}
        if axes <= _of_one_pixel(layout, shape) or (row.kind == "softmax" and sums_over_places(layout, shape, axes)):
            return layout
        raise BreaksSymmetry(f"treats positions differently. Received: axis={layer.axis}", "use axis=-1")
    if row.kind in ("flatten", "reshape"):
        check_reshape(layer, layout, shape)
    if row.kind in ("identity", "function", "scale", "slopes", "gain", "flatten", "reshape"):
        return None
    raise WrongFeatures(
        f"works on axes of space, which a Reshape put on others. {received(layout, shape)}", "use it before the Reshape"
    )


def frames(layout, shape, after):
    """The layout of a batch of features (B T, ...) as frames (B, T, ...), or back; None for other shapes."""
    if isinstance(layout, Frames):
        return layout.layout if after[1:] == shape[2:] else None
    return Frames(layout) if after[2:] == shape[1:] else None
