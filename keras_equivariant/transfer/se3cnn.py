"""Filters of se3cnn: the order of their channels and their basis of each degree against ours.

`SE3Kernel()` gives (channels out, channels in, k, k, k), field after field, with the harmonics of a degree in the order
m = -l, ..., l about the third axis of the volume, at the angle pi - beta from it. Ours are about the second:

    Y_theirs(p) = diag((-1)^m) Y_ours(R p),  R (x, y, z) = (y, -z, x)
"""

import numpy as np

from keras_equivariant.groups import wigner_d

_ROTATION = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


def change_of_degree(degree):
    """The orthogonal matrix from the components of one of its fields to those of ours."""
    signs = (-1.0) ** np.arange(-degree, degree + 1)
    return wigner_d(degree, _ROTATION[None])[0].T * signs


def change_of_channels(field_type):
    """The orthogonal matrix from its channels of a type to ours, `(D, D)`."""
    found, start = np.zeros((field_type.size, field_type.size)), 0
    for name, channels in field_type.places:
        size = len(channels)
        found[channels, start : start + size] = change_of_degree(int(name))
        start += size
    return found


def dense_kernel(layer, filters):
    """Its filters as the kernel of the equal stock convolution in our order of channels."""
    before, after = layer.in_type, layer.out_type
    if layer.group.name != "SO3":
        raise ValueError(
            f'Filters of se3cnn fit a SteerableConv3D on SO3. Received: the layer "{layer.name}" on {layer.group.name}'
        )
    shape = (after.size, before.size, *layer.kernel_size)
    if filters.shape != shape:
        raise ValueError(
            f"The filters must have the shape {shape}, (channels out, channels in, *kernel_size), for the layer "
            f'"{layer.name}" from "{before}" to "{after}". Received: shape {filters.shape}; give the layer its fields '
            'in the order of Rs_in and Rs_out: [(8, 0), (4, 1)] is "8x0 + 4x1"'
        )
    kernel = np.moveaxis(filters, (0, 1), (-1, -2))
    return change_of_channels(before) @ kernel @ change_of_channels(after).T
