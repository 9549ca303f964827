"""What Keras's own layers that act on the channels of a pixel do to a layout: nothing, or why they break the symmetry.

Each law takes the traits of a layer, the layer, the layout and shape of its input and the group.
"""

import keras
import numpy as np

from keras_equivariant.groups import channels, grid
from keras_equivariant.groups.layouts import BreaksSymmetry, Harmonic, Typed, WrongFeatures, received
from keras_equivariant.stock import traits

COMPLEX = "harmonic features rotate as complex numbers, and "


def mixes(layer, field_type):
    """The error that says that a layer does not commute with a field type, and what to use instead."""
    row = traits.traits(layer)
    remedy = (row and row.remedy) or "NormPooling before it, for features that do not rotate"
    return BreaksSymmetry(
        f'mixes the components of features of type "{field_type}" on {field_type.group.name}', f"use {remedy}"
    )


def check_axes(shape):
    """WrongFeatures where TensorFlow has no softmax of so many axes."""
    if len(shape) > traits.SOFTMAX_AXES and keras.backend.backend() == "tensorflow":
        raise WrongFeatures(
            f"takes {traits.SOFTMAX_AXES} axes at the most on TensorFlow. Received: features of shape {shape}",
            'give the layer before it activation="softmax", which has no such limit, or use it behind GroupPooling',
        )


def function(row, layer, layout, shape, group):
    if traits.needs_few_axes(getattr(layer, "activation", None)):
        check_axes(shape)
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


def scale(row, layer, layout, shape, group):
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


def slopes(row, layer, layout, shape, group):
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


def gain(row, layer, layout, shape, group):
    if isinstance(layout, Typed):
        raise mixes(layer, layout.type)


def softmax(row, layer, layout, shape, group):
    check_axes(shape)
    if isinstance(layout, Harmonic):
        raise BreaksSymmetry(
            f"{COMPLEX}Softmax acts on real and imaginary parts by themselves", "use HarmonicActivation"
        )
    if not layout.permutes:
        raise mixes(layer, layout.type)
    _check_statistics(layer, layout, shape, group)


def unit(row, layer, layout, shape, group):
    chosen = _check_statistics(layer, layout, shape, group)
    if isinstance(layout, Harmonic) and 4 not in chosen:
        raise BreaksSymmetry(
            f"{COMPLEX}{type(layer).__name__} shifts or scales real and imaginary parts",
            "use HarmonicBatchNormalization",
        )
    if isinstance(layout, Typed) and len(shape) - 1 not in chosen and not layout.permutes:
        raise mixes(layer, layout.type)


def normalization(row, layer, layout, shape, group):
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
    given = layer.get_config().get("axis", layer.axis) if isinstance(layer, keras.layers.Layer) else layer.axis
    given = list(given) if isinstance(given, tuple) else given
    return BreaksSymmetry(f"treats positions or group elements differently. Received: axis={given}", "use axis=-1")


def _axes(layer, shape):
    axis = layer.axis
    axis = () if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
    return {a % len(shape) for a in axis}


def dense(row, layer, layout, shape, group):
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
