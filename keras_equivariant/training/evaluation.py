"""Accuracy of a classifier, upright and at all angles."""

import numpy as np

from keras_equivariant import groups
from keras_equivariant.data import rotate_images, rotate_volumes
from keras_equivariant.training.prediction import predict


def accuracy(model, images, labels, preprocess=None, batch_size=None):
    """The fraction of `images` whose largest logit is at their label.

    Args:
        model: A Keras model (B, H, W, C) -> (B, classes).
        images, labels: Arrays `(N, H, W, C)` and `(N,)`.
        preprocess: A fitted `Preprocess`, applied to the images first.
        batch_size: Images in one prediction; default: 250, fewer where they are large.
    """
    logits = predict(model, images, preprocess, batch_size)
    return float(np.mean(np.argmax(logits, axis=-1) == labels))


def angles_of(step):
    """The angles 0, step, 2 step, … below 360 degrees."""
    if not 0 < step <= 360:
        raise ValueError(f"The step between angles must be in (0, 360] degrees. Received: {step}. Use 15, say.")
    return tuple(float(a) for a in np.arange(0, 360, step))


def accuracy_by_angle(model, images, labels, angles, preprocess=None, batch_size=None):
    """Accuracy on images rotated counter-clockwise by each angle (degrees): `{angle: accuracy}`; volumes rotate about
    the last axis, from the first towards the second.

    The images are rotated by cubic-spline interpolation (quarter turns exactly) before any preprocessing.
    """
    return {
        float(angle): accuracy(model, rotate_images(images, angle), labels, preprocess, batch_size) for angle in angles
    }


def accuracy_by_rotation(model, volumes, labels, preprocess=None, batch_size=None):
    """Accuracy on volumes rotated by each of the 24 rotations of the cube, which move voxels onto voxels:
    `{name of the element of "O": accuracy}`.

    Raises:
        ValueError: Volumes that are no cubes.
    """
    cube = groups.get("O")
    if not groups.grid.keeps_shape(cube, volumes.shape[1:4]):
        raise ValueError(
            f"The rotations of the cube move cubes only. Received: volumes of shape {volumes.shape[1:]}. Pad them to "
            "one size."
        )
    return {
        name: accuracy(model, groups.act(volumes, cube, e, "image"), labels, preprocess, batch_size)
        for e, name in enumerate(cube.element_names)
    }


def accuracy_at_random(model, volumes, labels, preprocess=None, batch_size=None, seed=0):
    """Accuracy on volumes of which each is rotated by a rotation of its own, uniform over all of them."""
    rotated = rotate_volumes(volumes, seed=seed)
    return accuracy(model, rotated, labels, preprocess, batch_size)
