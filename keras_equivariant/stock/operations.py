"""What operations of keras.ops, as they stand between the layers of a functional model, do to a layout."""

import keras
import numpy as np

from keras_equivariant.groups import channels, grid
from keras_equivariant.groups.layouts import (
    BreaksSymmetry,
    Frames,
    Harmonic,
    Image,
    Invariant,
    OnOtherAxes,
    Quotient,
    Regular,
    Typed,
)
from keras_equivariant.stock import resizing, traits, windows
from keras_equivariant.stock.channel_laws import check_axes, softmax, unit
from keras_equivariant.stock.merging import join, merge
from keras_equivariant.stock.reshaping import (
    attended,
    frames,
    joined,
    merged,
    order_of,
    permuted,
    reshaped,
    sums_over_places,
)

REDUCED = ("Mean", "Sum", "Max", "Min", "Std", "Var", "Logsumexp")  # functions of all numbers along axes, in any order


def operation_law(operation, layouts, shapes, group, arguments):
    """The layout behind an operation; as `laws.output_layout`."""
    name, layout, shape = type(operation).__name__, layouts[0], tuple(shapes[0])
    if all(isinstance(one, Invariant) for one in layouts):  # any function of what does not move
        return layout
    constants = _constants(arguments)
    if name in ("Permute", "Transpose"):
        return _known(permuted(layout, shape, order_of(operation, len(shape))), operation, layout)
    if name == "MultiHeadAttention":
        return _known(attended(operation, layouts, shapes, arguments, group), operation, layout)
    if isinstance(operation, keras.layers.Layer):
        raise UnknownLaw(operation, layout)
    if name in traits.ELEMENTWISE_OPERATIONS:
        if len(layouts) > 1 and any(isinstance(one, OnOtherAxes) for one in layouts):
            return merged(layouts, shapes, name in traits.LINEAR_OPERATIONS, name)
        if len(layouts) > 1:
            if len(set(map(len, shapes))) > 1 and any(one != layout for one in layouts):
                raise UnknownLaw(operation, layout)  # it counts axes from the last
            return merge(layouts, shapes, linear=name in traits.LINEAR_OPERATIONS, name=name)
        return _elementwise(name, constants, layout, shape)
    if name == "Concatenate":
        of = joined if any(isinstance(one, OnOtherAxes) for one in layouts) else join
        return of(layouts, shapes, operation.axis)
    if name == "GetItem":
        return _taken(arguments[0][1], layout, shape, group or layout.group)
    if name == "Pad":
        return _padded(operation, arguments, layout, shape, group or layout.group)
    if name == "Split":
        return _split(operation, layout, shape)
    if name in REDUCED:
        return _reduced(operation, name, layout, shape, group or layout.group)
    if name in ("Cast", "Identity", "StopGradient"):
        return layout
    if name == "Softmax":
        check_axes(shape)
    if name in ("Softmax", "LogSoftmax", "Normalize"):
        return _along(operation, layout, shape, group or layout.group)
    if name == "Resize":
        return _resized(operation, layout, shape, group or layout.group)
    if name == "Reshape":
        after = tuple(operation.compute_output_spec(keras.KerasTensor(shape)).shape)
        found = layout if after == shape else frames(layout, shape, after) or reshaped(layout, shape, after)
        return _known(found, operation, layout)
    raise UnknownLaw(operation, layout)


class UnknownLaw(BreaksSymmetry):
    """Nothing is known of what an operation does to features of this layout."""

    def __init__(self, operation, layout):
        layout = layout.layout if isinstance(layout, Frames) else layout
        if isinstance(layout, Typed):
            reason = f"mixes the components of features of type {layout.described}"
            super().__init__(reason, "use NormPooling before it, for features that do not rotate")
        else:
            name = type(operation).__name__
            super().__init__(f"{name} is not known to commute with the group of {layout.described} features")


def _along(operation, layout, shape, group):
    """Softmax, or a division by the length, along some axes: judged as the layers that do so are."""
    axes = operation.axis if isinstance(operation.axis, tuple | list) else [operation.axis]
    axes = {a % len(shape) for a in axes if a is not None}
    judge = unit if type(operation).__name__ == "Normalize" else softmax
    if axes and isinstance(layout, Image | Regular | Quotient | Harmonic) and group is not None:
        if not layout.is_still(shape):
            judge(None, operation, layout, shape, group)
        return layout
    plain = layout.permutes and not isinstance(layout, Typed) and axes == {len(shape) - 1}
    placed = judge is softmax and sums_over_places(layout, shape, axes)
    return _known(layout if plain or placed else None, operation, layout)


