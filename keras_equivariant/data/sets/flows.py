"""Generated densities with the field of their attraction: a vector at every voxel."""

import numpy as np

from keras_equivariant.data.dataset import Dataset

TRAIN_COUNT, TEST_COUNT = 60, 20
REACH = 2.0  # deviation of the densities, in voxels


def load_flows(seed=0, size=12, pooled=False):
    """60 training and 20 test volumes (size, size, size, 1) of three Gaussian densities of different weights; at every
    voxel the slope of the density, which points to where it grows, in the order of the axes. All from `seed`.

    Args:
        seed: of the places and weights.
        size: voxels along each axis.
        pooled: whether the answer is one vector a volume: the mean of place times density, its dipole.
    """
    rng, axis = np.random.default_rng(seed), np.arange(size) - (size - 1) / 2
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    count = TRAIN_COUNT + TEST_COUNT
    places = rng.uniform(-size / 5, size / 5, (count, 3, 3))
    weights = rng.uniform(0.3, 1.0, (count, 3))
    offsets = points[None, None] - places[:, :, None, None, None]
    density = weights[:, :, None, None, None] * np.exp(-(offsets**2).sum(axis=-1) / (2 * REACH**2))
    x = density.sum(axis=1)[..., None].astype("float32")
    y = -(offsets * density[..., None]).sum(axis=1) / REACH**2
    y = (points * x).mean(axis=(1, 2, 3)) if pooled else y
    return Dataset(
        name="flows",
        description=f"generated densities and their slopes, {size}x{size}x{size} (seed {seed})",
        x_train=x[:TRAIN_COUNT],
        y_train=y[:TRAIN_COUNT],
        x_test=x[TRAIN_COUNT:],
        y_test=y[TRAIN_COUNT:],
        task="vectors",
        target_type="1x1",
        default_epochs=5,
        default_batch_size=8,
    )
