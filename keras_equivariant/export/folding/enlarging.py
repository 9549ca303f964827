"""Images of unknown sizes made larger by the linear kernel, in layers that a graph of unknown sizes can hold.

Keras compares the sizes that `UpSampling2D(interpolation="bilinear")` makes, which a graph does not know yet.
"""

import keras
import numpy as np


def is_unsized(layer, tensor):
    """Whether a layer makes an image of unknown sizes larger by another kernel than the nearest pixel."""
    smooth = isinstance(layer, keras.layers.UpSampling2D) and layer.interpolation != "nearest"
    return smooth and layer.data_format == "channels_last" and None in tensor.shape[1:3]


def is_linear_unsized(layer, tensor):
    """Whether `enlarged` computes what it does."""
    return is_unsized(layer, tensor) and layer.interpolation == "bilinear"


def enlarged(emitter, layer, tensor):
    """Each pixel repeated, then the mean over a window as wide as what a pixel became."""
    kernel = np.multiply.outer(*map(_window, layer.size))
    x = emitter.make(keras.layers.UpSampling2D, f"{layer.name}_repeated", layer.size)(tensor)
    # The pixel at the end was repeated, so that its mirror image is it again.
    reach = [(n // 2, n // 2) for n in kernel.shape]
    x = keras.ops.pad(x, [(0, 0), *reach, (0, 0)], mode="reflect")
    smooth = emitter.make(keras.layers.DepthwiseConv2D, f"{layer.name}_smoothed", kernel.shape, use_bias=False)
    return emitter.weighted(smooth, [np.repeat(kernel[..., None, None], tensor.shape[-1], axis=2)], x)


def _window(factor):
    """The mean of `factor` numbers about each of them; of an even factor that of the two windows nearest to it."""
    if factor % 2:
        return np.full(factor, 1 / factor)
    ends = np.ones(factor + 1)
    ends[[0, -1]] = 0.5
    return ends / factor
