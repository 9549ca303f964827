"""The one backend switch: functions that TensorFlow compiles with XLA, what their gradients keep, and the device."""

import functools

import keras


def compiled(function):
    """XLA-compiles a function of tensors on the TensorFlow backend; elsewhere returns it unchanged.

    For arithmetic that fuses well, such as normalization with a nonlinearity: one pass over memory instead of one per
    operation. JAX compiles whole training steps itself. Each new shape is compiled anew.

    Call it only while training: TensorFlow Serving and other consumers of exported graphs refuse compiled
    functions, and models are exported with `training=False`.
    """

    @functools.cache
    def build(backend):
        if backend != "tensorflow":
            return function
        import tensorflow as tf

        compiled_function = tf.function(function, jit_compile=True, reduce_retracing=False)
        # A function traced inside another takes no Keras variables, only tensors.
        return lambda *tensors: compiled_function(*map(tf.convert_to_tensor, tensors))

    @functools.wraps(function)
    def call(*tensors):
        return build(keras.backend.backend())(*tensors)

    return call


def compiled_pointwise(function):
    """`compiled`, and the gradient keeps the arguments alone: what lies between is computed again in it.

    For functions of one result that are mostly pointwise. Left to TensorFlow, the compiled forward pass writes every
    intermediate result that its gradient reads, several times the size of the arguments, one by one.
    """

    @functools.cache
    def build(backend):
        if backend != "tensorflow":
            return function
        import tensorflow as tf

        def differentiate(upstream, *tensors):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(tensors)
                y = function(*tensors)
            return tape.gradient(y, tensors, upstream, unconnected_gradients="zero")

        forward, backward = (
            tf.function(each, jit_compile=True, reduce_retracing=False) for each in (function, differentiate)
        )

        @tf.custom_gradient
        def differentiable(*tensors):
            return forward(*tensors), lambda upstream: backward(upstream, *tensors)

        return lambda *tensors: differentiable(*map(tf.convert_to_tensor, tensors))

    @functools.wraps(function)
    def call(*tensors):
        return build(keras.backend.backend())(*tensors)

    return call


def fuses():
    """Whether the backend makes one loop of what `compiled` compiles, or of a whole compiled step."""
    return keras.backend.backend() in ("jax", "tensorflow")


@functools.cache
def on_accelerator():
    """Whether the backend computes on something else than a CPU, such as a GPU."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return any("CPU" not in device.device_type for device in tf.config.list_physical_devices())
    if backend == "jax":
        import jax

        return jax.default_backend() != "cpu"
    if backend == "torch":
        import torch

        return torch.cuda.is_available()
    return False


def groups_pay():
    """Whether the backend's grouped convolution is faster than dense ones with zeros in the kernel.

    On CPUs TensorFlow's has no gradient but that of XLA, which takes 57 times as long as one dense convolution of the
    128 channels of 16 fields of D4 (a training step of 3x3, 16x16 pixels, batch 16).
    """
    return keras.backend.backend() != "tensorflow" or on_accelerator()
