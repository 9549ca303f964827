"""Groups by name: `get("D4")`, and how to add one's own."""

import difflib
import functools
import re

import numpy as np

from keras_equivariant.groups.continuous import O2, O3, SO2, SO3, ContinuousGroup
from keras_equivariant.groups.finite import FiniteGroup, check_orthogonal
from keras_equivariant.groups.lie import LieGroup, register_lie
from keras_equivariant.groups.lie_sample import LieSample
from keras_equivariant.groups.point_groups import EXAMPLES, point_group

ALIASES = {"z2": "C1", "p4": "C4", "p4m": "D4"}
CONTINUOUS = {
    **{"so2": SO2, "so(2)": SO2, "o2": O2, "o(2)": O2},
    **{"so3": SO3, "so(3)": SO3, "o3": O3, "o(3)": O3},
}
MAX_ORDER = 720

_registered = {}


def get(group):
    """The group of this name.

    Args:
        group: `"C<n>"` (n rotations of the plane), `"D<n>"` (n rotations and n reflections), an alias of the papers
            (`"Z2"` is C1, translations only; `"p4"` is C4; `"p4m"` is D4), `"SO2"` (all rotations of the plane),
            `"O2"` (reflections too), `"SO3"` and `"O3"` (the same of space), a point group of space by its Schoenflies
            name (`"O"`, `"Oh"`, `"T"`, `"C4h"`, `"D4h"`, ...; `"C4z"` and `"D4z"` for the rotations of space whose
            planar namesakes are C4 and D4), the name of a registered group, or a group.

    Returns:
        A FiniteGroup or ContinuousGroup. The same name always gives the same object.
    """
    if isinstance(group, (FiniteGroup, ContinuousGroup, LieGroup, LieSample)):
        return group
    if not isinstance(group, str):
        hint = "; for grouped convolution use `groups=4`" if isinstance(group, int) else ""
        raise TypeError(
            f'`group` must be the name of a symmetry such as "C4", or a FiniteGroup. Received: {group!r}{hint}'
        )
    if group in _registered:
        return _registered[group]
    if group.lower() in CONTINUOUS:
        return CONTINUOUS[group.lower()]
    found = _built_in(group)
    if found is not None:
        return found
    known = [
        "C1",
        "C2",
        "C4",
        "C8",
        "D1",
        "D2",
        "D4",
        "D8",
        "SO2",
        "O2",
        "SO3",
        "O3",
        *ALIASES,
        *EXAMPLES,
        *_registered,
    ]
    near = difflib.get_close_matches(group, known, n=1, cutoff=0.5)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    raise ValueError(
        '`group` must be "C<n>", "D<n>", "SO2", "O2", "SO3", "O3", "Z2", "p4", "p4m", a point group of space such as '
        '"O", "Oh", "T", "C4h", "D4h", "C4z" or "Z3", or a registered group. '
        f"Received: {group!r}.{hint}"
    )


def _built_in(name):
    """The finite group of the plane or point group of space of this name, or None."""
    name = ALIASES.get(name.lower(), name)
    match = re.fullmatch(r"([CcDd])([0-9]{1,4})", name)
    if match and 1 <= int(match[2]):
        return (cyclic if match[1] in "Cc" else dihedral)(int(match[2]))
    return point_group(name)


def cyclic(n):
    """C_n: the rotations by multiples of 360/n degrees, counter-clockwise; element r turns by 360 r / n degrees."""
    return _cyclic(_checked_order(n, "C"))


def dihedral(n):
    """D_n: the rotations of C_n and their mirror images.

    Element `n m + r` first turns by 360 r / n degrees counter-clockwise and then, if m = 1, mirrors left and right.
    D_1 is the left-right mirror alone.
    """
    return _dihedral(_checked_order(n, "D"))


def from_generators(name, matrices):
    """The finite group that the given orthogonal matrices generate.

    Args:
        name: a name of your own; call `register(group)` to use it as `group="name"` and in saved models.
        matrices: `(d, d)` orthogonal matrices; points are columns, (x to the right, y up) or (x, y, z).

    Example:
        >>> from keras_equivariant import groups
        >>> flips = groups.from_generators("flips", [[[-1, 0], [0, 1]], [[1, 0], [0, -1]]])
        >>> flips.order
        4
    """
    generators = np.array(matrices, dtype=np.float64)
    if generators.ndim != 3 or generators.shape[1] != generators.shape[2]:
        raise ValueError(f"`matrices` must have the shape (generators, d, d). Received: shape {generators.shape}")
    check_orthogonal(generators)
    dimension = generators.shape[1]
    elements = {tuple(np.eye(dimension).ravel()): np.eye(dimension)}
    frontier = list(elements.values())
    while frontier:
        fresh = {}
        for a in frontier:
            for b in generators:
                product = b @ a
                key = tuple((np.round(product, 6) + 0.0).ravel())
                if key not in elements and key not in fresh:
                    fresh[key] = product
        elements.update(fresh)
        if len(elements) > MAX_ORDER:
            raise ValueError(
                f"The generators must give a finite group of at most {MAX_ORDER} elements. "
                f"Received: matrices that give more for group {name!r}"
            )
        frontier = list(fresh.values())
    return FiniteGroup(name, list(elements.values()))


def register(group):
    """Makes a FiniteGroup or LieGroup known by its name, for `group="name"`, YAML specs and saved models."""
    if isinstance(group, LieGroup):
        return register_lie(group)
    if not isinstance(group, FiniteGroup):
        raise TypeError(f"`group` must be a FiniteGroup. Received: {group!r}")
    name = group.name
    taken = re.fullmatch(r"[CcDd][0-9]+", name) or name.lower() in (*ALIASES, *CONTINUOUS) or point_group(name)
    if taken or _registered.get(name, group) != group:
        raise ValueError(f"The name of a group must be unique. Received: {group.name!r}, which is another group's")
    _registered[group.name] = group
    return group


def _checked_order(n, letter):
    highest = MAX_ORDER // (2 if letter == "D" else 1)
    if not isinstance(n, (int, np.integer)) or not 1 <= n <= highest:
        raise ValueError(f"The order n of {letter}_n must be an integer from 1 to {highest}. Received: n={n!r}")
    return int(n)


@functools.cache
def _cyclic(n):
    return FiniteGroup(f"C{n}", _rotations(n), _rotation_names(n))


@functools.cache
def _dihedral(n):
    rotations = _rotations(n)
    mirrored = np.diag([-1.0, 1.0]) @ rotations
    names = _rotation_names(n)
    return FiniteGroup(f"D{n}", np.concatenate([rotations, mirrored]), names + ["m", *("m " + r for r in names[1:])])


def _rotations(n):
    # Quarter turns are written as exact integers, so that pixel permutations stay exact.
    quarters = {0: (1.0, 0.0), 1: (0.0, 1.0), 2: (-1.0, 0.0), 3: (0.0, -1.0)}
    angles = [
        quarters[4 * r // n] if 4 * r % n == 0 else (np.cos(2 * np.pi * r / n), np.sin(2 * np.pi * r / n))
        for r in range(n)
    ]
    return np.array([[[c, -s], [s, c]] for c, s in angles])


def _rotation_names(n):
    return ["e", *(f"r{360 * r / n:g}" for r in range(1, n))]
