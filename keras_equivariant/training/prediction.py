"""The outputs of a network for raw images, in batches of bounded size."""

import math

import keras
import numpy as np

from keras_equivariant.data import Preprocess, evaluation_pipeline

PIXELS = 250 * 28 * 28  # of one batch of a prediction


def predict(model, images, preprocess=None, batch_size=None):
    """The outputs of `model` for raw images, or `Rows`, as float32; batches have one shape and a bounded number "
    "of pixels."""
    images = (preprocess or Preprocess())(images)
    batches = evaluation_pipeline(images, batch_size=batch_size or batch_of(images), fixed=True)
    found = model.predict(batches, verbose=0)
    return keras.tree.map_structure(lambda array: np.asarray(array[: len(images)], "float32"), found)


def batch_of(images):
    """How many images of this size go in one batch of a prediction: 250 of MNIST's, fewer of larger ones."""
    return max(1, min(250, PIXELS // math.prod(images.shape[1:-1])))
