"""Networks of stock Keras layers made equivariant: their twins, and their averages over a group."""

from keras_equivariant.conversion.equivariant import equivariant
from keras_equivariant.conversion.report import Conversion, conversion_table

__all__ = ["Conversion", "conversion_table", "equivariant"]
