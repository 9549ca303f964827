"""Grids of orientations: the directions that the cosets of a subgroup stand for, and the angles between them."""

import collections
import functools

import numpy as np

OrientationGrid = collections.namedtuple("OrientationGrid", ("directions", "angle", "angles"))


@functools.lru_cache(maxsize=64)
def orientation_grid(field_type):
    """The directions of a type of one block of quotient fields on a finite group of space.

    Coset gH stands for the direction g o, o the axis that all elements of H leave alone: the vertices, or the middles
    of faces or edges, of a solid.

    Args:
        field_type: such as `FieldType.parse("16xquotient(f72)", "I")`, on the 12 vertices of the icosahedron.

    Returns:
        An OrientationGrid: `directions` `(A, 3)`, unit vectors; `angle` `(A, A)`, the number of the angle between two
        of them; `angles` `(n,)`, their cosines.

    Raises:
        ValueError: another type, or a subgroup without one axis.
    """
    group, blocks = field_type.group, field_type.blocks
    wrong = not group.is_finite or group.dimension != 3 or len(blocks) != 1 or not blocks[0].representation.permutation
    if not wrong:
        images = np.stack([blocks[0].representation.matrices[g] for g in range(group.order)])
        stabilizer = group.matrices[images[:, 0, 0] > 0.5]
        values, vectors = np.linalg.eigh(stabilizer.mean(axis=0))  # the projection on what the subgroup leaves alone
        wrong = int(round(values.sum())) != 1
    if wrong:
        raise ValueError(
            "Orientations are the cosets of a subgroup of a finite group of space that leaves one axis alone, in one "
            f'block of fields. Received: "{field_type}" on {group.name}; use "16xquotient(f72)" on I for 12 of them, '
            '"16xquotient(C3_111)" on I, O or T for 20, 8 or 4, "16xquotient(C4z)" on O for 6'
        )
    axis = vectors[:, -1]
    axis = axis * np.sign(axis[np.argmax(np.abs(axis) > 1e-9)])
    first = np.argmax(images[:, :, 0] > 0.5, axis=0)  # an element that moves coset 0 to each
    directions = group.matrices[first] @ axis
    angles, angle = np.unique(np.round(directions @ directions.T, 9), return_inverse=True)
    return OrientationGrid(directions, angle.reshape(len(directions), -1), angles)
