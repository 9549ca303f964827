"""How a group element acts on features: it moves the pixels and turns the fibre above each of them.

Layouts (channels last; `B` is the batch):

| layout            | shape               | acts how                                   |
|-------------------|---------------------|--------------------------------------------|
| `image`           | (B, *space, C)      | moves pixels                               |
| `regular`         | (B, *space, \\|G\\|, C) | moves pixels, permutes the group axis      |
| `quotient(H)`     | (B, *space, \\|G/H\\|, C) | moves pixels, permutes the cosets of H   |
| `harmonic`        | (B, H, W, M+1, 2, C) | moves pixels, turns order m by e^{i m t}; rotations of the plane only |
| a FieldType       | (B, *space, D), (B, D) | moves pixels, multiplies the channels by rho(g) |
| `invariant`       | (B, ...)            | not at all                                 |
| `regular_vector`  | (B, \\|G\\|, C)         | permutes the group axis                    |
"""

import re

import numpy as np

from keras_equivariant.groups import grid
from keras_equivariant.groups.field_type import FieldType
from keras_equivariant.groups.registry import get


def act(x, group, element, layout, interpolation="cubic"):
    """The transformed features [L_g x](p, h) = x(g^-1 p, g^-1 h).

    Args:
        x: NumPy array in one of the layouts above.
        group: group name or FiniteGroup.
        element: index of the element g.
        layout: one of the layouts above; a FieldType may be of a larger group that contains this one.
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
    if isinstance(layout, FieldType):
        moved = layout.transform(x, group.matrices[element])
        return grid.move_pixels(moved, group.matrices[element], interpolation) if x.ndim > 2 else moved
    if layout == "harmonic":
        return grid.move_pixels(_turn_orders(x, group, element), group.matrices[element], interpolation)
    fibre = _fibre_permutation(group, element, layout)
    _check_shape(x, group, layout, fibre)
    if fibre is not None:
        x = np.take(x, fibre, axis=-2)
    return x if layout == "regular_vector" else grid.move_pixels(x, group.matrices[element], interpolation)


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
    if len(shape) == d + 4 and d == 2 and shape[-2] == 2:
        check_only_rotations(group)
        return "harmonic"
    if len(shape) <= 2:
        return "invariant"
    if len(shape) == 3 and shape[1] == group.order:
        return "regular_vector"
    raise ValueError(
        f"The layout must follow from the shape: (B, *space, C), (B, *space, {group.order}, C), "
        f"(B, {group.order}, C) or (B, C) for {group.name}. Received: shape {shape}; "
        'name it yourself: "image", "regular", "quotient(H)", "harmonic", "invariant" or "regular_vector"'
    )


def check_only_rotations(group):
    """ValueError unless all elements are rotations of the plane, the only ones that act on harmonic features."""
    if group.dimension != 2 or group.mirrors:
        raise ValueError(
            "Harmonic features turn with the plane and have no action of mirrors: filters with phases do not commute "
            f'with them. Received: the group "{group.name}"; use its rotations, such as "C4"'
        )


def _turn_orders(x, group, element):
    """Order m of (B, H, W, M+1, 2, C) times e^{i m t}, for a rotation by t."""
    check_only_rotations(group)
    if x.ndim != 6 or x.shape[4] != 2:
        raise ValueError(
            f'Features of layout "harmonic" must have the shape (B, H, W, M+1, 2, C). Received: shape {x.shape}'
        )
    (cos, _), (sin, _) = group.matrices[element]
    turns = np.arange(x.shape[3]) * np.arctan2(sin, cos)
    cos, sin = np.cos(turns)[:, None].astype(x.dtype), np.sin(turns)[:, None].astype(x.dtype)
    real, imaginary = x[..., 0, :], x[..., 1, :]
    return np.stack([cos * real - sin * imaginary, sin * real + cos * imaginary], axis=-2)


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
            '`layout` must be "image", "regular", "quotient(H)", "harmonic", "invariant" or "regular_vector". '
            f"Received: {layout!r}"
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
