"""delta_orthogonal(): weights with which deep networks keep the norm of their features from the start."""

from __future__ import annotations

import keras
import numpy as np

from keras_equivariant.graphs.reading import walk
from keras_equivariant.transfer.convolutions import dense_kernel


def delta_orthogonal(target: keras.layers.Layer, gain: float = 1.0, seed: int | None = None) -> list[str]:
    """Sets kernels to random orthogonal maps of the fields at their center, 0 elsewhere; biases to 0.

    K(0) = gain U with U U^T = 1 or U^T U = 1 on the fields that can be reached, K(x) = 0 for x != 0

    U is the orthogonal factor of a random intertwiner, hence one itself. On an exact basis K is just that; on rings it
    is the nearest kernel, of the same norm, which spreads over the pixels next to the center.

    Args:
        target: a built lifting, group or steerable convolution of odd kernel size or a `SteerableDense`; or a model,
            all of whose layers of these kinds are set.
        gain: factor; 2^(1/2) in front of `relu`.
        seed: of the random numbers; None for other ones each time.

    Returns:
        The names of the layers that were set.

    Raises:
        ValueError: no such layer, one that is not built, a kernel without a center.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.GroupConv2D(8, 3, group="C4", padding="same", use_bias=False)
        >>> x = np.random.default_rng(0).normal(size=(1, 9, 9, 4, 8)).astype("float32")
        >>> layer.build(x.shape)
        >>> ke.delta_orthogonal(layer, seed=0)
        ['group_conv2d']
        >>> bool(np.isclose(np.linalg.norm(layer(x)), np.linalg.norm(x), rtol=1e-5))
        True

    Equivariance: that of the layers, whatever their weights.

    Reference: Xiao et al., Dynamical Isometry and a Mean Field Theory of CNNs, arXiv 1806.05393, algorithm 1; Weiler et
    al., arXiv 1711.07289, section 3 (for steerable filters).
    """
    rng = np.random.default_rng(seed)
    layers = [
        layer for layer in walk(target) if hasattr(layer, "coefficients") and not hasattr(layer, "output_padding")
    ]
    if not layers or not all(layer.built for layer in layers):
        raise ValueError(
            "The layer must be built, and be a lifting, group or steerable convolution or a SteerableDense, or a model "
            f'with such layers. Received: "{target.name}" ({type(target).__name__}); call it first'
        )
    for layer in layers:
        _set(layer, gain, rng)
    return [layer.name for layer in layers]


def _set(layer, gain, rng):
    window = tuple(getattr(layer, "kernel_size", ()))
    if any(size % 2 == 0 for size in window):
        raise ValueError(
            f'The kernel must have a center. Received: kernel_size={window} of the layer "{layer.name}"; use odd sizes'
        )
    center = tuple(size // 2 for size in window)
    kernel = np.zeros(layer.expanded_kernel().shape)
    kernel[center] = rng.normal(size=kernel.shape[len(window) :])
    layer.kernel.assign(layer.coefficients(kernel))
    left, sizes, right = np.linalg.svd(dense_kernel(layer)[center], full_matrices=False)
    reached = sizes > 1e-5 * sizes.max(initial=0)
    kernel[center] = (left * reached) @ right
    layer.kernel.assign(layer.coefficients(kernel))
    norm = np.linalg.norm(dense_kernel(layer)) / np.linalg.norm(kernel)
    layer.kernel.assign(keras.ops.convert_to_numpy(layer.kernel) * gain / norm)
    if layer.bias is not None:
        layer.bias.assign(keras.ops.zeros_like(layer.bias))
