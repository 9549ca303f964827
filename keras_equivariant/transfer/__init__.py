"""Weights that come from elsewhere: from a network of a larger group, and from other libraries."""

from keras_equivariant.transfer.filters import import_filters
from keras_equivariant.transfer.restrict import restrict

__all__ = ["import_filters", "restrict"]
