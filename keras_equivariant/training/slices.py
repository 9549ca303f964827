"""A batch computed slice by slice, one after the other, forward and backward: the memory of one slice at a time."""

import keras

KNOWN = (keras.layers.Dense.__module__.split(".")[0], __name__.split(".")[0])  # Keras and this package


def treats_examples_alone(layer):
    """Whether what a layer makes of an example is known not to depend on the others of the batch, nor to add a loss.

    Batch normalisation and all else that keeps statistics, and layers of neither Keras nor this package, do not count.
    """
    if type(layer).__module__.split(".")[0] not in KNOWN:
        return False
    if isinstance(layer, keras.layers.ActivityRegularization | keras.layers.Wrapper | keras.Model):
        return False
    if getattr(layer, "activity_regularizer", None) is not None:
        return False
    return all(map(is_seed, layer.non_trainable_variables))


def is_seed(variable):
    """Whether a variable is the state of a generator of random numbers: its seed and a counter."""
    return "seed_generator" in variable.path


def slice_by_slice(function, inputs, like, slices):
    """The outputs of a batch, from `function(number of the slice, inputs of the slice)`.

    Args:
        function: gives a list of tensors.
        inputs: tensors `(batch, ...)`.
        like: symbolic tensors of the outputs' types and, but for the batch, shapes.
        slices: how many at most; where they do not divide the batch, its last example is computed more than once, and
            kept once.
    """
    batch = keras.ops.shape(inputs[0])[0]
    each = (batch + slices - 1) // slices
    count = (batch + each - 1) // each
    index = keras.ops.minimum(keras.ops.arange(count * each), batch - 1)
    cut = [keras.ops.reshape(keras.ops.take(x, index, axis=0), (count, each, *x.shape[1:])) for x in inputs]
    outputs = _in_turn(lambda slice: function(slice[0], slice[1:]), [keras.ops.arange(count), *cut], like)
    return [keras.ops.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in outputs]


def _in_turn(function, tensors, like):
    """`keras.ops.map`, which on TensorFlow may compute several slices at once."""
    if keras.backend.backend() != "tensorflow":
        return keras.ops.map(function, tensors)
    import tensorflow as tf

    types = [tf.TensorSpec((None, *y.shape[1:]), y.dtype) for y in like]
    return tf.map_fn(function, tensors, fn_output_signature=types, parallel_iterations=1)
