"""Tetris in space: the eight shapes that four cubes can be glued to, each in one orientation and rotated at random; as
volumes, and as points."""

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.rotation import random_rotations
from keras_equivariant.data.rows import Rows
from keras_equivariant.utils.optional import require

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
MIRROR = np.diag([1.0, -1.0, 1.0])  # of the first shape, which gives the second
MARGIN = 35 / 24  # edge of a volume in lengths of four cubes; published: 36 / 20
BLUR = 0.5 * 3**0.5  # deviation in voxels of the low-pass for a scale of 2 (1807.02547)
SPREAD = 1.5  # voxels along each axis by which the shapes to train on are moved


def load_tetris(seed=0, size=21, draws=100, places=100):
    """The eight shapes to train on, each in one orientation and at several places, and rotated at random to test on.

    The places differ by up to 1.5 voxels along each axis: a network is to know the shape, not where its faces lie
    between the voxels. The two screws are upright, in volumes that are mirror images of each other: rotated at random
    they could be told apart by the grid as well, whose traces are stronger than handedness.

    Args:
        seed: Of the random rotations and places; the orientation of each shape in training is the first draw,
            but for the screws.
        size: Voxels along each axis.
        draws: Random rotations of each shape to test on.
        places: How often each shape is there to train on; with 1 it is in the middle.
    """
    counts = (size, draws, places)
    if not all(isinstance(count, int) for count in counts) or size < 12 or draws < 1 or places < 1:
        raise ValueError(
            "`size` must be at least 12 voxels, `draws` and `places` at least 1. "
            f"Received: size={size!r}, draws={draws!r}, places={places!r}. Use size=21, draws=100, places=100."
        )
    shapes = [np.array(cubes, dtype=np.float64) for cubes in SHAPES.values()]
    turns = random_rotations((1 + draws) * len(SHAPES), seed)
    learned, turned = turns[: len(SHAPES)], turns[len(SHAPES) :]
    shifts = np.random.default_rng(seed).uniform(-SPREAD, SPREAD, (places * len(SHAPES), 3)) * (places > 1)
    learned[:2], shifts[1 :: len(SHAPES)] = np.eye(3), shifts[:: len(SHAPES)] @ MIRROR
    train, test = np.arange(len(shifts)) % len(SHAPES), np.arange(len(turned)) % len(SHAPES)
    return Dataset(
        name="tetris",
        description=f"eight Tetris shapes, {size}x{size}x{size}, each in one orientation, tested rotated (seed {seed})",
        x_train=np.stack([draw(shapes[i], learned[i], size, shift) for i, shift in zip(train, shifts, strict=True)]),
        y_train=train,
        x_test=np.stack([draw(shapes[i], turn, size) for i, turn in zip(test, turned, strict=True)]),
        y_test=test,
    )


def load_tetris_points(seed=0, draws=100, places=100, noise=0.05, mirrored=False):
    """The same shapes as clouds of four points, the middles of their cubes: `places` of each to train on, all in one
    orientation, and `draws` to test on, rotated at random; each point moved at random by `noise`.

    Args:
        seed: Of everything random.
        draws, places: How many of each shape to test and to train on.
        noise: Deviation of each coordinate, in sides of a cube.
        mirrored: Whether the mirrored screw is there, which distances and angles cannot tell from the other.
    """
    if not all(isinstance(count, int) and count > 0 for count in (draws, places)):
        raise ValueError(f"`draws` and `places` must be at least 1. Received: draws={draws!r}, places={places!r}.")
    names = [name for name in SHAPES if mirrored or name != "mirrored screw"]
    shapes = np.array([SHAPES[name] for name in names], dtype=np.float64)
    shapes -= shapes.mean(axis=1, keepdims=True)
    rng = np.random.default_rng(seed)
    parts = {}
    for part, count in (("train", places), ("test", draws)):
        labels = np.arange(count * len(names)) % len(names)
        points = shapes[labels] + rng.normal(0, noise, (len(labels), 4, 3))
        if part == "test":
            points = points @ np.swapaxes(random_rotations(len(labels), seed), 1, 2)
        parts[f"x_{part}"] = Rows(
            positions=points.astype("float32"),
            values=np.ones((len(labels), 4, 1), "float32"),
            mask=np.ones((len(labels), 4), bool),
        )
        parts[f"y_{part}"] = labels
    return Dataset(
        name="tetris_points",
        description=f"{len(names)} Tetris shapes as points, each in one orientation, tested rotated (seed {seed})",
        class_names=tuple(names),
        **parts,
    )


def draw(cubes, rotation, size, shift=(0.0, 0.0, 0.0)):
    """A volume `(size, size, size, 1)` of cubes about their center of mass, rotated and low-passed; float32, 0 to 1.

    A Gaussian blur is the same in all directions, so that it is done before the rotation, side by side of each cube:
    nothing is sampled that the voxels cannot carry.

    Args:
        cubes: Their corners, `(n, 3)`, in units of their side.
        rotation: Orthogonal matrix `(3, 3)`.
        size: Voxels along each axis.
        shift: Of the center of mass from the middle, in voxels.
    """
    special = require("scipy.special", "The Tetris data set")
    side = size / MARGIN / 4
    axis = np.arange(size) - (size - 1) / 2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1) - shift
    points = points @ rotation  # back into the shape's frame
    volume = np.zeros((size, size, size, 1))
    for center in (cubes - cubes.mean(axis=0)) * side:
        offsets = points - center
        edges = [special.ndtr((offsets + sign * side / 2) / BLUR) for sign in (1, -1)]
        volume += np.prod(edges[0] - edges[1], axis=-1, keepdims=True)
    return volume.astype("float32")
