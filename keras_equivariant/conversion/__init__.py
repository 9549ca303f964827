"""Networks of stock Keras layers made equivariant: their twins, and their averages over a group."""

from keras_equivariant.conversion.equivariant import equivariant
from keras_equivariant.conversion.report import Conversion, conversion_table
from keras_equivariant.conversion.spec import spec_of
from keras_equivariant.conversion.symmetrize import Ties, canonical_ties, symmetrize

__all__ = ["Conversion", "Ties", "canonical_ties", "conversion_table", "equivariant", "spec_of", "symmetrize"]
