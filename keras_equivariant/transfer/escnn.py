"""Expanded kernels of escnn and e2cnn: the order of their channels and their bases of fields against ours.

Their channels lie field after field, ours component after component. An element of D_n is r^k f^j in theirs, "mirror,
then turn", where f is the left-right mirror (the default axis of their spaces); ours first turns. On an irrep of two
components their mirror is diag(1, -1), ours diag(-1, 1).
"""

import re

import numpy as np

from keras_equivariant.groups import FieldType


def field_types(layer):
    """The field types between which a layer maps; group convolutions map regular fields."""
    if hasattr(layer, "in_type"):
        return layer.in_type, layer.out_type
    fields = layer.kernel.shape[-2] * layer.groups
    before = f"{fields}xtrivial" if layer.lifting else f"{fields}xregular"
    return FieldType.parse(before, layer.group), FieldType.parse(f"{layer.filters}xregular", layer.group)


def dense_kernel(layer, filters):
    """escnn's expanded filters as the kernel of the equal stock layer in our order of channels.

    Args:
        layer: a built convolution or dense layer.
        filters: `(channels out, channels in, k, k)`, of a linear map `(channels out, channels in)`.
    """
    before, after = field_types(layer)
    window = tuple(getattr(layer, "kernel_size", ()))
    shape = (after.size, before.size, *window)
    if filters.shape != shape:
        raise ValueError(
            f"The filters must have the shape {shape}, (channels out, channels in, *kernel_size), for the layer "
            f'"{layer.name}" from "{before}" to "{after}". Received: shape {filters.shape}; give the layer the field '
            "types of the module, and groups=1"
        )
    kernel = np.moveaxis(filters, (0, 1), (-1, -2))
    return change_of_channels(before) @ kernel @ change_of_channels(after).T


def dense_bias(layer, bias):
    """escnn's expanded bias, `(channels out,)`, in our order of channels."""
    after = field_types(layer)[1]
    if bias.shape != (after.size,):
        raise ValueError(
            f'The bias must be the expanded one, of shape {(after.size,)}, for the layer "{layer.name}". '
            f"Received: shape {bias.shape}; use what expand_parameters() gives"
        )
    return change_of_channels(after) @ bias


def change_of_channels(field_type):
    """The orthogonal matrix from escnn's channels of a type to ours, `(D, D)`."""
    found = np.zeros((field_type.size, field_type.size))
    for block in field_type.blocks:
        fields = np.arange(block.multiplicity)
        for ours, theirs in np.ndindex(block.dim, block.dim):
            rows = block.start + ours * block.multiplicity + fields
            found[rows, block.start + fields * block.dim + theirs] = _components(block.representation)[ours, theirs]
    return found


def _components(representation):
    """The matrix from the components of a field in escnn to ours."""
    group, name = representation.group, representation.name
    if group.is_finite and not re.fullmatch(r"[CD]\d+", group.name):
        raise ValueError(f"Groups of escnn are C_n, D_n, SO2 and O2. Received: {group.name}; use one of these")
    if name == "regular":
        turns = group.order // 2 if group.mirrors else group.order
        order = [k if not f else turns + -k % turns for f in range(group.order // turns) for k in range(turns)]
        return np.eye(group.order)[np.argsort(order)]
    if "(" in name:
        raise ValueError(
            f"Fields of escnn are regular ones and irreps. Received: the representation {name} of {group.name}; "
            "import kernels between those"
        )
    if group.mirrors and representation.dim == 2:
        return np.array([[0.0, -1.0], [1.0, 0.0]])
    return np.eye(representation.dim)
