"""Training compiled by XLA gives the numbers of training without, whose gradients are dense."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


class DenseAdam(keras.optimizers.Adam):
    """Adam that refuses gradients of rows, which XLA does not know."""

    def apply(self, grads, trainable_variables=None):
        import tensorflow as tf

        assert not any(isinstance(gradient, tf.IndexedSlices) for gradient in grads)
        return super().apply(grads, trainable_variables)


def trained(model, x, y, **options):
    # By Adam, a gradient that vanishes but for rounding moves a weight as far as any other: hence epsilon.
    model.compile(DenseAdam(epsilon=1e-3), "mse", **options)
    model.optimizer.build(model.trainable_variables)  # else the step is traced twice
    losses = [float(model.train_on_batch(x, y)) for _ in range(2)]
    return losses, model.get_weights()


def test_jit_compile_trains_alike(case, network, sample):
    x = sample(case)
    plain, jitted = network(case), network(case)
    y = np.random.default_rng(0).normal(size=(2, *plain.output_shape[1:])).astype("float32")
    losses, weights = trained(plain, x, y, run_eagerly=True)
    jit_losses, jit_weights = trained(jitted, x, y, jit_compile=True)
    if case.random:
        assert np.isfinite(jit_losses).all()
        return
    np.testing.assert_allclose(jit_losses, losses, rtol=1e-5)
    for jit_weight, weight in zip(jit_weights, weights, strict=True):
        np.testing.assert_allclose(jit_weight, weight, rtol=1e-4, atol=1e-5)
