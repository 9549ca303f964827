"""The windows of Keras's own layers over space, and whether they keep what a group does to the axes."""

from keras_equivariant.groups import grid
from keras_equivariant.ops import windows
from keras_equivariant.ops.windows import Border, Scaling, Sliding, Spreading
from keras_equivariant.stock import resizing


def windows_of(layer):
    """One window for each axis of space of a stock convolution, pooling, up-sampling, padding or cropping.

    None for any other layer, or for one that pads as no window here does ("causal").
    """
    padding = getattr(layer, "padding", None)
    if hasattr(layer, "cropping"):
        return tuple(Border(-low, -high) for low, high in layer.cropping)
    if hasattr(layer, "pool_size") and padding in ("valid", "same"):
        sizes = zip(layer.pool_size, layer.strides, strict=True)
        return tuple(Sliding(size, stride, padding=padding, taps=False) for size, stride in sizes)
    if hasattr(layer, "kernel_size") and padding in ("valid", "same"):
        sizes = list(zip(layer.kernel_size, layer.strides, layer.dilation_rate, strict=True))
        if not hasattr(layer, "output_padding"):
            return tuple(Sliding(*one, padding) for one in sizes)
        added = layer.output_padding
        added = (added,) * len(sizes) if added is None or isinstance(added, int) else added
        return tuple(Spreading(*one, padding, extra) for one, extra in zip(sizes, added, strict=True))
    if isinstance(getattr(layer, "size", None), tuple):
        return tuple(map(Scaling, layer.size))
    if isinstance(padding, tuple):
        return tuple(Border(low, high) for low, high in padding)
    return None


def keeps(layer, space, groups):
    """Whether the windows of a stock layer keep the symmetry under all of these groups.

    Args:
        layer: one that has windows.
        space: sizes of its input, one per axis of space; None where unknown, kept if any size is.
        groups: the groups; only what maps the pixel grid onto itself counts.
    """
    moves = tuple(move for group in groups for move in grid.axis_moves(group))
    steps = resizing.steps(layer, space) or [(windows_of(layer), space)]
    return not any(windows.lost(one, tuple(sizes), moves) for one, sizes in steps)
