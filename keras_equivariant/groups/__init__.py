"""Symmetry as data: groups, how their elements multiply, and how they act on grids and features."""

from keras_equivariant.groups.actions import act, infer_layout, move_pixels, rotate
from keras_equivariant.groups.finite import FiniteGroup, check_axioms
from keras_equivariant.groups.registry import cyclic, dihedral, from_generators, get, register
from keras_equivariant.groups.representations import Representation, irreps, quotient, regular, trivial

__all__ = [
    "FiniteGroup",
    "Representation",
    "act",
    "check_axioms",
    "cyclic",
    "dihedral",
    "from_generators",
    "get",
    "infer_layout",
    "irreps",
    "move_pixels",
    "quotient",
    "register",
    "regular",
    "rotate",
    "trivial",
]
