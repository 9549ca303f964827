"""Pooling with a blur, and upsampling, on channels-last features."""

import functools
import itertools
import math
import operator

import numpy as np
from keras import ops

from keras_equivariant.ops import activations
from keras_equivariant.ops.compiled import compiled
from keras_equivariant.ops.convolution import subsample
from keras_equivariant.ops.padding import pad
from keras_equivariant.ops.windows import blur_size

PLANES, DEPTH = slice(1, 3), slice(0, 1)  # the axes of space that `by_planes` treats first, and then
EQUAL = 1e-5  # squared norms that differ relatively by less count as equal


@compiled
def compiled_group_max(x):
    """Maximum over the group axis of (..., S, C), for training: TensorFlow's gradient of it makes six passes."""
    return ops.max(x, axis=-2)


def check_blurred(size, stride):
    """ValueError where the size of an axis decides on the blur and is not known."""
    if size is None and stride > 1:
        raise ValueError(
            "The blur of antialiased pooling is chosen by the size of its input, so that it stays symmetric. Received: "
            "an unknown size; give the model a fixed input shape, or leave out `antialias`"
        )


def binomial(size):
    """So many taps of a binomial blur, sum 1."""
    taps = np.array([math.comb(size - 1, i) for i in range(size)], dtype=np.float64)
    return taps / taps.sum()


def gaussian(stride):
    """Taps of the Gaussian that leaves what a stride can carry: deviation sqrt(stride^2 - 1) / 2, an odd number."""
    deviation = 0.5 * math.sqrt(stride**2 - 1)
    reach = int(1 + 5 * deviation) // 2
    offsets = np.arange(-reach, reach + 1, dtype=np.float64)
    taps = np.exp(-((offsets / max(deviation, 1e-9)) ** 2) / 2)
    return taps / taps.sum()


def depthwise_kernel(taps, channels):
    """A depthwise kernel (*sizes, channels, 1), the outer product of the taps along each axis."""
    kernel = functools.reduce(np.multiply.outer, taps)
    return np.repeat(kernel[..., None, None], channels, axis=-2)


def pool(x, mode, pool_size, strides, padding):
    """Maximum or mean over windows of features (B, *space, C)."""
    function = {"max": ops.max_pool, "average": ops.average_pool}[mode]

    def over(part, beside=()):
        def apply(x):
            sizes, steps = (*pool_size[part], *beside), (*steps_of[part], *beside)
            return function(x, sizes, strides=steps, padding=padding, data_format="channels_last")

        return apply

    steps_of = (strides,) * len(pool_size) if isinstance(strides, int) else tuple(strides)
    if len(pool_size) == 3:  # TensorFlow pools volumes of float64 not at all, TFLite none
        return by_planes(x, over(PLANES), over(DEPTH, beside=(1,)))
    return over(slice(None))(x)


def norm_max_pool(x, layout, pool_size, strides, padding):
    """In each window and for each field the one of largest norm; the mean of those of equal norm.

    Norms count as equal within rounding, so that symmetric windows give a symmetric result.

    Args:
        x: features `(B, *space, D)`.
        layout: `(dim, multiplicity)` of each block of the field type.
    """
    squares = ops.concatenate([activations.square(components) for components in activations.planes(x, layout)], axis=-1)
    if padding == "same":
        x = pad(x, pool_size, strides, "zeros")
        inside = pad(ops.ones_like(squares[..., :1]), pool_size, strides, "zeros")
        squares = pad(squares, pool_size, strides, "zeros") + (inside - 1.0)  # -1 outside, below every norm
    taps = [_tap(x, offsets, pool_size, strides) for offsets in itertools.product(*map(range, pool_size))]
    sizes = [_tap(squares, offsets, pool_size, strides) for offsets in itertools.product(*map(range, pool_size))]
    least = ops.stop_gradient(functools.reduce(ops.maximum, sizes)) * (1.0 - EQUAL)
    chosen = [ops.cast(size >= least, x.dtype) for size in sizes]
    share = 1.0 / functools.reduce(operator.add, chosen)
    picked = [activations.scale(tap, one * share, layout) for tap, one in zip(taps, chosen, strict=True)]
    return functools.reduce(operator.add, picked)


