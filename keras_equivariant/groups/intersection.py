"""The elements that several groups have in common: the symmetry of a network whose layers have different ones."""

import functools

import numpy as np

from keras_equivariant.groups.point_groups import EXAMPLES
from keras_equivariant.groups.registry import from_generators, get
from keras_equivariant.groups.restriction import contains


def intersection(*groups):
    """The largest group that all of these contain.

    Args:
        *groups: names or objects, of one space.

    Returns:
        One of the groups, where the others contain it; else a group of the elements that they share, under its own name
        if it has one.

    Example:
        >>> from keras_equivariant.groups.intersection import intersection
        >>> intersection("SO2", "D4").name, intersection("C4", "C3").name
        ('C4', 'C1')
    """
    return functools.reduce(_common, map(get, groups))


def _common(a, b):
    if a.dimension != b.dimension:
        raise ValueError(f"The groups must act on one space. Received: {a.name} and {b.name}")
    if contains(a, b):
        return b
    if contains(b, a):
        return a
    if not a.order < np.inf and not b.order < np.inf:
        a = a.on_grid
    finite, other = (a, b) if a.order < np.inf else (b, a)
    shared = [matrix for matrix in finite.matrices if _holds(other, matrix)]
    return _named(shared, finite.dimension) or from_generators(f"{a.name}&{b.name}", shared)


def _holds(group, matrix):
    if not group.order < np.inf:
        return group.contains(matrix)
    try:
        group.index(matrix)
    except ValueError:
        return False
    return True


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
        if group.order == count and all(_holds(group, matrix) for matrix in matrices):
            return group
    return None
