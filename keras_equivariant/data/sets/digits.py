"""The embedded default: scikit-learn's handwritten digits, enlarged to the size of MNIST. Needs no network."""

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.rotation import rotate_images
from keras_equivariant.utils.optional import require

TRAIN_COUNT = 1297
ROTATED_COPIES = 4


def load_digits(seed=0):
    """Upright digits: 1,297 training and 500 test images (28, 28, 1), uint8.

    The 8x8 originals are enlarged to 20x20 by a cubic spline and centered on 28x28, as MNIST's are, so that a
    rotated digit stays inside the picture. The split is by position in the file: neighboring digits have the same
    writer, and a shuffled split would test on writers it was trained on. `seed` has no effect.
    """
    images, labels = enlarged()
    return Dataset(
        name="digits",
        description="scikit-learn digits, 28x28, upright",
        x_train=images[:TRAIN_COUNT],
        y_train=labels[:TRAIN_COUNT],
        x_test=images[TRAIN_COUNT:],
        y_test=labels[TRAIN_COUNT:],
        default_epochs=15,
        default_batch_size=32,
    )


def load_rotated_digits(seed=0):
    """The same split with every digit rotated by uniform random angles: 4 rotated copies of each training digit
    (5,188 images), one of each test digit (500). The angles depend on `seed` alone."""
    images, labels = enlarged()
    rng = np.random.default_rng(seed)
    train = np.repeat(images[:TRAIN_COUNT], ROTATED_COPIES, axis=0)
    test = images[TRAIN_COUNT:]
    return Dataset(
        name="rotated_digits",
        description=f"scikit-learn digits, 28x28, rotated at random (seed {seed})",
        x_train=rotate_images(train, rng.uniform(0, 360, len(train))),
        y_train=np.repeat(labels[:TRAIN_COUNT], ROTATED_COPIES),
        x_test=rotate_images(test, rng.uniform(0, 360, len(test))),
        y_test=labels[TRAIN_COUNT:],
        default_epochs=10,
        default_batch_size=64,
    )


def enlarged():
    """All 1,797 digits as `(images (n, 28, 28, 1) uint8, labels)`, in the order of the file."""
    source = require("sklearn.datasets", "The digits data set").load_digits()
    ndimage = require("scipy.ndimage", "The digits data set")
    large = ndimage.zoom(source.images, (1, 2.5, 2.5), order=3, mode="grid-constant", grid_mode=True)
    large = np.rint(np.clip(large * (255 / 16), 0, 255)).astype("uint8")
    return np.pad(large, ((0, 0), (4, 4), (4, 4)))[..., np.newaxis], source.target
