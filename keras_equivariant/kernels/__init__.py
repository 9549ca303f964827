"""Spaces of equivariant kernels as NumPy arrays."""

from keras_equivariant.kernels.fourier import FourierBasis, fourier_basis, spectral_pays
from keras_equivariant.kernels.rotated import BASES, RotatedBasis, rotated_basis

__all__ = ["BASES", "FourierBasis", "RotatedBasis", "fourier_basis", "rotated_basis", "spectral_pays"]
