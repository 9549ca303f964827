"""Out of training, into service: models of stock Keras layers, SavedModels and .tflite files, each verified."""

from keras_equivariant.export.fold import fold

__all__ = ["fold"]
