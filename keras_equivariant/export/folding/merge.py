"""BatchNormalization absorbed by the convolution before it: one affine map in place of two."""

import keras
import numpy as np

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
)


def can_absorb(layer):
    """Whether a stock layer is an affine map whose output channels a scale and a shift can be absorbed into."""
    return (
        type(layer) in _CONVOLUTIONS
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
    if type(layer).__name__.endswith("Transpose"):
        return scale[:, None]
    return scale
