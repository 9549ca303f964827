"""Convolutions on channels-last features, and the sizes on which a sliding window is symmetric."""

import math

from keras import ops

from keras_equivariant.ops.padding import pad

PADDINGS = ("valid", "same")


def is_symmetric(size, kernel, stride=1, dilation=1, padding="valid"):
    """Whether a sliding window covers an axis symmetrically about its centre.

    Only then does a convolution or pooling with a symmetric window commute with flips and quarter turns exactly.
    The rule: for `valid`, the last window must end at the last pixel; for `same`, the padding must be even.

    Args:
        size: length n of the axis; None (unknown) counts as symmetric.
        kernel: window length k in pixels.
        stride: step of the window.
        dilation: distance between the window's taps.
        padding: `"valid"` or `"same"`.
    """
    if size is None:
        return True
    extent = (kernel - 1) * dilation + 1
    if padding == "valid":
        return size >= extent and (size - extent) % stride == 0
    total = (math.ceil(size / stride) - 1) * stride + extent - size
    return total >= 0 and total % 2 == 0


def is_symmetric_transpose(kernel, stride=1, dilation=1, padding="valid", output_padding=None):
    """Whether a transposed convolution treats both ends of an axis alike; this does not depend on the size.

    What it keeps of the full output of length (n - 1) stride + extent must be cropped evenly at both ends.
    """
    extent = (kernel - 1) * dilation + 1
    if output_padding is None:
        return extent >= stride and (padding == "valid" or (extent - stride) % 2 == 0)
    if padding == "valid":
        return output_padding == 0
    return extent % 2 == 1 and output_padding == 0


def symmetric_sizes(size, kernel, stride=1, dilation=1, padding="valid", count=2):
    """The sizes nearest to `size` on which the window is symmetric, at most `count`, ascending."""
    window = range(max(1, size - 4 * stride * dilation - kernel), size + 4 * stride * dilation + kernel + 1)
    good = [n for n in window if is_symmetric(n, kernel, stride, dilation, padding)]
    return sorted(sorted(good, key=lambda n: (abs(n - size), n))[:count])


def convolve(x, kernel, strides, padding, dilation_rate, padding_mode="zeros"):
    """Cross-correlation of features (B, *space, C) with a kernel (*k, C / groups, F).

    Args:
        strides, dilation_rate: tuples, one entry per axis of space.
        padding: `"valid"` or `"same"`.
        padding_mode: what `"same"` pads with: `"zeros"`, `"circular"` or `"reflect"`.
    """
    if padding == "same" and padding_mode != "zeros":
        extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate, strict=False)]
        x, padding = pad(x, extents, strides, padding_mode), "valid"
    if max(strides) > 1 and max(dilation_rate) > 1:
        # The backends refuse the pair: a dense dilated convolution, then every stride-th output.
        return _strided_dilated(x, kernel, strides, padding, dilation_rate)
    return ops.conv(
        x, kernel, strides=strides, padding=padding, data_format="channels_last", dilation_rate=dilation_rate
    )


def _strided_dilated(x, kernel, strides, padding, dilation_rate):
    if padding == "same":
        extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate, strict=False)]
        x = pad(x, extents, strides, "zeros")
    y = ops.conv(x, kernel, strides=1, padding="valid", data_format="channels_last", dilation_rate=dilation_rate)
    return subsample(y, strides)


def subsample(x, strides):
    """Every stride-th pixel of features (B, *space, C), the first one included."""
    return x[(slice(None), *(slice(None, None, s) for s in strides))]
