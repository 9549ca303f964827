"""Filters of GrouPy's convolutions of volumes: its element matrices, in its order, against ours.

Filters are (k, k, k, |G| C_in, C_out), the elements slow and the channels fast. The matrices move voxels (u, v, w)
along the three axes of a volume, as ours do; the rotations of the cube stand in the order of their entries. What it
calls C4h are the eight rotations of a square bar along the first axis, and its D4h those of one along the last, each
followed by its inversion.
"""

import itertools

import numpy as np

from keras_equivariant.groups import FiniteGroup


def tables():
    """The matrices of each of its groups, in its order: `{name: (order, 3, 3)}`."""
    signed = [
        np.eye(3)[list(axes)] * np.array(signs)[:, None]
        for axes in itertools.permutations(range(3))
        for signs in itertools.product((-1, 1), repeat=3)
    ]
    cube = sorted((m for m in signed if np.linalg.det(m) > 0), key=lambda m: m.tolist())
    half = np.diag([-1.0, 1.0, -1.0])
    about_first = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    about_last = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    return {
        "O": np.stack(cube),
        "Oh": _inverted(cube),
        "C4h": np.stack(_bar(half, about_first)),
        "D4h": _inverted(_bar(half, about_last)),
    }


def _bar(half, rotation):
    """Its loop: every element goes on from the last, so that the rotations come as 0, 1, 3 and 2."""
    found, element = [], np.eye(3)
    for i in range(2):
        element = element @ np.linalg.matrix_power(half, i)
        for j in range(4):
            element = element @ np.linalg.matrix_power(rotation, j)
            found.append(element)
    return found


def _inverted(matrices):
    return np.stack([sign * m for m in matrices for sign in (1, -1)])


def group(name):
    """A group of GrouPy for our layers: `groups.get("O")`, `"Oh"`, `"D4h"`, or its C4h, which is none of ours."""
    matrices = tables()[name]
    first = [int(np.argmax([np.allclose(m, np.eye(3)) for m in matrices]))]
    order = first + [i for i in range(len(matrices)) if i not in first]
    return FiniteGroup(f"groupy_{name}", matrices[order])


def element_order(own):
    """For each element of a group of ours its number in GrouPy; None for a group that it does not have."""
    for matrices in tables().values():
        if len(matrices) == own.order and all(own.contains(m) for m in matrices):
            return np.argsort([own.index(m) for m in matrices])
    return None


def coefficients(layer, filters):
    """Its filters as the kernel of a lifting or group convolution of volumes on the exact basis."""
    order = element_order(layer.group)
    if order is None or layer.basis not in ("auto", "exact") or layer.groups > 1:
        raise ValueError(
            "Filters of GrouPy for volumes fit a lifting or group convolution on O, Oh, D4h or the group of "
            'transfer.groupy_3d.group("C4h"), with basis="exact" and groups=1. Received: the layer '
            f'"{layer.name}" on {layer.group.name} with basis="{layer.basis}", groups={layer.groups}'
        )
    fields, elements = layer.kernel.shape[-2], layer.elements_in
    shape = (*layer.kernel_size, elements * fields, layer.filters)
    if filters.shape != shape:
        raise ValueError(
            f"The filters must have the shape {shape}, (*kernel_size, |G| fields in, fields out), for the layer "
            f'"{layer.name}". Received: shape {filters.shape}'
        )
    apart = filters.reshape(*layer.kernel_size, elements, fields, layer.filters)
    return (apart if layer.lifting else apart[:, :, :, order]).reshape(layer.kernel.shape)
