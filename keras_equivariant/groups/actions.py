"""How a group element acts on features: it moves the pixels and turns the fibre above each of them.

Layouts (channels last; `B` is the batch):

| layout            | shape               | acts how                                   |
|-------------------|---------------------|--------------------------------------------|
| `image`           | (B, *space, C)      | moves pixels                               |
| `regular`         | (B, *space, \\|G\\|, C) | moves pixels, permutes the group axis      |
| `quotient(H)`     | (B, *space, \\|G/H\\|, C) | moves pixels, permutes the cosets of H   |
| `invariant`       | (B, ...)            | not at all                                 |
| `regular_vector`  | (B, \\|G\\|, C)         | permutes the group axis                    |
"""

import re

import numpy as np

from keras_equivariant.groups import grid
from keras_equivariant.groups.registry import get


def act(x, group, element, layout, interpolation="cubic"):
    """The transformed features [L_g x](p, h) = x(g^-1 p, g^-1 h).

    Args:
        x: NumPy array in one of the layouts above.
        group: group name or FiniteGroup.
        element: index of the element g.
        layout: one of the layouts above.
        interpolation: `"nearest"`, `"linear"` or `"cubic"`, used only for elements that do not map the pixel grid
            onto itself; the others are exact permutations of pixels.

    Returns:
        An array of the same layout. A quarter turn swaps the two sizes of a rectangular grid.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant import groups
        >>> x = np.arange(4.0).reshape(1, 2, 2, 1)
        >>> groups.act(x, "C4", 1, "image")[0, :, :, 0].tolist() == np.rot90(x[0, :, :, 0]).tolist()
        True
    """
    x, group = np.asarray(x), get(group)
    if not 0 <= element < group.order:
        raise ValueError(f"`element` must be from 0 to {group.order - 1} in {group.name}. Received: {element}")
    if layout == "invariant":
        return x
    fibre = _fibre_permutation(group, element, layout)
    _check_shape(x, group, layout, fibre)
    if fibre is not None:
        x = np.take(x, fibre, axis=-2)
    return x if layout == "regular_vector" else move_pixels(x, group.matrices[element], interpolation)


def move_pixels(x, matrix, interpolation="cubic"):
    """[L_g x](p) = x(g^-1 p) on the axes after the batch: exact for a signed permutation, else interpolated."""
    if grid.is_signed_permutation(matrix):
        return grid.permute_pixels(x, matrix)
    return grid.resample(x, matrix, interpolation)


def rotate(x, degrees, interpolation="cubic"):
    """Images (B, H, W, C) turned counter-clockwise about their centre; multiples of 90 degrees are exact."""
    turns, rest = divmod(float(degrees), 90.0)
    if rest == 0:
        return np.rot90(x, int(turns), axes=(1, 2))
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return grid.resample(np.asarray(x), np.array([[c, -s], [s, c]]), interpolation)


def infer_layout(shape, group):
    """The layout that a feature shape (with the batch axis) has, where the shape alone tells.

    Raises:
        ValueError: where it does not; then name the layout yourself.
    """
    group = get(group)
    d, shape = group.dimension, tuple(shape)
    if len(shape) == d + 3 and shape[-2] == group.order:
        return "regular"
    if len(shape) == d + 2:
        return "image"
    if len(shape) <= 2:
        return "invariant"
    if len(shape) == 3 and shape[1] == group.order:
        return "regular_vector"
    raise ValueError(
        f"The layout must follow from the shape: (B, *space, C), (B, *space, {group.order}, C), "
        f"(B, {group.order}, C) or (B, C) for {group.name}. Received: shape {shape}; "
        'name it yourself: "image", "regular", "quotient(H)", "invariant" or "regular_vector"'
    )


def _fibre_permutation(group, element, layout):
    """Which old entry of the group axis each new one takes; None where there is no group axis."""
    inverse = group.inverse(element)
    if layout in ("regular", "regular_vector"):
        return group.cayley[inverse]
    if layout == "image":
        return None
    match = re.fullmatch(r"quotient\((.+)\)", str(layout))
    if not match:
        raise ValueError(
            f'`layout` must be "image", "regular", "quotient(H)", "invariant" or "regular_vector". Received: {layout!r}'
        )
    cosets = group.left_cosets(match[1])
    of_element = np.empty(group.order, dtype=int)
    for i, coset in enumerate(cosets):
        of_element[coset] = i
    return of_element[group.cayley[inverse, cosets[:, 0]]]


def _check_shape(x, group, layout, fibre):
    rank = {"image": group.dimension + 2, "regular_vector": 3}.get(layout, group.dimension + 3)
    if x.ndim != rank or (fibre is not None and x.shape[-2] != len(fibre)):
        axis = f", {len(fibre)} entries on axis -2" if fibre is not None else ""
        raise ValueError(
            f'Features of layout "{layout}" on {group.name} must have rank {rank}{axis}. Received: shape {x.shape}'
        )
