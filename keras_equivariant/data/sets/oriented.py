"""Digits that look somewhere: images with an angle as answer, upright to learn from, rotated to be tested on."""

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.rotation import rotate_images
from keras_equivariant.data.sets.digits import TRAIN_COUNT, enlarged
from keras_equivariant.data.vectors import directions

DIGITS = (3, 4, 7)  # no two of them are each other's rotations, and none is its own


def load_oriented_digits(seed=0, rotated=False):
    """The digits 3, 4 and 7 with the angle by which they are rotated, as a vector (cos, sin); uint8 (28, 28, 1).

    All training digits stand upright, at 0 degrees; each test digit is rotated counter-clockwise by a uniform random
    angle of its own, which its vector tells.

    Args:
        seed: of the angles.
        rotated: whether the training digits are rotated, too, as a network without the symmetry needs it.
    """
    images, labels = enlarged()
    rng, there = np.random.default_rng(seed), np.isin(labels, DIGITS)
    train, test = (images[part][there[part]] for part in (slice(TRAIN_COUNT), slice(TRAIN_COUNT, None)))
    angles = rng.uniform(0, 360, len(test))
    learned = rng.uniform(0, 360, len(train)) if rotated else np.zeros(len(train))
    return Dataset(
        name="oriented_digits",
        description=f"digits {', '.join(map(str, DIGITS))}, 28x28, tested rotated (seed {seed})",
        x_train=rotate_images(train, learned) if rotated else train,
        y_train=directions(learned),
        x_test=rotate_images(test, angles),
        y_test=directions(angles),
        task="vectors",
        target_type="1x1",
        default_epochs=15,
        default_batch_size=32,
    )
