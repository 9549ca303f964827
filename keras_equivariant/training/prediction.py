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


def model_of_images(model, preprocess=None):
    """The model with its preprocessing in front, for raw images: what `predict_volume` asks windows of."""
    return _OfImages(model, preprocess) if preprocess else model


class _OfImages:
    def __init__(self, model, preprocess):
        self.input_shape, self._model, self._preprocess = model.input_shape, model, preprocess

    def predict_on_batch(self, images):
        return self._model.predict_on_batch(self._preprocess(images))


def batch_of(images):
    """How many images of this size go in one batch of a prediction: 250 of MNIST's, fewer of larger ones."""
    return max(1, min(250, PIXELS // math.prod(images.shape[1:-1])))
