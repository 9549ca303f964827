"""Tetris in space: the eight shapes that four cubes can be glued to, in one orientation and turned at random."""

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.extras import require
from keras_equivariant.data.rotation import random_rotations

# Cubes by their corner nearest the origin; the first two are mirror images of each other.
SHAPES = {
    "screw": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)),
    "mirrored screw": ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)),
    "square": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)),
    "line": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)),
    "corner": ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)),
    "L": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)),
    "T": ((0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)),
    "zigzag": ((0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)),
}
MARGIN = 36 / 20  # of the published volumes: 20 voxels for four cubes in a row, 8 more at each end
BLUR = 0.5 * 3**0.5  # deviation in voxels of the low-pass for a scale of 2 (1807.02547)


def load_tetris(seed=0, size=33, draws=100):
    """The eight shapes in one orientation to train on, and turned at random to test on.

    Args:
        seed: Of the random rotations.
        size: Voxels along each axis.
        draws: Random rotations of each shape.
    """
    if not isinstance(size, int) or size < 12 or not isinstance(draws, int) or draws < 1:
        raise ValueError(
            "`size` must be at least 12 voxels and `draws` at least 1. "
            f"Received: size={size!r}, draws={draws!r}. Use size=33, draws=100."
        )
    turns = random_rotations(draws * len(SHAPES), seed)
    shapes = [np.array(cubes, dtype=np.float64) for cubes in SHAPES.values()]
    labels = np.arange(len(SHAPES))
    test = np.tile(labels, draws)
    return Dataset(
        name="tetris",
        description=f"eight Tetris shapes, {size}x{size}x{size}, in one orientation, tested turned (seed {seed})",
        x_train=np.stack([draw(cubes, np.eye(3), size) for cubes in shapes])[..., None],
        y_train=labels,
        x_test=np.stack([draw(shapes[i], turn, size) for i, turn in zip(test, turns, strict=True)])[..., None],
        y_test=test,
    )


def draw(cubes, rotation, size):
    """A volume `(size, size, size)` of cubes about their centre of mass, turned and low-passed; float32, 0 to 1.

    A Gaussian blur is the same in all directions, so that it is done before the rotation, side by side of each cube:
    nothing is sampled that the voxels cannot carry.

    Args:
        cubes: Their corners, `(n, 3)`, in units of their side.
        rotation: Orthogonal matrix `(3, 3)`.
        size: Voxels along each axis.
    """
    special = require("scipy.special", "The Tetris data set")
    side = size / MARGIN / 4
    axis = np.arange(size) - (size - 1) / 2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1) @ rotation  # back into the shape's frame
    volume = np.zeros((size,) * 3)
    for centre in (cubes - cubes.mean(axis=0)) * side:
        offsets = points - centre
        edges = [special.ndtr((offsets + sign * side / 2) / BLUR) for sign in (1, -1)]
        volume += np.prod(edges[0] - edges[1], axis=-1)
    return volume.astype("float32")
