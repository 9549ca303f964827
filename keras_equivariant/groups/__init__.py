"""Symmetry as data: groups, their representations, and how their elements act on grids and features."""

from keras_equivariant.groups.axial import AxialGroup
from keras_equivariant.groups.continuous import ContinuousGroup
from keras_equivariant.groups.decomposition import Decomposition, decompose, intertwiners
from keras_equivariant.groups.direct_products import direct_product
from keras_equivariant.groups.element_sample import ElementSample
from keras_equivariant.groups.field_type import Block, FieldType
from keras_equivariant.groups.finite import FiniteGroup, check_axioms, from_generators
from keras_equivariant.groups.grid import move_pixels, rotate, rotation_matrix
from keras_equivariant.groups.group import Group, Quadrature
from keras_equivariant.groups.irreps import irrep, irreps
from keras_equivariant.groups.layouts import act, infer_layout
from keras_equivariant.groups.lie import LieGroup, axis_scalings, move_points
from keras_equivariant.groups.lie_sample import LieSample
from keras_equivariant.groups.motion_sample import MotionSample
from keras_equivariant.groups.planar import cyclic, dihedral
from keras_equivariant.groups.products import clebsch_gordan, direct_sum, induced, induced_irreps, tensor_product
from keras_equivariant.groups.registry import get, is_lie_name, lie_group, orthogonal_group, register
from keras_equivariant.groups.representations import Representation, quotient, regular, trivial
from keras_equivariant.groups.restriction import Restriction, contains, embeddings, orbits, restriction
from keras_equivariant.groups.spherical import spherical_harmonics, wigner_3j, wigner_d

__all__ = [
    "AxialGroup",
    "Block",
    "ContinuousGroup",
    "Decomposition",
    "ElementSample",
    "FieldType",
    "FiniteGroup",
    "Group",
    "LieGroup",
    "LieSample",
    "MotionSample",
    "Quadrature",
    "Representation",
    "Restriction",
    "act",
    "axis_scalings",
    "check_axioms",
    "clebsch_gordan",
    "contains",
    "cyclic",
    "decompose",
    "dihedral",
    "direct_product",
    "direct_sum",
    "embeddings",
    "from_generators",
    "get",
    "induced",
    "induced_irreps",
    "infer_layout",
    "intertwiners",
    "irrep",
    "irreps",
    "is_lie_name",
    "lie_group",
    "move_pixels",
    "move_points",
    "orbits",
    "orthogonal_group",
    "quotient",
    "register",
    "regular",
    "restriction",
    "rotate",
    "rotation_matrix",
    "spherical_harmonics",
    "tensor_product",
    "trivial",
    "wigner_3j",
    "wigner_d",
]
