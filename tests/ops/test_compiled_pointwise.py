"""Compiled functions whose gradient keeps their arguments alone have the gradients of the plain functions."""

import numpy as np
import pytest

from keras_equivariant.ops.compiled import compiled_pointwise

pytestmark = pytest.mark.tensorflow


def plain(x, bias):
    return x[..., :2] * x[..., 2:] ** 2 + bias


def test_first_and_second_gradients_are_those_of_the_plain_function():
    import tensorflow as tf

    rng = np.random.default_rng(0)
    x, bias = tf.constant(rng.normal(size=(5, 4))), tf.constant(rng.normal(size=2))
    found = []
    for function in (plain, compiled_pointwise(plain)):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch([x, bias])
                y = tf.sin(function(x, bias))
            by_x, by_bias = inner.gradient(y, [x, bias])
            energy = tf.reduce_sum(by_x**2)
        found.append([value.numpy() for value in (y, by_x, by_bias, outer.gradient(energy, x))])
    for mine, its in zip(*found, strict=True):
        assert np.abs(its).max() > 0.1
        np.testing.assert_allclose(mine, its, rtol=1e-10, atol=1e-12)
