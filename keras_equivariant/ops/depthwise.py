"""Depthwise convolutions of channels-last features, also of volumes, which TensorFlow has no operation for."""

from keras import ops

from keras_equivariant.ops.convolution import subsample
from keras_equivariant.ops.padding import pad


def depthwise_convolve(x, kernel, strides, padding, dilation_rate, padding_mode="zeros", planes=ops.depthwise_conv):
    """Cross-correlation of each channel of (B, *space, C) with kernels of its own, (*k, C, depth multiplier).

    A volume is convolved plane by plane, once for each tap along its first axis, and the results are added: on a CPU
    much faster than the grouped convolution that XLA has, and than a dense one (tests/benchmarks).

    Args:
        strides, dilation_rate: tuples, one entry per axis of space.
        padding: `"valid"` or `"same"`.
        padding_mode: what `"same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
        planes: what convolves (B, H, W, C) with (k, k, C, depth multiplier), called as `keras.ops.depthwise_conv`.
    """
    extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate, strict=False)]
    dilated = max(strides) > 1 and max(dilation_rate) > 1  # the backends refuse the pair
    if padding == "same" and (padding_mode != "zeros" or dilated):
        x, padding = pad(x, extents, strides, padding_mode), "valid"
    steps = (1,) * len(strides) if dilated else tuple(strides)
    if len(strides) == 2:
        y = planes(x, kernel, steps, padding, "channels_last", dilation_rate)
    else:
        y = _sum_of_planes(x, kernel, steps, padding, dilation_rate, planes)
    return subsample(y, strides) if dilated else y


def _sum_of_planes(x, kernel, strides, padding, dilation_rate, planes):
    size, taps, stride, rate = x.shape[1], kernel.shape[0], strides[0], dilation_rate[0]
    extent = (taps - 1) * rate + 1
    if padding == "same" and size is None:
        x = pad(x, (extent, 1, 1), (stride, 1, 1), "zeros")
    same = padding == "same" and size is not None
    length = None if size is None else -(-size // stride) if same else (size - extent) // stride + 1
    before = max((length - 1) * stride + extent - size, 0) // 2 if same else 0
    total = None
    for tap in range(taps):
        offset = tap * rate - before  # output o takes plane o * stride + offset, where there is one
        if size is None:
            first, last = 0, None
            part = x[:, offset : offset + 1 - extent or None : stride]
        else:
            first, last = max(-(offset // stride), 0), min((size - 1 - offset) // stride, length - 1)
            if last < first:
                continue
            part = x[:, first * stride + offset : last * stride + offset + 1 : stride]
        shape = ops.shape(part)
        flat = ops.reshape(part, (-1, *shape[2:]))
        y = planes(flat, kernel[tap], strides[1:], padding, "channels_last", dilation_rate[1:])
        y = ops.reshape(y, (-1, shape[1], *ops.shape(y)[1:]))
        if last is not None and last - first + 1 < length:
            y = ops.pad(y, ((0, 0), (first, length - 1 - last), (0, 0), (0, 0), (0, 0)))
        total = y if total is None else total + y
    return total
