"""Volumes to classify: shapes that are generated, and two published sets read from a file."""

import numpy as np

from keras_equivariant.data.archive import OPTIONAL, REQUIRED, load_archive, needed
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.utils.arrays import read_arrays

SHAPES = ("bar", "cross", "hook", "screw", "table", "tripod")
TRAIN_COUNT, TEST_COUNT = 360, 120
VOLUMES = ("The volumes are", "", "shapes")
_BOXES = {  # corners of boxes in units of the half size: (x, y, z) from, (x, y, z) to; z is up
    "bar": (((-0.8, -0.2, -0.2), (0.8, 0.2, 0.2)),),
    "cross": (((-0.8, -0.2, -0.2), (0.8, 0.2, 0.2)), ((-0.2, -0.8, -0.2), (0.2, 0.8, 0.2))),
    "hook": (
        ((-0.8, -0.2, -0.2), (0.8, 0.2, 0.2)),
        ((0.4, -0.2, 0.2), (0.8, 0.2, 0.8)),
        ((-0.8, 0.2, -0.2), (-0.4, 0.8, 0.2)),
    ),
    "table": (
        ((-0.7, -0.7, 0.4), (0.7, 0.7, 0.7)),
        *(((x - 0.15, y - 0.15, -0.7), (x + 0.15, y + 0.15, 0.4)) for x in (-0.5, 0.5) for y in (-0.5, 0.5)),
    ),
    "tripod": (
        ((-0.2, -0.2, -0.2), (0.8, 0.2, 0.2)),
        ((-0.2, -0.2, -0.2), (0.2, 0.8, 0.2)),
        ((-0.2, -0.2, -0.2), (0.2, 0.2, 0.8)),
    ),
}
# The mirror image of the hook.
_BOXES["screw"] = tuple(((x0, -y1, z0), (x1, -y0, z1)) for (x0, y0, z0), (x1, y1, z1) in _BOXES["hook"])


def load_shapes(seed=0, size=16):
    """360 training and 120 test volumes (size, size, size, 1), uint8 0 or 255, of six shapes; all from `seed`.

    Made of boxes, upright and in one orientation, each a little moved, stretched and frayed. The hook and the screw are
    mirror images of each other, which turns alone do not bring together.
    """
    if not isinstance(size, int) or size < 8:
        raise ValueError(f"`size` must be an integer of at least 8 voxels. Received: size={size!r}. Use 16, say.")
    rng = np.random.default_rng(seed)
    labels = np.arange(TRAIN_COUNT + TEST_COUNT) % len(SHAPES)
    volumes = np.stack([draw(rng, SHAPES[label], size) for label in labels])
    return Dataset(
        name="shapes",
        description=f"generated shapes, {size}x{size}x{size} (seed {seed})",
        x_train=volumes[:TRAIN_COUNT],
        y_train=labels[:TRAIN_COUNT],
        x_test=volumes[TRAIN_COUNT:],
        y_test=labels[TRAIN_COUNT:],
        default_epochs=6,
        default_batch_size=24,
    )


def draw(rng, shape, size):
    """One volume `(size, size, size, 1)`, uint8."""
    axes = (np.arange(size) + 0.5) * (2 / size) - 1
    points = np.stack(np.meshgrid(axes, axes, axes, indexing="ij"), axis=-1)
    points = (points - rng.uniform(-0.12, 0.12, 3)) / rng.uniform(0.85, 1.1, 3)
    points += rng.normal(scale=0.03, size=points.shape)
    inside = np.zeros(points.shape[:-1], bool)
    for low, high in _BOXES[shape]:
        inside |= ((points >= low) & (points <= high)).all(axis=-1)
    return (255 * inside[..., None]).astype("uint8")


def load_modelnet10(seed=0):
    """ModelNet10 as occupancy of 30x30x30 voxels, uint8 0 or 1, with the official split; the last axis is up.

    Grids in which nothing is occupied are left out: 3,984 training and 907 test volumes remain. `seed` has no effect.

    Raises:
        FileNotFoundError: modelnet10_vox30.npz is not in the folder KERAS_EQUIVARIANT_DATA.
    """
    arrays = read_arrays(needed("modelnet10_vox30.npz", *VOLUMES), (*REQUIRED, *OPTIONAL))
    for part in ("train", "test"):
        kept = arrays[f"x_{part}"].any(axis=(1, 2, 3))
        arrays |= {f"{key}_{part}": arrays[f"{key}_{part}"][kept] for key in "xy"}
    return Dataset(name="modelnet10", description="ModelNet10, 30x30x30 voxels", **arrays)


def load_adrenalmnist3d(seed=0):
    """AdrenalMNIST3D: shapes of adrenal glands, 28x28x28 voxels, uint8 0 or 255, normal or with a mass.

    MedMNIST's split of 1,188 volumes for training, 98 for validation and 298 for testing. `seed` has no effect.

    Raises:
        FileNotFoundError: adrenalmnist3d.npz is not in the folder KERAS_EQUIVARIANT_DATA.
    """
    return load_archive(
        needed("adrenalmnist3d.npz", *VOLUMES), name="adrenalmnist3d", description="AdrenalMNIST3D, 28x28x28 voxels"
    )
