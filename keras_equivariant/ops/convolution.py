"""Convolutions on channels-last features."""

from keras import ops

from keras_equivariant.ops.compiled import groups_pay
from keras_equivariant.ops.padding import pad

_BLOCK = 128  # channels that field groups are gathered to, where the backend has no fast grouped convolution


def convolve(x, kernel, strides, padding, dilation_rate, padding_mode="zeros"):
    """Cross-correlation of features (B, *space, C) with a kernel (*k, C / groups, F).

    Args:
        strides, dilation_rate: tuples, one entry per axis of space.
        padding: `"valid"` or `"same"`.
        padding_mode: what `"same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
    """
    groups = x.shape[-1] // kernel.shape[-2]
    if groups > 1 and not groups_pay():
        return _in_blocks(x, kernel, groups, (strides, padding, dilation_rate, padding_mode))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate, strict=False)]
    if padding == "same" and (padding_mode != "zeros" or _leaves_gaps(x, extents, strides)):
        x, padding = pad(x, extents, strides, padding_mode), "valid"
    if max(strides) > 1 and max(dilation_rate) > 1:
        # The backends refuse the pair: a dense dilated convolution, then every stride-th output.
        return _strided_dilated(x, kernel, strides, padding, dilation_rate)
    return ops.conv(
        x, kernel, strides=strides, padding=padding, data_format="channels_last", dilation_rate=dilation_rate
    )


def _in_blocks(x, kernel, groups, arguments):
    """A grouped convolution as dense ones of several groups each, with zeros between these."""
    *space, fields_in, channels = kernel.shape
    together = max(m for m in range(1, groups + 1) if groups % m == 0 and (m == 1 or m * fields_in <= _BLOCK))
    blocks = groups // together
    kernel = ops.reshape(kernel, (*space, 1, fields_in, blocks, together, channels // groups))
    same = ops.reshape(ops.eye(together, dtype=kernel.dtype), (together, 1, 1, together, 1))
    kernel = ops.reshape(kernel * same, (*space, together * fields_in, channels))
    parts = zip(ops.split(x, blocks, axis=-1), ops.split(kernel, blocks, axis=-1), strict=True)
    found = [convolve(part, dense, *arguments) for part, dense in parts]
    return found[0] if blocks == 1 else ops.concatenate(found, axis=-1)


def _leaves_gaps(x, extents, strides):
    """Whether pixels lie between windows: TensorFlow then starts in other places in float64 than in float32."""
    gaps = any(stride > extent + 1 for extent, stride in zip(extents, strides, strict=True))
    return len(strides) == 3 and gaps and (None not in x.shape[1:-1] or set(extents) == {1})


def _strided_dilated(x, kernel, strides, padding, dilation_rate):
    if padding == "same":
        extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate, strict=False)]
        x = pad(x, extents, strides, "zeros")
    y = ops.conv(x, kernel, strides=1, padding="valid", data_format="channels_last", dilation_rate=dilation_rate)
    return subsample(y, strides)


def subsample(x, strides):
    """Every stride-th pixel of features (B, *space, C), the first one included."""
    return x[(slice(None), *(slice(None, None, s) for s in strides))]
