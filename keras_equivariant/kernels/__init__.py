"""Spaces of equivariant kernels as NumPy arrays."""

from keras_equivariant.kernels.rotated import BASES, RotatedBasis, rotated_basis

__all__ = ["BASES", "RotatedBasis", "rotated_basis"]
