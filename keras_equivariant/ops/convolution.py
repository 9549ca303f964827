"""Convolutions on channels-last features."""

from keras import ops

from keras_equivariant.ops.padding import pad


def convolve(x, kernel, strides, padding, dilation_rate, padding_mode="zeros"):
    """Cross-correlation of features (B, *space, C) with a kernel (*k, C / groups, F).

    Args:
        strides, dilation_rate: tuples, one entry per axis of space.
        padding: `"valid"` or `"same"`.
        padding_mode: what `"same"` pads with: `"zeros"`, `"circular"`, `"reflect"` or `"replicate"`.
    """
    extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape, dilation_rate, strict=False)]
    if padding == "same" and (padding_mode != "zeros" or _leaves_gaps(x, extents, strides)):
        x, padding = pad(x, extents, strides, padding_mode), "valid"
    if max(strides) > 1 and max(dilation_rate) > 1:
        # The backends refuse the pair: a dense dilated convolution, then every stride-th output.
        return _strided_dilated(x, kernel, strides, padding, dilation_rate)
    return ops.conv(
        x, kernel, strides=strides, padding=padding, data_format="channels_last", dilation_rate=dilation_rate
    )


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
