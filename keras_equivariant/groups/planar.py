"""The finite groups of the plane: rotations C_n, and D_n with mirrors."""

from __future__ import annotations

import functools
import re

import numpy as np

from keras_equivariant.groups.finite import MAX_ORDER, FiniteGroup
from keras_equivariant.groups.registry import family, plain_name

ALIASES = {"z2": "C1", "p4": "C4", "p4m": "D4"}


@family("C1", "C2", "C4", "C8", "D1", "D2", "D4", "D8", *ALIASES, aliases=ALIASES)
def planar(name):
    """The group of this name, `"C4"`, `"D4"` or an alias; None if it is none of the plane."""
    match = re.fullmatch(r"([CcDd])([0-9]{1,9})", ALIASES.get(name.lower(), name))
    if not match or not int(match[2]):
        return None
    return (cyclic if match[1] in "Cc" else dihedral)(int(match[2]))


def order_of(name):
    """The order of the group of the plane of this name, without building it; None where there is none."""
    match = re.fullmatch(r"([cd])([0-9]{1,9})", plain_name(name))
    order = int(match[2]) * (2 if match[1] == "d" else 1) if match else 0
    return order if 1 <= order <= MAX_ORDER else None


def cyclic(n: int) -> FiniteGroup:
    """C_n: the rotations by multiples of 360/n degrees, counter-clockwise; element r rotates by 360 r / n degrees."""
    return _cyclic(_checked_order(n, "C"))


def dihedral(n: int) -> FiniteGroup:
    """D_n: the rotations of C_n and their mirror images.

    Element `n m + r` first rotates by 360 r / n degrees counter-clockwise and then, if m = 1, mirrors left and right.
    D_1 is the left-right mirror alone.
    """
    return _dihedral(_checked_order(n, "D"))


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