def _tap(x, offsets, pool_size, strides):
    """The pixels that lie at these offsets in their windows."""
    steps = zip(offsets, pool_size, strides, strict=True)
    return x[(slice(None), *(slice(i, i - k + 1 or None, stride) for i, k, stride in steps))]


def blur(x, strides):
    """Binomial blur, then every stride-th pixel; zero padding, ceil(size / stride) pixels remain."""
    taps = []
    for size, stride in zip(x.shape[1:-1], strides, strict=True):
        check_blurred(size, stride)
        taps.append(binomial(3 if size is None else blur_size(size, stride)))
    return _separable(x, taps, strides)


def gaussian_blur(x, sigma, sizes, strides, padding):
    """Gaussian blur by windows of these sizes, then every stride-th pixel; zero padding where it is `"same"`."""
    taps = []
    for size in sizes:
        offsets = np.arange(size, dtype=np.float64) - (size - 1) / 2
        bell = np.exp(-((offsets / sigma) ** 2) / 2)
        taps.append(bell / bell.sum())
    return _separable(x, taps, strides, padding)


def low_pass(x, strides):
    """Gaussian blur of the width that suits strides to come; zero padding, all pixels remain."""
    return _separable(x, [gaussian(stride) for stride in strides], (1,) * len(strides))


def _separable(x, taps, strides, padding="same"):
    """Each channel filtered by the same taps along each axis, then every stride-th pixel."""
    if len(taps) == 3:
        planes = functools.partial(_depthwise, taps=taps[PLANES], strides=strides[PLANES], padding=padding)
        depth = functools.partial(
            _depthwise, taps=(*taps[DEPTH], np.ones(1)), strides=(*strides[DEPTH], 1), padding=padding
        )
        return by_planes(x, planes, depth)
    return _depthwise(x, taps, strides, padding)


def _depthwise(x, taps, strides, padding):
    kernel = ops.convert_to_tensor(depthwise_kernel(taps, x.shape[-1]), dtype=x.dtype)
    if len(set(strides)) == 1:
        return ops.depthwise_conv(x, kernel, strides=strides[0], padding=padding, data_format="channels_last")
    # The backends know one stride for both axes: the padding of the strided window, then every stride-th pixel of all.
    if padding == "same":
        x = pad(x, [len(one) for one in taps], strides, "zeros")
    y = ops.depthwise_conv(x, kernel, strides=1, padding="valid", data_format="channels_last")
    return subsample(y, strides)


def by_planes(x, over_planes, over_depth):
    """A separable map of volumes (B, D, H, W, C) as two of planes, which every runtime has.

    Args:
        over_planes: from the planes (B D, H, W, C).
        over_depth: from the depths (B, D, H W, C); keeps the last two axes.
    """
    planes = over_planes(ops.reshape(x, (-1, *ops.shape(x)[2:])))
    height, width, channels = ops.shape(planes)[1:]
    y = over_depth(ops.reshape(planes, (-1, ops.shape(x)[1], height * width, channels)))
    return ops.reshape(y, (-1, ops.shape(y)[1], height, width, channels))


def upsample_linear(x, factors):
    """Multilinear upsampling by integer factors; pixel centers stay centered, edges repeat.

    Each output phase is a fixed mixture of a pixel and one neighbor, so any float type keeps its precision.
    """
    for axis, factor in enumerate(factors, start=1):
        head = (slice(None),) * axis
        before = ops.concatenate([x[(*head, slice(0, 1))], x[(*head, slice(None, -1))]], axis=axis)
        after = ops.concatenate([x[(*head, slice(1, None))], x[(*head, slice(-1, None))]], axis=axis)
        offsets = [(phase + 0.5) / factor - 0.5 for phase in range(factor)]
        phases = [(1 - abs(t)) * x + abs(t) * (before if t < 0 else after) for t in offsets]
        shape = [-1, *ops.shape(x)[1:]]
        shape[axis] = shape[axis] * factor
        x = ops.reshape(ops.stack(phases, axis=axis + 1), shape)
    return x
