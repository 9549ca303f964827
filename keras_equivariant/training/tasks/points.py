"""What the tasks have in common whose inputs may be points: how they rotate, and how they are drawn."""

import numpy as np

from keras_equivariant.data import Rows, rotate_images
from keras_equivariant.data.point_augment import MOVING
from keras_equivariant.training.report.figures import gallery
from keras_equivariant.training.report.images import shown
from keras_equivariant.training.report.points import molecules
from keras_equivariant.utils.periodic import space_of


def drawn_points(rows, captions):
    """Molecules of `Rows` with captions; the kind of an atom is the largest of its values."""
    masks = rows.arrays["mask"].astype(bool)
    d = space_of(rows.arrays["positions"].shape[-1])
    atoms = [positions[mask][:, :d] for positions, mask in zip(rows.arrays["positions"], masks, strict=True)]
    kinds = [np.argmax(values[mask], axis=-1) for values, mask in zip(rows.arrays["values"], masks, strict=True)]
    return molecules(atoms, kinds, captions)


def drawn_inputs(inputs, rows, captions):
    """Pictures of these rows of the inputs, which are images or points, with captions."""
    if isinstance(inputs, Rows):
        return drawn_points(inputs[rows], captions)
    return gallery([shown(inputs[i]) for i in rows], captions)


def rotated_inputs(inputs, degrees):
    """Images rotated counter-clockwise, or points about the last axis."""
    return (rotated_about_last_axis if isinstance(inputs, Rows) else rotate_images)(inputs, degrees)


def rotated_rows(rows, matrix):
    """Rows whose coordinates are rotated by a matrix."""

    def move(array):  # lattice vectors behind positions rotate, too
        return (array.reshape(-1, len(matrix)) @ matrix.T).reshape(array.shape).astype("float32")

    return Rows(**{name: move(array) if name in MOVING else array for name, array in rows.arrays.items()})


def rotated_about_last_axis(rows, degrees, dimension=None):
    """Rows rotated counter-clockwise about the last axis, in the plane about the origin; those of targets alone have no
    positions to tell the dimension."""
    return rotated_rows(rows, about_last_axis(degrees, dimension or space_of(rows.arrays["positions"].shape[-1])))


def about_last_axis(degrees, dimension):
    """The matrix of a counter-clockwise rotation of the plane, or of space about the last axis."""
    matrix, angle = np.eye(dimension), np.deg2rad(degrees)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return np.round(matrix, 15)
