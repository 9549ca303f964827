"""Training compiled by XLA gives the numbers of training without."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def trained(model, x, y, jit_compile):
    # By Adam, a gradient that vanishes but for rounding moves a weight as far as any other: hence epsilon.
    model.compile(keras.optimizers.Adam(epsilon=1e-3), "mse", jit_compile=jit_compile)
    losses = [float(model.train_on_batch(x, y)) for _ in range(2)]
    return losses, model.get_weights()


def test_jit_compile_trains_alike(case, network, sample):
    x = sample(case)
    plain, jitted = network(case), network(case)
    jitted.set_weights(plain.get_weights())
    y = np.random.default_rng(0).normal(size=(2, *plain.output_shape[1:])).astype("float32")
    losses, weights = trained(plain, x, y, jit_compile=False)
    jit_losses, jit_weights = trained(jitted, x, y, jit_compile=True)
    if case.random:
        assert np.isfinite(jit_losses).all()
        return
    np.testing.assert_allclose(jit_losses, losses, rtol=1e-5)
    for jit_weight, weight in zip(jit_weights, weights, strict=True):
        np.testing.assert_allclose(jit_weight, weight, rtol=1e-4, atol=1e-5)


def test_gradients_are_dense(case, network, sample):
    import tensorflow as tf

    model = network(case)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(sample(case), training=True)))
    for gradient in tape.gradient(loss, [w.value for w in model.trainable_weights]):
        assert not isinstance(gradient, tf.IndexedSlices)
