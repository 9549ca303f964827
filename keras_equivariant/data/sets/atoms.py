"""Densities of atoms from their positions, as in the CATH experiment of 1807.02547."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.utils.arrays import array_names, read_arrays

POSITIONS = ("positions_train", "positions_val", "positions_test")
KEYS = (*POSITIONS, "y_train", "y_val", "y_test")


def load_atoms(path, size=50, voxel_size=2.0):
    """Structures of an .npz file with the arrays positions_train, y_train, positions_test, y_test (and positions_val,
    y_val) as densities to classify.

    Args:
        path: The file. Positions are `(structures, atoms, 3)`, rows of NaN where a structure has fewer atoms.
        size: Voxels along each axis.
        voxel_size: Length of a voxel in the unit of the positions; 2 Å in the experiment.

    Raises:
        ValueError: The file is damaged, or an array is missing or of another shape.
    """
    arrays = read_arrays(path, KEYS)
    if not {"positions_train", "y_train", "positions_test", "y_test"} <= set(arrays):
        raise ValueError(
            "An archive of atoms must hold positions_train, y_train, positions_test and y_test. "
            f"Received: {path} with {', '.join(array_names(path))}. Save it with numpy.savez(path, …)."
        )
    for key in POSITIONS:
        if key in arrays:
            found = [density(positions, size, voxel_size) for positions in _checked(key, arrays.pop(key))]
            arrays[key.replace("positions", "x")] = np.stack(found)[..., None]
    description = f"densities of atoms of {Path(path).name}, {size}x{size}x{size}"
    return Dataset(name=str(path), description=description, **arrays)


def holds_atoms(path):
    """Whether a file is an archive with positions of atoms."""
    try:
        return "positions_train" in array_names(path)
    except ValueError:
        return False  # whoever reads it as an archive of images says what is wrong


def density(positions: ArrayLike, size: int = 50, voxel_size: float = 2.0, deviation: float = 1.0) -> np.ndarray:
    """The density `(size, size, size)` of atoms about their center of mass: a Gaussian for each, of sum 1; float32.

    Args:
        positions: `(atoms, 3)`; rows with NaN count as no atom, and atoms outside the volume not at all.
        size: Voxels along each axis.
        voxel_size: Length of a voxel in the unit of the positions.
        deviation: Of the Gaussians, in voxels.

    Example:

    >>> from keras_equivariant.data import density
    >>> density([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], size=11).sum().round(3)
    np.float32(2.0)
    """
    positions = np.asarray(positions, dtype=np.float64)
    positions = positions[np.isfinite(positions).all(axis=1)] / voxel_size
    if not len(positions):
        return np.zeros((size,) * 3, "float32")
    offsets = positions - positions.mean(axis=0)
    axis = np.arange(size) - (size - 1) / 2
    # A Gaussian of space is a product of one along each axis, and so is its sum over the voxels.
    waves = np.exp(-((axis - offsets[..., None]) ** 2) / (2 * deviation**2))
    sums = waves.sum(axis=-1, keepdims=True)
    inside = (np.abs(offsets) <= size / 2).all(axis=1)[:, None, None]
    waves = np.where(inside, waves / np.where(sums > 0, sums, 1.0), 0.0)
    x, y, z = waves.transpose(1, 0, 2)
    planes = (x[:, :, None] * y[:, None, :]).reshape(len(x), -1)
    return (planes.T @ z).reshape((size,) * 3).astype("float32")


def _checked(key, positions):
    if positions.ndim != 3 or positions.shape[-1] != 3 or not len(positions):
        raise ValueError(
            f"Positions of atoms must have the shape (structures, atoms, 3). Received: {key} of shape "
            f"{positions.shape}. Fill up structures of fewer atoms with rows of NaN."
        )
    return positions
