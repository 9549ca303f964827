"""Digits that look somewhere: images with an angle as answer, upright to learn from, rotated to be tested on."""

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.rotation import rotate_images
from keras_equivariant.data.sets.digits import TRAIN_COUNT, enlarged
from keras_equivariant.data.vectors import directions
from keras_equivariant.utils.optional import require

DIGITS = (3, 4, 7)  # no two of them are each other's rotations, and none is its own, as 0, 1 and 8 nearly are
LARGEST_SCALE, LARGEST_SHIFT = 0.2, 1.0  # of copies: relative, and in pixels


def load_oriented_digits(seed=0, rotated=False, straight=True, copies=8):
    """The digits 3, 4 and 7 with the angle by which they are rotated, as a vector (cos, sin); uint8 (28, 28, 1).

    All training digits stand upright, at 0 degrees; each test digit is rotated counter-clockwise by a uniform random
    angle of its own, which its vector tells.

    Handwriting leans, these digits by 5.5 degrees on average, and nobody can tell a digit that leans from one that is
    rotated a little. So that the angle is well defined, digits are sheared until their second moment, the sum of
    x y brightness about their middle, is zero, and centered. Digits such as 0, 1 and 8, which are nearly their own
    rotations, have no angle to be known and are left out.

    Args:
        seed: of the angles and copies.
        rotated: whether the training digits are rotated, too, as a network without the symmetry needs it.
        straight: False for digits as they were written, whose angle is known to their lean only.
        copies: of each training digit, upright all: the digit itself, and others that are stretched along both axes by
            up to 20 % and moved by up to a pixel.
    """
    images, labels = enlarged()
    rng, there = np.random.default_rng(seed), np.isin(labels, DIGITS)
    train, test = (images[part][there[part]] for part in (slice(TRAIN_COUNT), slice(TRAIN_COUNT, None)))
    angles = rng.uniform(0, 360, len(test))
    copied = np.repeat(train, copies, axis=0)
    own = np.arange(len(copied)) % copies > 0
    scales = 1 + LARGEST_SCALE * rng.uniform(-1, 1, (len(copied), 2)) * own[:, None]
    shifts = LARGEST_SHIFT * rng.uniform(-1, 1, (len(copied), 2)) * own[:, None]
    learned = rng.uniform(0, 360, len(copied)) if rotated else np.zeros(len(copied))
    train = moved(copied, straight, scales, shifts)
    test = moved(test, straight)
    return Dataset(
        name="oriented_digits",
        description=f"digits {', '.join(map(str, DIGITS))}, 28x28, tested rotated (seed {seed})",
        x_train=rotate_images(train, learned) if rotated else train,
        y_train=directions(learned),
        x_test=rotate_images(test, angles),
        y_test=directions(angles),
        task="vectors",
        target_type="1x1",
        default_epochs=6,
        default_batch_size=16,
    )


def moved(images, straight, scales=None, shifts=None):
    """Digits `(B, H, W, 1)` that do not lean, in the middle of their images, then scaled and shifted.

    Args:
        images: uint8.
        straight: False for those that stay as they are before they are scaled.
        scales, shifts: `(B, 2)`, along rows and columns; None for none.
    """
    ndimage = require("scipy.ndimage", "The oriented digits")
    found, middle = np.empty_like(images), (np.array(images.shape[1:3]) - 1) / 2
    scales = np.ones((len(images), 2)) if scales is None else scales
    shifts = np.zeros((len(images), 2)) if shifts is None else shifts
    for image, scale, shift, out in zip(images[..., 0].astype("float64"), scales, shifts, found, strict=True):
        center, lean = _moments(image) if straight else (middle, 0.0)
        # From a pixel of the result to one of the image: rows are scaled, and columns, which lean by rows, too.
        matrix = np.array([[1 / scale[0], 0], [lean / scale[0], 1 / scale[1]]])
        sampled = ndimage.affine_transform(image, matrix, center - matrix @ (middle + shift), order=3)
        out[..., 0] = np.rint(np.clip(sampled, 0, 255))
    return found


def _moments(image):
    """The center of brightness (row, column), and the columns by which a digit leans with each row."""
    rows, columns = np.indices(image.shape)
    center = np.array([(image * rows).sum(), (image * columns).sum()]) / image.sum()
    rows, columns = rows - center[0], columns - center[1]
    return center, (image * rows * columns).sum() / (image * rows**2).sum()
