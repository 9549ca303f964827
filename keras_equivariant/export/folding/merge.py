"""Affine maps absorbed by a convolution, one map in place of two: BatchNormalization behind it, Normalization before.

Sums over a kernel are rounded once, so that they do not depend on their order: a converter that takes such a sum for
every copy of a kernel by itself rounds the copies apart, and int8 is then no longer exact bit for bit.
"""

import math

import keras
import numpy as np

from keras_equivariant.graphs.weights import scale_and_offset
from keras_equivariant.stock.traits import TABLE


def can_absorb(layer):
    """Whether a stock layer is an affine map whose output channels a scale and a shift can be absorbed into."""
    return (
        getattr(TABLE.get(type(layer)), "absorbs", False)
        and keras.activations.serialize(layer.activation) == "linear"
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def is_absorbed(layer, tensor, axis=None, **overrides):
    """Whether a layer is a scale and a shift of each channel, for the layer that makes `tensor` to absorb."""
    if not isinstance(layer, keras.layers.BatchNormalization):
        return False
    return (layer.axis if axis is None else axis) in (-1, len(tensor.shape) - 1)


def scale_and_shift(normalization, weights):
    """Per-channel (a, b), in float64, with a * x + b = BatchNormalization(x) at inference.

    `weights` are what `at_inference` gives: gamma (if scale), beta (if center), mean, variance.
    """
    rest = [np.asarray(w, "float64") for w in weights]
    mean, variance = rest[-2:]
    gamma = rest.pop(0) if normalization.scale else np.ones_like(mean)
    beta = rest.pop(0) if normalization.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + normalization.epsilon)
    return scale, beta - mean * scale


def absorb(layer, weights, scale, shift):
    """Weights [kernel, bias] of the layer followed by x -> scale * x + shift."""
    kernel = np.asarray(weights[0], "float64")
    bias = np.asarray(weights[1], "float64") if layer.use_bias else 0.0
    return [kernel * _along_outputs(layer, kernel, scale), bias * scale + shift]


def _along_outputs(layer, kernel, scale):
    """`scale` in a shape that multiplies the kernel's output channels."""
    if isinstance(layer, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)):
        return scale.reshape(kernel.shape[-2:])
    if TABLE[type(layer)].transposed:
        return scale[:, None]
    return scale


# A mean of so many deviations costs as many units of the last place of float32 when it is subtracted late.
_LARGEST_SHIFT = 8.0


def scale_and_shift_before(layer, channels):
    """Per-channel (a, b), in float64, with a * x + b = layer(x); None where it is no such map of float tensors."""
    found = scale_and_offset(layer)
    if found is None or any(size > 1 for value in found for size in value.shape[:-1]):
        return None
    scale, shift = found
    scale, shift = scale.reshape(-1), shift.reshape(-1)
    if {scale.size, shift.size} - {1, channels} or not np.abs(shift).max() <= _LARGEST_SHIFT:
        return None
    return np.broadcast_to(scale, (channels,)), np.broadcast_to(shift, (channels,))


def can_absorb_before(layer, shift):
    """Whether a stock layer is an affine map of its input channels that never sees padding, or sees it alike."""
    if type(layer) is keras.layers.Dense:
        return True
    stock = type(layer) in (keras.layers.Conv2D, keras.layers.Conv3D)
    padded = stock and layer.padding != "valid" and max(layer.kernel_size) > 1
    return stock and layer.data_format == "channels_last" and layer.groups == 1 and not (padded and shift.any())


def absorb_before(layer, weights, scale, shift):
    """Weights [kernel, bias] of x -> scale * x + shift followed by the layer."""
    kernel = np.asarray(weights[0], "float64")
    bias = np.asarray(weights[1], "float64") if layer.use_bias else np.zeros(kernel.shape[-1])
    moved = (kernel * shift[:, None]).reshape(-1, kernel.shape[-1])
    sums = np.array([math.fsum([b, *column]) for b, column in zip(bias, moved.T, strict=True)])
    return [kernel * scale[:, None], sums]
