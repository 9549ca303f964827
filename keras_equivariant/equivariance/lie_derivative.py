"""The Lie derivative: by how much a function fails to commute with rotations by infinitely small angles.

    L f (x) = d/dt [ exp(-t X) f(exp(t X) x) ] at t = 0  =  Df(x) A x - A f(x),    A y = d/dt exp(t X) y

X is the generator of the rotations, about each axis in space. Of a network f = f_n ... f_1 it is a sum over its layers,

    L f (x) = sum over i of D(f_n ... f_i+1) L f_i (x_i),

so that each layer has an error of its own, and a part in that of the output. (Gruver et al., The Lie Derivative for
Measuring Learned Equivariance, arXiv 2210.02984, section 4, which averages the squares of these parts; here they are
relative to the features, hence the relative error of a rotation by one radian to first order.)
"""

import inspect

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance.layouts import windowed
from keras_equivariant.equivariance.measure import as_array, batches, evaluate, relative, square
from keras_equivariant.graphs.calls import replay
from keras_equivariant.ops.gradient import gradient

ANGLE = 1e-5  # radians: to this order the rate of linear interpolation is the central difference of the pixels
STEP = {"float64": 1e-5}  # relative change of features whose effect is measured
FLOAT32_STEP = 1e-2
EVERY_DIRECTION = 16  # outputs of so few numbers are measured in full, larger ones in random directions
RANDOM_DIRECTIONS = 8


def rate(x, layout, group, axis=None):
    """A x: the rate of change of features while they are rotated counter-clockwise, per radian; NumPy, float64.

    Args:
        x: array, the batch axis first.
        layout: its Layout.
        group: the group whose layout it is.
        axis: of the rotation in space.
    """
    x = np.asarray(x, np.float64)
    rotated = (groups.rotation_matrix(sign * np.rad2deg(ANGLE), axis) for sign in (1, -1))
    there, back = (layout.act(x, group, matrix, interpolation="linear") for matrix in rotated)
    return (there - back) / (2 * ANGLE)


def moves_freely(layout):
    """Whether rotations by any angle act on features of this layout."""
    return layout is not None and layout.any_element


def lie_derivative(fn, setting, output_layouts):
    """|L f| / |f| over all samples, of images on a disc, at the worst output and axis; None where it is not defined.

    Args:
        fn: from a list of arrays to a list of arrays.
        setting: the Setting of a certification.
        output_layouts: a layout per output.
    """
    layouts = setting.layouts
    pixels = [layout.on_pixels(x.shape) for x, layout in zip(setting.arrays, layouts, strict=True)]
    if not any(pixels) or not all(map(moves_freely, [*layouts, *output_layouts])):
        return None
    if any(moves and x.dtype.kind != "f" for x, moves in zip(setting.arrays, pixels, strict=True)):
        return None
    axes = rotation_axes(setting.group.dimension, setting.claimed)
    errors, norms = np.zeros((len(axes), len(output_layouts))), np.zeros(len(output_layouts))
    for batch, rows in batches(_on_discs(setting), setting.batch_size):

        def run(arrays, rows=rows):
            return evaluate(fn, arrays, rows)

        reference = run(batch)
        norms += _norms(reference, output_layouts)
        for row, axis in zip(errors, axes, strict=True):
            rates = [rate(x, layout, setting.group, axis) for x, layout in zip(batch, layouts, strict=True)]
            lost = _lost(_pushed(run, batch, rates), reference, output_layouts, setting.group, axis)
            row += [square(y) for y in lost]
    return float(relative(errors, norms).max())


def lie_derivatives(network, listing, setting, layouts):
    """For each call of a network (|L f_i| / |f_i|, its part in the Lie derivative of the output).

    Args:
        network: a functional model.
        listing: its calls.
        setting: the Setting of a certification; its first batch is measured.
        layouts: a Layout, or None, by the identity of a tensor.

    Returns:
        A dict of pairs by the identity of a call; calls whose features do not move freely are left out. The parts are
        relative to the norm of the output.
    """
    batch, rows = next(batches(_on_discs(setting), setting.batch_size))
    inputs = [keras.ops.convert_to_tensor(x[:rows]) for x in batch]
    values = _values(network, listing, inputs)
    arrays = {name: as_array(value) for name, value in values.items()}

    def is_judged(call):
        tensors = [id(x) for x in (*call.inputs, *call.outputs)]
        return call.inputs and all(moves_freely(layouts.get(x)) and arrays[x].dtype.kind == "f" for x in tensors)

    judged = [call for call in listing if is_judged(call)]
    axes = rotation_axes(setting.group.dimension, setting.claimed)
    lost = [[_lost_by(call, arrays, layouts, setting.group, axis) for axis in axes] for call in judged]
    parts = _parts(network, listing, inputs, arrays, layouts, judged, lost)
    found = {}
    for call, by_axis, part in zip(judged, lost, parts, strict=True):
        norms = _norms([arrays[id(x)] for x in call.outputs], [layouts[id(x)] for x in call.outputs])
        own = relative([[square(y) for y in one] for one in by_axis], norms).max()
        found[id(call)] = float(own), part
    return found


def _on_discs(setting):
    return [windowed(x, layout) for x, layout in zip(setting.arrays, setting.layouts, strict=True)]


def rotation_axes(dimension, group=None):
    """The coordinate axes of space about which a continuous group rotates, of any other all; None in the plane."""
    if dimension == 2:
        return [None]
    found = group and group.axes_of_rotation
    return list(np.eye(3) if found is None else found)


