"""What Keras's own layers that act on the axes of space do to a layout: nothing, or why they break the symmetry.

Each law takes the traits of a layer, the layer, the layout and shape of its input and the group.
"""

from keras_equivariant.groups import grid
from keras_equivariant.groups.layouts import BreaksSymmetry, Harmonic, Image, Typed, received
from keras_equivariant.stock import windows
from keras_equivariant.stock.channel_laws import COMPLEX, mixes
from keras_equivariant.stock.features import mean, ours
from keras_equivariant.stock.reshaping import check_reshape
from keras_equivariant.stock.resizing import uneven, wanted


def convolution(row, layer, layout, shape, group):
    if isinstance(layout, Typed):
        raise mixes(layer, layout.type)
    name, moved = type(layer).__name__, grid.moved_axes(group)
    moved = (*moved, *(True,) * (row.rank - len(moved)))  # the group permutes its own axis
    pointwise = all(k == 1 or not moves for k, moves in zip(layer.kernel_size, moved, strict=True))
    if pointwise and _keep(layer, layout, shape, group):
        return
    reason = f"a stock {name} does not commute with {group.name}"
    if pointwise:
        reason += f": strides={layer.strides} do not treat the ends of {shape[1 : 1 + row.rank]} pixels alike"
    remedy = f"use {ours('LiftingConv', layout, shape)} or {ours('GroupConv', layout, shape)}"
    raise BreaksSymmetry(reason, remedy + ("" if pointwise else ", or a kernel of one pixel"))


def pooling(row, layer, layout, shape, group):
    if isinstance(layout, Typed) and not (row.linear or layout.permutes):
        raise mixes(layer, layout.type)
    sizes = f"pool_size={layer.pool_size}, strides={layer.strides} on {shape[1:-1]}"
    if not _keep(layer, layout, shape, group):
        raise BreaksSymmetry(
            f"its windows do not treat all sides alike. Received: {sizes}",
            f"use {ours(type(layer).__name__[:-2], layout, shape)} of this package, which says what sizes are right",
        )


def adaptive(row, layer, layout, shape, group):
    if isinstance(layout, Typed) and not (row.linear or layout.permutes):
        raise mixes(layer, layout.type)
    rank = layout.rank(shape)
    beyond = shape[1 + rank : 1 + row.rank] == wanted(layer)[rank:]  # a group axis stays as it is
    if not beyond or not windows.keeps(layer, shape[1 : 1 + rank], [group]):
        raise BreaksSymmetry(
            f"its windows do not treat all sides alike. Received: output_size={wanted(layer)} on {shape[1:-1]}",
            f"use {ours(type(layer).__name__[:-2], layout, shape)} of this package with one output_size for all axes",
        )


def upsampling(row, layer, layout, shape, group):
    size = layer.size if isinstance(layer.size, tuple | list) else (layer.size,)
    if not _keep(layer, layout, shape, group):
        raise BreaksSymmetry(
            f"a quarter turn swaps the axes, which grow by different factors, size={tuple(size)}",
            f"use size={max(size)}",
        )


def resizing(row, layer, layout, shape, group):
    if not windows.keeps(layer, shape[1:-1], [group]):
        raise uneven(layer, shape[1:-1])


def border(row, layer, layout, shape, group):
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


def global_pooling(row, layer, layout, shape, group):
    if isinstance(layout, Typed) and not (row.linear or layout.permutes):
        raise mixes(layer, layout.type)


def flatten(row, layer, layout, shape, group):
    if tuple(layer.compute_output_shape(shape)) == shape:
        return
    _check_numbers(layer, layout)
    fix = ("" if isinstance(layout, Image) else "GroupPooling, then ") + mean(layout, shape)
    raise BreaksSymmetry(
        f"makes each position and group element a channel of its own. {received(layout, shape)}", f"use {fix}"
    )


def reshape(row, layer, layout, shape, group):
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
