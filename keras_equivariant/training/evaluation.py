"""Accuracy of a classifier, upright and at all angles."""

import numpy as np

from keras_equivariant.data import rotate_images
from keras_equivariant.training.task import predict


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
    """Accuracy on images turned counter-clockwise by each angle (degrees): `{angle: accuracy}`.

    The images are turned by cubic-spline interpolation (quarter turns exactly) before any preprocessing.
    """
    return {
        float(angle): accuracy(model, rotate_images(images, angle), labels, preprocess, batch_size) for angle in angles
    }
