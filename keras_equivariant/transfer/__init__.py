"""Weights that come from elsewhere: from a network of a larger group, and from other libraries."""

from keras_equivariant.transfer.convert_basis import convert_basis
from keras_equivariant.transfer.delta_orthogonal import delta_orthogonal
from keras_equivariant.transfer.filters import import_filters
from keras_equivariant.transfer.from_escnn import from_escnn
from keras_equivariant.transfer.relax import Projection, project, relax
from keras_equivariant.transfer.restrict import restrict

__all__ = [
    "Projection",
    "convert_basis",
    "delta_orthogonal",
    "from_escnn",
    "import_filters",
    "project",
    "relax",
    "restrict",
]
