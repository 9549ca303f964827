"""Padding of the space axes by zeros, around the edge (circular), mirrored at it (reflect) or by it (replicate)."""

from keras import ops

PADDING_MODES = ("zeros", "circular", "reflect", "replicate")


def pad(x, extents, strides, mode):
    """What `padding="same"` adds, in one of the `PADDING_MODES`.

    Args:
        x: features (B, *space, C).
        extents: lengths of the window in pixels, dilation included, one per axis of space.
        strides: steps of the window, one per axis of space; axes of unknown size need stride 1.
        mode: one of `PADDING_MODES`. `reflect` does not repeat the edge pixel, `replicate` repeats it alone.
    """
    for axis, (extent, stride) in enumerate(zip(extents, strides, strict=True), start=1):
        total = check_fits(x.shape[axis], extent, stride, mode, axis)
        before = total // 2
        x = _pad_axis(x, axis, before, total - before, mode)
    return x


def check_fits(size, extent, stride, mode, axis):
    """How many pixels `padding="same"` adds to an axis; ValueError where the mode has not so many, or none can tell."""
    if extent == 1:
        return 0
    if size is None and stride > 1:
        raise ValueError(
            'A strided convolution with padding="same" and a `padding_mode`, or with a `dilation_rate`, '
            f"needs a known size. Received: axis {axis} of size None; give the model a fixed input shape"
        )
    total = extent - 1 if stride == 1 else max((-(-size // stride) - 1) * stride + extent - size, 0)
    width = total - total // 2
    longest = {"circular": size, "reflect": size and size - 1}.get(mode, width)
    if size is not None and width > longest:
        raise ValueError(
            f'padding_mode="{mode}" can add at most {longest} pixels to {size}. '
            f'Received: {width} on axis {axis}; use a smaller kernel or padding_mode="zeros"'
        )
    return total


def _pad_axis(x, axis, before, after, mode):
    if mode == "zeros":
        width = [(0, 0)] * len(x.shape)
        width[axis] = (before, after)
        return ops.pad(x, width)

    def part(start, stop):
        return x[(slice(None),) * axis + (slice(start, stop),)]

    # Slices and a concatenation instead of roll or mirror padding: every backend and TFLite has them.
    if mode == "circular":
        left, right = part(-before, None), part(None, after)
    elif mode == "replicate":
        left, right = (ops.repeat(edge, n, axis=axis) for edge, n in ((part(None, 1), before), (part(-1, None), after)))
    else:
        left, right = ops.flip(part(1, before + 1), axis), ops.flip(part(-after - 1, -1), axis)
    pieces = [left] * (before > 0) + [x] + [right] * (after > 0)
    return ops.concatenate(pieces, axis=axis) if len(pieces) > 1 else x
