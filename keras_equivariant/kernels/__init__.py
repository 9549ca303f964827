"""Spaces of equivariant kernels as NumPy arrays."""

from keras_equivariant.kernels.derivatives import Derivatives
from keras_equivariant.kernels.fast_fourier import FastFourier, fast_fourier, spectral_pays
from keras_equivariant.kernels.fourier import FourierBasis, fourier_basis
from keras_equivariant.kernels.harmonic import RingBasis, ring_basis
from keras_equivariant.kernels.learned import (
    LearnedBasis,
    full_basis_problem,
    natural_covariances,
    permuting,
    representatives,
)
from keras_equivariant.kernels.orientations import OrientationGrid, orientation_grid
from keras_equivariant.kernels.projection import rotated_coefficients, steerable_coefficients
from keras_equivariant.kernels.rings import Rings
from keras_equivariant.kernels.rotated import BASES, RotatedBasis, rotated_basis
from keras_equivariant.kernels.steerable import SteerableBasis, intertwiner_basis, steerable_basis
from keras_equivariant.kernels.steerable_points import default_degree, harmonic_count, point_basis

__all__ = [
    "BASES",
    "Derivatives",
    "FastFourier",
    "FourierBasis",
    "LearnedBasis",
    "OrientationGrid",
    "RingBasis",
    "Rings",
    "RotatedBasis",
    "SteerableBasis",
    "default_degree",
    "fast_fourier",
    "fourier_basis",
    "full_basis_problem",
    "harmonic_count",
    "intertwiner_basis",
    "natural_covariances",
    "orientation_grid",
    "permuting",
    "point_basis",
    "representatives",
    "ring_basis",
    "rotated_basis",
    "rotated_coefficients",
    "spectral_pays",
    "steerable_basis",
    "steerable_coefficients",
]
