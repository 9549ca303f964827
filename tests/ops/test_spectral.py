"""1x1 group convolutions in blocks against the dense matrix, with gradients, compiled and not."""

import keras
import numpy as np
import pytest

from keras_equivariant.groups import get
from keras_equivariant.kernels import fast_fourier
from keras_equivariant.ops.spectral import convolve_pointwise


def inputs(order):
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 3, order, 4)), rng.normal(size=(order, 4, 5))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["C1", "D4", "C8", "T", "O"])
def test_blocks_are_the_group_convolution(name, training):
    group = get(name)
    x, kernel = inputs(group.order)
    relative = group.cayley[group.inverses]  # s'^-1 s
    expected = np.einsum("bnsc,tscf->bntf", x, kernel[relative])
    tensors = [keras.ops.convert_to_tensor(value, dtype="float64") for value in (x, kernel)]
    found = keras.ops.convert_to_numpy(convolve_pointwise(*tensors, fast_fourier(group), training))
    assert np.abs(found - expected).max() <= 1e-12 * np.abs(expected).max()


@pytest.mark.tensorflow
def test_gradients_of_compiled_transforms_are_those_of_the_dense_matrix():
    import tensorflow as tf

    group = get("D4")
    x, kernel = map(tf.constant, inputs(group.order))
    relative = group.cayley[group.inverses]
    found = []
    for blocks in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            if blocks:
                y = convolve_pointwise(x, kernel, fast_fourier(group), training=True)
            else:
                y = tf.einsum("bnsc,tscf->bntf", x, tf.gather(kernel, relative))
            loss = tf.reduce_sum(tf.sin(y))
        found.append([tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, [x, kernel])])
    for ours, dense in zip(*found, strict=True):
        np.testing.assert_allclose(ours, dense, atol=1e-12)
