"""Training a network by its recipe, testing it at all angles, and keeping everything about a run in one folder."""

from keras_equivariant.training.evaluation import accuracy, accuracy_by_angle
from keras_equivariant.training.learned import learn_basis
from keras_equivariant.training.run import TrainResult, train
from keras_equivariant.training.segmentation import pixel_scores

__all__ = ["TrainResult", "accuracy", "accuracy_by_angle", "learn_basis", "pixel_scores", "train"]
