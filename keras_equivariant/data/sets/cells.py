"""Generated cells with dark membranes: segmentation that needs no file."""

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.utils.optional import require

TRAIN_COUNT, TEST_COUNT = 160, 40
MEMBRANE = 1.3  # half the width of a membrane, in pixels


def load_cells(seed=0, size=64):
    """160 training and 40 test images of cells (size, size, 1), uint8; 1 in the mask = membrane. All from `seed`.

    The cells are the Voronoi cells of random points; a membrane is where a pixel is near the edge of two.
    Each cell has its brightness, dark spots inside look like pieces of membrane, and all is blurred and noisy.
    """
    rng = np.random.default_rng(seed)
    images, masks = zip(*(draw(rng, size) for _ in range(TRAIN_COUNT + TEST_COUNT)), strict=True)
    images, masks = np.stack(images), np.stack(masks)
    return Dataset(
        name="cells",
        description=f"generated cells, {size}x{size} (seed {seed})",
        x_train=images[:TRAIN_COUNT],
        y_train=masks[:TRAIN_COUNT],
        x_test=images[TRAIN_COUNT:],
        y_test=masks[TRAIN_COUNT:],
        task="segmentation",
        default_epochs=12,
        default_batch_size=8,
    )


def draw(rng, size):
    """One image and its mask, `(size, size)`, uint8."""
    spatial = require("scipy.spatial", "The cells data set")
    ndimage = require("scipy.ndimage", "The cells data set")
    margin = 16
    area = (size + 2 * margin) ** 2
    points = rng.uniform(-margin, size + margin, (max(4, area // 400), 2))
    pixels = np.stack(np.meshgrid(np.arange(size), np.arange(size), indexing="ij"), axis=-1)
    distances, cells = spatial.KDTree(points).query(pixels, k=3)
    # How far a pixel is from the line half-way between its own cell's point and each of the next two.
    apart = np.linalg.norm(points[cells[..., 1:]] - points[cells[..., :1]], axis=-1)
    membrane = ((distances[..., 1:] ** 2 - distances[..., :1] ** 2) / (2 * apart)).min(axis=-1) < MEMBRANE
    brightness = rng.uniform(150, 210, len(points))[cells[..., 0]]
    spots = rng.uniform(0, size, (max(1, size * size // 300), 2))
    spotted = spatial.KDTree(spots).query(pixels)[0] < 1.7
    image = np.where(membrane, 70.0, np.where(spotted, 80.0, brightness))
    image = ndimage.gaussian_filter(image, 0.7) + ndimage.gaussian_filter(rng.normal(0, 25, (size, size)), 0.5)
    return np.rint(np.clip(image, 0, 255)).astype("uint8"), membrane.astype("uint8")
