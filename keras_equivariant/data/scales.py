"""Whether numbers of images are of one scale: bytes up to 255, or fractions of them."""

import numpy as np

from keras_equivariant.data.stored import Stored
from keras_equivariant.utils.periodic import space_of

UNITS = 5  # how much larger clouds of points are whose coordinates are in another unit
FACTOR = 20  # how much larger the numbers of one set are where those of another are fractions
_LOOKED_AT = 32  # images of those that stay on disk


def scale_of(images):
    """`{"dtype": …, "largest": …}` of images; of those that stay on disk by the first of them."""
    dtype, looked = images.dtype, images[:_LOOKED_AT] if isinstance(images, Stored) else images
    return {"dtype": dtype.name, "largest": float(np.abs(np.asarray(looked)).max(initial=0))}


def extent_of(positions, mask):
    """The root mean square distance of points `(clouds, points, d)` that are there from the middle of their cloud."""
    there = np.asarray(mask, bool)[..., None]
    own = np.asarray(positions, "float64")[..., : space_of(np.shape(positions)[-1])]  # cells lie behind them
    points = np.where(there, own, 0)
    count = np.maximum(there.sum(axis=1, keepdims=True), 1)
    from_middle = np.where(there, points - points.sum(axis=1, keepdims=True) / count, 0)
    return float(np.sqrt(np.square(from_middle).sum() / max(there.sum(), 1)))


def are_apart(scales):
    """Whether some of these scales are not those of the others, by the size of their numbers alone."""
    largest = [scale["largest"] for scale in scales]
    return max(largest) > FACTOR * min(largest)


def are_of_kinds(scales):
    """Whether some are of bytes, others of fractions."""
    return len({np.dtype(scale["dtype"]).kind for scale in scales}) > 1
