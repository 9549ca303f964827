"""Filters of GrouPy and keras-gcnn: their axes and the order of their elements against ours.

| library                                | filters                    | axis of the group                        |
|----------------------------------------|----------------------------|------------------------------------------|
| GrouPy for Chainer, its PyTorch ports  | (C_out, C_in, \\|G\\|, k, k) | of its own; length 1 for an image        |
| GrouPy for TensorFlow, keras-gcnn      | (k, k, \\|G\\| C_in, C_out)  | merged with the channels, which are fast |

An element (m, r) has the index 4 m + r and the matrix diag((-1)^m, 1) R(r) on (row, column): first r quarter turns
counter-clockwise, then m times a mirror that swaps top and bottom, where ours swaps left and right.
"""

import numpy as np

from keras_equivariant.groups import get

_ROW_COLUMN_TO_XY = np.array([[0.0, 1.0], [-1.0, 0.0]])  # x is the column, y the row upwards


def element_order(group):
    """For each of our elements its index in GrouPy, `(order,)`."""
    rotation = np.array([[0.0, -1.0], [1.0, 0.0]])
    theirs = []
    for index in range(group.order):
        mirror = np.diag([(-1.0) ** (index // 4), 1.0])
        matrix = mirror @ np.linalg.matrix_power(rotation, index % 4)
        theirs.append(group.index(_ROW_COLUMN_TO_XY @ matrix @ _ROW_COLUMN_TO_XY.T))
    return np.argsort(theirs)


def coefficients(layer, filters, merged):
    """GrouPy's filters as the kernel of a lifting or group convolution on the exact basis.

    Args:
        layer: a built LiftingConv2D or GroupConv2D on C4 or D4.
        filters: array in one of the layouts above.
        merged: whether the group's axis is merged with the channels.
    """
    if layer.group not in (get("C4"), get("D4")) or layer.basis not in ("auto", "exact") or layer.groups > 1:
        raise ValueError(
            "Filters of GrouPy and keras-gcnn fit a lifting or group convolution on C4 (p4) or D4 (p4m) with "
            f'basis="exact" and groups=1. Received: the layer "{layer.name}" on {layer.group.name} with '
            f'basis="{layer.basis}", '
            f"groups={layer.groups}"
        )
    rows, columns = layer.kernel_size
    fields = layer.kernel.shape[-2]
    elements = layer.elements_in
    shape = (
        (rows, columns, elements * fields, layer.filters)
        if merged
        else (layer.filters, fields, elements, rows, columns)
    )
    if filters.shape != shape:
        axes = "(rows, columns, |G| fields in, fields out)" if merged else "(fields out, fields in, |G|, rows, columns)"
        raise ValueError(
            f'The filters must have the shape {shape}, {axes}, for the layer "{layer.name}". '
            f"Received: shape {filters.shape}"
        )
    if merged:
        apart = filters.reshape(rows, columns, elements, fields, layer.filters)
    else:
        apart = filters.transpose(3, 4, 2, 1, 0)
    ordered = apart if layer.lifting else apart[:, :, element_order(layer.group)]
    return ordered.reshape(layer.kernel.shape)
