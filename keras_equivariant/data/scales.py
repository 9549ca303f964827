"""Whether numbers of images are of one scale: bytes up to 255, or fractions of them."""

import numpy as np

from keras_equivariant.data.stored import Stored

FACTOR = 20  # how much larger the numbers of one set are where those of another are fractions
_LOOKED_AT = 32  # images of those that stay on disk


def scale_of(images):
    """`{"dtype": …, "largest": …}` of images; of those that stay on disk by the first of them."""
    dtype, looked = images.dtype, images[:_LOOKED_AT] if isinstance(images, Stored) else images
    return {"dtype": dtype.name, "largest": float(np.abs(np.asarray(looked)).max(initial=0))}


def are_apart(scales):
    """Whether some of these scales are not those of the others, by the size of their numbers alone."""
    largest = [scale["largest"] for scale in scales]
    return max(largest) > FACTOR * min(largest)


def are_of_kinds(scales):
    """Whether some are of bytes, others of fractions."""
    return len({np.dtype(scale["dtype"]).kind for scale in scales}) > 1
