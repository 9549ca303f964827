"""Learning a basis of filters."""

from keras_equivariant.training.bases.learn import learn_basis

__all__ = ["learn_basis"]
