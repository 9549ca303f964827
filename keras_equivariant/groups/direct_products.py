"""Direct products of finite groups: pairs of elements, each of which moves points of its own.

    (a, b) (x, y) = (a x, b y)

Two symmetries that know nothing of each other, as of an image and of the channels behind it, or one twice, for maps
between features of a group: escnn's double groups are `"D4xD4"`.
"""

from __future__ import annotations

import functools

import numpy as np

from keras_equivariant.groups.finite import MAX_ORDER, FiniteGroup
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.registry import family, get

MAX_DIMENSION = 12  # of the points that a product moves: each element is a matrix over them


class ProductGroup(FiniteGroup):
    """The direct product of two finite groups, made by `direct_product`.

    Attributes:
        factors: the two groups.
    """

    def __init__(self, first, second):
        d, size = first.dimension, first.dimension + second.dimension
        matrices = np.zeros((second.order, first.order, size, size))
        matrices[:, :, :d, :d] = first.matrices[None]
        matrices[:, :, d:, d:] = second.matrices[:, None]
        names = [f"{a}|{b}" for b in second.element_names for a in first.element_names]
        self.factors = (first, second)
        super().__init__(f"{first.name}x{second.name}", matrices.reshape(-1, size, size), ["e", *names[1:]])


def direct_product(first: str | Group, second: str | Group) -> FiniteGroup:
    """The direct product of two finite groups, also known by the name `"D4xC2"`.

    Element `|first| b + a` is the pair (a, b). Its irreps are the outer products of theirs, `irrep(1,0-)`; where both
    are of complex type, such as rotations of C4 by both of their angles, this falls apart into `irrep(1,1,+)` and
    `irrep(1,1,-)`, which rotate by the sum and by the difference of the angles.

    It moves pairs of points, of dimensions that add up: features without space take it, such as those of
    `SteerableDense`, and a grid only where the sum is 2 or 3, as for a group of the plane times one of the line.

    Args:
        first, second: names or FiniteGroups.

    Returns:
        A FiniteGroup; for the same two the same object.

    Raises:
        ValueError: an infinite group, more elements than a group may have, or more than 12 coordinates.

    Example:
        >>> import keras_equivariant as ke
        >>> group = ke.groups.direct_product("D4", "C4")
        >>> group.order, ke.groups.get("D4xC4") is group, ke.FieldType.parse("2xirrep(1,0) + irrep(0-,1)", group).size
        (32, True, 6)
    """
    return _direct_product(get(first), get(second))


@functools.lru_cache(maxsize=64)
def _direct_product(first, second):
    if not (first.is_finite and second.is_finite) or first.order * second.order > MAX_ORDER:
        raise ValueError(
            f"A direct product needs two finite groups, with at most {MAX_ORDER} pairs of elements. Received: "
            f"{first.name} of {first.order} and {second.name} of {second.order}"
        )
    if first.dimension + second.dimension > MAX_DIMENSION:
        raise ValueError(
            f"A direct product must move points of at most {MAX_DIMENSION} coordinates, those of its factors together. "
            f"Received: {first.name[:80]} of {first.dimension} and {second.name[:80]} of {second.dimension}; use fewer "
            "factors"
        )
    return ProductGroup(first, second)


@family("D4xC2")
def product_by_name(name):
    """The direct product that a name such as `"D4xC2"` or `"D4 x C2 x C2"` stands for, the first two taken together
    first; None for other names."""
    parts = [part.strip() for part in name.split("x")]
    if len(parts) < 2 or not all(parts):
        return None
    try:
        found = [get(part) for part in parts]
    except ValueError:
        return None
    return functools.reduce(direct_product, found) if all(group.is_finite for group in found) else None
