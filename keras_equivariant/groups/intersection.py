"""The elements that several groups have in common: the symmetry of a network whose layers have different ones."""

import functools

from keras_equivariant.groups.axial import CONTINUOUS
from keras_equivariant.groups.finite import from_generators
from keras_equivariant.groups.point_groups import EXAMPLES
from keras_equivariant.groups.registry import get


def intersection(*groups):
    """The largest group that all of these contain.

    Args:
        *groups: names or objects, of one space.

    Returns:
        One of the groups, where the others contain it; else a group of the elements that they share, under its own name
        if it has one.

    Example:
        >>> from keras_equivariant.groups.intersection import intersection
        >>> intersection("SO2", "D4").name, intersection("C4", "C3").name, intersection("SO3", "Cinfv").name
        ('C4', 'C1', 'Cinfz')
    """
    return functools.reduce(_common, map(get, groups))


def _common(a, b):
    if a.dimension != b.dimension:
        raise ValueError(f"The groups must act on one space. Received: {a.name} and {b.name}")
    if a.contains(b):
        return b
    if b.contains(a):
        return a
    if not (a.is_finite or b.is_finite):
        shared = next((group for group in CONTINUOUS if a.contains(group) and b.contains(group)), None)
        if shared is not None:
            return shared
    finite, other = (a, b) if a.is_finite else (b, a)
    finite = finite if finite.is_finite else finite.on_grid
    shared = [matrix for matrix in finite.matrices if other.contains(matrix)]
    return _named(shared, finite.dimension) or from_generators(f"{a.name}&{b.name}", shared)


def _named(matrices, dimension):
    """The built-in group of exactly these elements, or None."""
    count = len(matrices)
    if dimension == 2:
        names = [f"C{count}", *([f"D{count // 2}"] if count % 2 == 0 else [])]
    else:
        half = count // 2
        names = ["Z3", f"C{count}z", f"C{half}h", f"C{half}v", f"D{half}z", f"S{count}", f"D{count // 4}h", *EXAMPLES]
    for name in names:
        try:
            group = get(name)
        except ValueError:
            continue
        if group.order == count and all(map(group.contains, matrices)):
            return group
    return None
