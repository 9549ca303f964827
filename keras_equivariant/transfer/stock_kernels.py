"""Kernels of stock Keras layers in ours: one kernel for each field, or the expanded kernel of all channels."""

import numpy as np

from keras_equivariant.layers.core.rotated_conv import RotatedConv
from keras_equivariant.layers.regular.group_depthwise_conv import GroupDepthwiseConv2D
from keras_equivariant.transfer.convolutions import fill


def set_kernel(layer, kernel, bias=None):
    """Sets the weights of a layer to those nearest to a stock kernel and bias.

    Args:
        layer: a built convolution or dense layer of ours.
        kernel: array in the shape of `layer.expanded_kernel()`, which is projected onto the layer's kernels; or with
            one kernel for each pair of fields, which every orientation of a field applies to the same orientation of
            the others.
        bias: as many numbers as the kernel has output channels; None for 0.

    Returns:
        The norm of what is lost, relative to that of the kernel.

    Raises:
        ValueError: another shape.
    """
    wide = tuple(layer.expanded_kernel().shape) if hasattr(layer, "coefficients") else None
    fields = _field_shape(layer)
    if kernel.shape == wide:
        return fill(layer, kernel, np.zeros(tuple(layer.expanded_bias().shape)) if bias is None else bias)
    if kernel.shape != fields:
        allowed = [(fields, "its fields"), (wide, "all channels of its fields")]
        shapes = ", or ".join(f"{shape} for {what}" for shape, what in allowed if shape)
        raise ValueError(
            f'The kernel of the layer "{layer.name}" must have the shape {shapes}. Received: shape {kernel.shape}; '
            "give the layer as many fields as the kernel has channels"
        )
    return set_field_kernel(layer, kernel, bias)


def set_field_kernel(layer, kernel, bias=None):
    """As `set_kernel`, for one kernel for each pair of fields."""
    values, lost = _coefficients(layer, kernel)
    whole = np.zeros(layer.kernel.shape)
    if values.shape == whole.shape:
        whole = values
    else:  # element 0 is the identity: each orientation takes from the same
        whole[..., 0, :, :] = values
    layer.kernel.assign(whole)
    if layer.bias is not None:
        layer.bias.assign(np.zeros(layer.bias.shape) if bias is None else bias)
    return lost


def _field_shape(layer):
    """The shape of a kernel with one for each pair of fields; None for layers without regular fields."""
    if isinstance(layer, RotatedConv | GroupDepthwiseConv2D):
        return (*layer.kernel_size, *layer.kernel.shape[-2:])
    return None


def _coefficients(layer, kernel):
    """(coefficients of a kernel on the basis in its first orientation, the share of it that they lack)."""
    basis = layer._basis
    if basis.pixels is not None:
        return kernel, 0.0
    functions = basis.basis[0]
    flat = kernel.reshape(functions.shape[-1], -1)
    found = np.linalg.lstsq(functions.T, flat, rcond=None)[0]
    lost = np.linalg.norm(functions.T @ found - flat) / max(np.linalg.norm(flat), 1e-30)
    return found.reshape(-1, *kernel.shape[-2:]), float(lost)