def generators(dimension, group=None):
    """The skew matrices X of the rotations exp(t X) about each axis, in array coordinates, `(1 or 3, d, d)`."""
    plus, minus = (
        [groups.grid.index_matrix(groups.rotation_matrix(degrees, axis)) for axis in rotation_axes(dimension, group)]
        for degrees in (90, -90)
    )
    return (np.stack(plus) - np.stack(minus)) / 2


def _values(network, listing, inputs, changes=None):
    """By the identity of a tensor its value, those with a change changed by it."""
    changes = changes or {}
    values = dict(zip(map(id, network.inputs), inputs, strict=True))
    for call in listing:
        replay([call], values, _called)
        for x in call.outputs:
            if id(x) in changes:
                values[id(x)] = values[id(x)] + changes[id(x)]
    return values


def _called(operation, *args, **kwargs):
    """The call at inference, said aloud: where nothing is said, Resizing and RandomFlip take it for training."""
    if "training" in inspect.signature(operation.call).parameters:
        kwargs["training"] = False
    return operation(*args, **kwargs)


def _lost_by(call, arrays, layouts, group, axis):
    """L f_i at the features that the call gets, within the disc."""
    names = list(dict.fromkeys(id(x) for x in call.inputs))
    batch = [arrays[name] for name in names]
    rates = [rate(x, layouts[name], group, axis) for x, name in zip(batch, names, strict=True)]

    def run(given):
        tensors = dict(zip(names, map(keras.ops.convert_to_tensor, given), strict=True))
        replay([call], tensors, _called)
        return [as_array(tensors[id(x)]) for x in call.outputs]

    reference, theirs = [arrays[id(x)] for x in call.outputs], [layouts[id(x)] for x in call.outputs]
    return _lost(_pushed(run, batch, rates), reference, theirs, group, axis)


def _pushed(run, batch, rates):
    """Df(x) v for the rates of change v, by central differences."""
    moving = np.sqrt(sum(map(square, rates)))
    step = min(STEP.get(x.dtype.name, FLOAT32_STEP) for x in batch)
    step *= np.sqrt(sum(map(square, batch))) / moving if moving else 1.0
    there, back = (
        run([(x + sign * step * v).astype(x.dtype) for x, v in zip(batch, rates, strict=True)]) for sign in (1, -1)
    )
    return [(a.astype(np.float64) - b.astype(np.float64)) / (2 * step) for a, b in zip(there, back, strict=True)]


def _lost(pushed, reference, layouts, group, axis):
    return [
        windowed(v - rate(y, layout, group, axis), layout)
        for v, y, layout in zip(pushed, reference, layouts, strict=True)
    ]


def _norms(outputs, layouts):
    return np.array([square(windowed(y, layout)) for y, layout in zip(outputs, layouts, strict=True)])


def _parts(network, listing, inputs, arrays, layouts, judged, lost):
    """How much of what each call loses reaches the outputs, |D(f_n ... f_i+1) L f_i| / |f|, by gradients."""
    outputs = [arrays[id(x)] for x in network.outputs]
    masks = [np.ones((1, *y.shape[1:]), y.dtype) for y in outputs]
    free = [moves_freely(layouts.get(id(x))) for x in network.outputs]
    masks = [
        windowed(mask, layouts[id(x)]) if moves else mask
        for mask, x, moves in zip(masks, network.outputs, free, strict=True)
    ]
    names = [id(x) for call in judged for x in call.outputs]
    start = [keras.ops.zeros_like(keras.ops.convert_to_tensor(arrays[name])) for name in names]
    total = np.zeros((len(judged), max(map(len, lost), default=1)))
    directions, scale = _directions(outputs)
    for direction in directions:
        weights = [
            keras.ops.convert_to_tensor((v * mask).astype(mask.dtype)) for v, mask in zip(direction, masks, strict=True)
        ]

        def along(changes, weights=weights):
            found = _values(network, listing, inputs, dict(zip(names, changes, strict=True)))
            return sum(keras.ops.sum(found[id(x)] * w) for x, w in zip(network.outputs, weights, strict=True))

        slopes = dict(zip(names, map(as_array, gradient(along, start)), strict=True))
        for row, call, by_axis in zip(total, judged, lost, strict=True):
            for i, one in enumerate(by_axis):
                reached = [(slopes[id(x)] * y).reshape(len(y), -1) for x, y in zip(call.outputs, one, strict=True)]
                row[i] += square(sum(part.sum(axis=1) for part in reached))
    norm = sum(square(y * mask) for y, mask in zip(outputs, masks, strict=True))
    return [float(relative(scale * row.max(), norm)) for row in total]


def _directions(outputs):
    """(Directions in the space of the outputs, the factor of a sum over them that makes it the square norm).

    Every direction of small outputs; else random signs, the mean of whose squares is the square norm.
    """
    sizes = [int(np.prod(y.shape[1:])) for y in outputs]
    if sum(sizes) <= EVERY_DIRECTION:
        rows = [np.split(row, np.cumsum(sizes)[:-1]) for row in np.eye(sum(sizes))]
        return [[v.reshape(y.shape[1:]) for v, y in zip(row, outputs, strict=True)] for row in rows], 1.0
    generator = np.random.default_rng(0)
    drawn = ([generator.choice([-1.0, 1.0], y.shape) for y in outputs] for _ in range(RANDOM_DIRECTIONS))
    return drawn, 1 / RANDOM_DIRECTIONS
