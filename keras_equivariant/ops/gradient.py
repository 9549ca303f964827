"""Exact gradients on every backend: forces from energies, inside a network that is trained."""

import keras
from keras import ops

from keras_equivariant.ops import portable_gradient


def gradient(function, x):
    """The gradient of sum(function(x)) with respect to x, itself differentiable.

    Args:
        function: of a tensor, or of a list of tensors, in `keras.ops` and Keras layers.
        x: a tensor, or a list of tensors; what one of them does not change has the gradient 0.
    """
    if isinstance(x, list) and not x:
        return []
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.nest.map_structure(tf.convert_to_tensor, x)
        if portable_gradient.wanted() and not tf.executing_eagerly():
            several = isinstance(x, list)
            slopes = portable_gradient.gradients(lambda xs: function(xs if several else xs[0]), x if several else [x])
            return slopes if several else slopes[0]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            total = ops.sum(function(x))
        slopes = tape.gradient(total, x, unconnected_gradients="zero")
        return tf.nest.map_structure(tf.convert_to_tensor, slopes)
    if backend == "jax":
        import jax

        return jax.grad(lambda x: ops.sum(function(x)))(x)
    if backend == "torch":
        import torch

        with torch.enable_grad():
            several = isinstance(x, list)
            given = [y if y.requires_grad else y.detach().requires_grad_() for y in (x if several else [x])]
            total = ops.sum(function(given if several else given[0]))
            slopes = torch.autograd.grad(total, given, create_graph=True, materialize_grads=True)
            return list(slopes) if several else slopes[0]
    raise NotImplementedError(
        f'Gradients need the backend "tensorflow", "jax" or "torch". Received: "{backend}"; set KERAS_BACKEND'
    )