def is_sum(operation):
    """Whether it adds tensors up: the layer `Add`, or `keras.ops.add`."""
    return type(operation).__name__ == "Add"


def _constants(arguments):
    args, kwargs = arguments or ((), {})
    found = [value for value in (*args, *kwargs.values()) if not _holds_tensors(value)]
    return [value for value in found if np.ndim(value) < 8]


def _holds_tensors(argument):
    return any(isinstance(value, keras.KerasTensor) for value in keras.tree.flatten(argument))


def _resized(operation, layout, shape, group):
    """keras.ops.image.resize of a batch of images."""
    if len(shape) != 4 or operation.data_format != "channels_last" or not isinstance(layout, Image | Typed):
        raise UnknownLaw(operation, layout)
    if group is not None and not windows.keeps(operation, shape[1:3], [group]):
        raise resizing.uneven(operation, shape[1:3])
    return layout


def _known(found, operation, layout):
    if found is None:
        raise UnknownLaw(operation, layout)
    return found


def _elementwise(name, constants, layout, shape):
    """A function of one tensor's numbers, perhaps with a constant."""
    numbers = [np.asarray(keras.ops.convert_to_numpy(c) if keras.ops.is_tensor(c) else c) for c in constants]
    numbers = [value for value in numbers if value.dtype.kind in "fiu"]
    uneven = [v.shape for v in numbers if any(size != 1 for size in v.shape[:-1])]
    if uneven and not isinstance(layout, Invariant):
        raise BreaksSymmetry(
            f"treats positions or group elements differently. Received: a constant of shape {uneven[0]}",
            "use one number for each channel",
        )
    if layout.permutes and not isinstance(layout, Typed):
        return layout
    linear = name in (*traits.LINEAR_OPERATIONS, *traits.SCALING_OPERATIONS)
    if isinstance(layout, Typed):
        field_type = layout.type
        scales = numbers if name in traits.SCALING_OPERATIONS else []
        others = [] if scales else numbers
        odd = name in traits.ODD_OPERATIONS and channels.is_signed(field_type)
        good = linear or layout.permutes or odd
        if good and all(channels.commutes(field_type, v) for v in scales):
            if all(channels.fixes(field_type, v) for v in others):
                return layout
        raise BreaksSymmetry(
            f"mixes the components of features of type {layout.described}",
            "use NormActivation, GatedActivation or FourierActivation",
        )
    if name == "Negative" or (linear and (name in traits.SCALING_OPERATIONS or not any(map(np.any, numbers)))):
        return layout
    raise BreaksSymmetry(
        f"harmonic features rotate as complex numbers, and {name} acts on real and imaginary parts by themselves",
        "use HarmonicActivation",
    )


def _taken(key, layout, shape, group):
    """Part of the features: whole blocks of channels, and of space what is symmetric about the center."""
    axes = layout.axes(shape)
    slices = slices_of(key, len(shape))
    if slices is None or any(_is_cut(slices[axis], shape[axis]) for axis in (0, *axes.fiber)):
        raise BreaksSymmetry(
            f"takes part of the {layout.described} features. Received: {key!r}", "cut off channels only"
        )
    sides = []
    for axis in axes.space:
        if not _is_cut(slices[axis], shape[axis]):
            sides.append((0, 0))
            continue
        taken = None if shape[axis] is None else range(shape[axis])[slices[axis]]
        if not taken:
            raise BreaksSymmetry(f"takes part of an axis of unknown size. Received: {key!r}", "use Cropping layers")
        sides.append((taken[0], shape[axis] - 1 - taken[-1]))
    if sides and group is not None and layout.moves and not _even(group, sides):
        raise BreaksSymmetry(f"must treat all sides alike. Received: {key!r}", "cut off as much at every side")
    if _is_cut(slices[axes.channels], shape[-1]):
        numbers = list(range(shape[-1])[slices[axes.channels]])
        if isinstance(layout, Typed):
            return layout.taken(numbers)
        if isinstance(layout, OnOtherAxes):
            return layout.with_channels(shape[-1], len(numbers))
    return layout


