"""Sums in graphs of Keras tensors broadcast as NumPy does."""

import keras
import numpy as np
import pytest

from keras_equivariant.ops.sums import plus

SHAPES = [((1, 6, 1), (1, 1, 6)), ((1, 6, 1), (1, 6, 1)), ((1, 6, 6), (1, 6, 1)), ((1, 6), (1, 6)), ((1, 1), (1, 6))]


def summed(function, one, other):
    inputs = [keras.Input(batch_shape=x.shape) for x in (one, other)]
    return keras.ops.convert_to_numpy(keras.Model(inputs, function(*inputs))([one, other]))


@pytest.mark.parametrize("shapes", SHAPES)
def test_every_pair_of_shapes(shapes):
    one, other = (np.random.default_rng(0).normal(size=shape).astype("float32") for shape in shapes)
    np.testing.assert_array_equal(summed(plus, one, other), one + other)


@pytest.mark.tensorflow
def test_the_sum_of_keras_takes_some_terms_for_a_bias():
    one, other = (np.random.default_rng(0).normal(size=shape).astype("float32") for shape in SHAPES[0])
    assert summed(keras.ops.add, one, other).shape != (one + other).shape
