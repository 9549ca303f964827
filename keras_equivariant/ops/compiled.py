"""The one backend switch: functions that TensorFlow compiles with XLA."""

import functools

import keras


def compiled(function):
    """XLA-compiles a function of tensors on the TensorFlow backend; elsewhere returns it unchanged.

    For arithmetic that fuses well, such as normalisation with a nonlinearity: one pass over memory instead of one per
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