def padding_of(operation, rank, arguments):
    """What keras.ops.pad puts before and behind each axis: `(((before, behind), ...), number)`.

    Args:
        operation: the operation Pad.
        rank: number of axes of its tensor.
        arguments: `(args, kwargs)` of its call.
    """
    args, kwargs = arguments
    filled = kwargs.get("constant_values", args[1] if len(args) > 1 else None)
    widths = [tuple(map(int, pair)) for pair in operation.pad_width]
    return tuple(widths * rank if len(widths) == 1 else widths), 0.0 if filled is None else filled


def _padded(operation, arguments, layout, shape, group):
    """Pixels around space: of one number, which must be zero where features are no scalars, or mirrored ones."""
    widths, number = padding_of(operation, len(shape), arguments)
    space = layout.axes(shape).space
    scalars = layout.permutes and not isinstance(layout, Typed)
    if any(any(widths[axis]) for axis in range(len(shape)) if axis not in space) or not (scalars or number == 0):
        raise UnknownLaw(operation, layout)
    sides = [widths[axis] for axis in space]
    if group is not None and layout.moves and not _even(group, sides):
        raise BreaksSymmetry(f"must treat all sides alike. Received: {widths}", "pad as much at every side")
    return layout


def _even(group, sides):
    """Whether as much is cut off where the group takes ends and axes for alike."""
    moved = grid.moved_axes(group)
    even = all(low == high or not moves for moves, (low, high) in zip(moved, sides, strict=True))
    return even and grid.keeps_shape(group, [sum(side) for side in sides])


def slices_of(key, rank):
    """One slice for each axis; None where the key is of another kind. Keras reads a key back from a file as a list."""
    key = list(key) if isinstance(key, tuple | list) else [key]
    if key.count(Ellipsis) > 1 or any(not isinstance(k, slice) and k is not Ellipsis for k in key):
        return None
    if Ellipsis in key:
        at = key.index(Ellipsis)
        key[at : at + 1] = [slice(None)] * (rank - len(key) + 1)
    return key + [slice(None)] * (rank - len(key))


def _is_cut(chosen, size):
    if size is None:
        return chosen != slice(None)
    return len(range(size)[chosen]) != size or (chosen.step or 1) < 0


def _split(operation, layout, shape):
    axis = operation.axis % len(shape)
    if axis != len(shape) - 1:
        raise BreaksSymmetry(f"must split channels. Received: axis={operation.axis}", "use axis=-1")
    if not isinstance(layout, Typed | OnOtherAxes):
        return layout
    parts = operation.indices_or_sections
    if isinstance(parts, int):
        ends = [shape[-1] // parts * (i + 1) for i in range(parts - 1)]
    else:
        ends = [int(end) for end in parts]
    borders = [0, *ends, shape[-1]]
    ranges = [range(a, b) for a, b in zip(borders[:-1], borders[1:], strict=True)]
    if isinstance(layout, OnOtherAxes):
        return tuple(layout.with_channels(shape[-1], len(numbers)) for numbers in ranges)
    return tuple(layout.taken(list(numbers)) for numbers in ranges)


def _reduced(operation, name, layout, shape, group):
    """One of `REDUCED` over all of space, the group axis or both."""
    axis, space = operation.axis, layout.axes(shape).space
    fiber = layout.axes(shape).fiber
    if axis is None:
        chosen = set(range(len(shape)))
    else:
        chosen = {a % len(shape) for a in (axis if isinstance(axis, list | tuple) else (axis,))}
    inside = chosen & set(space)
    last = len(shape) - 1
    if isinstance(layout, OnOtherAxes):
        if chosen != set(fiber) or operation.keepdims:
            raise UnknownLaw(operation, layout)
        return Invariant(layout.group)
    linear = name in ("Mean", "Sum")
    whole = inside in (set(), set(space)) and 0 not in chosen and not (operation.keepdims and chosen & set(fiber))
    typed = isinstance(layout, Typed | Harmonic) and (last in chosen or chosen & set(fiber))
    if not whole or typed or last in chosen or not (linear or layout.permutes):
        raise UnknownLaw(operation, layout)
    if chosen & set(fiber):
        return Invariant(layout.group) if inside == set(space) else Image(layout.group)
    if not inside or operation.keepdims or isinstance(layout, Regular):
        return layout
    return Typed.of(layout.type, 2) if isinstance(layout, Typed) else Invariant(layout.group)
