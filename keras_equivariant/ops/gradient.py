"""Exact gradients on every backend: forces from energies, inside a network that is trained."""

import keras
from keras import ops


def gradient(function, x):
    """The gradient of sum(function(x)) with respect to x, itself differentiable.

    Args:
        function: of a tensor, in `keras.ops` and Keras layers.
        x: a tensor.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = ops.sum(function(x))
        return tf.convert_to_tensor(tape.gradient(total, x))
    if backend == "jax":
        import jax

        return jax.grad(lambda x: ops.sum(function(x)))(x)
    if backend == "torch":
        import torch

        with torch.enable_grad():
            x = x if x.requires_grad else x.detach().requires_grad_()
            return torch.autograd.grad(ops.sum(function(x)), x, create_graph=True)[0]
    raise NotImplementedError(
        f'Gradients need the backend "tensorflow", "jax" or "torch". Received: "{backend}"; set KERAS_BACKEND'
    )
