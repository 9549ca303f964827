"""A batch computed slice by slice, one after the other, forward and backward: the memory of one slice at a time."""

import keras


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
    # What is before a reshape gets a gradient of all rows; that of chosen ones alone is none that TensorFlow adds up.
    whole = [keras.ops.reshape(x, (batch, *x.shape[1:])) for x in inputs]
    cut = [keras.ops.reshape(keras.ops.take(x, index, axis=0), (count, each, *x.shape[1:])) for x in whole]
    outputs = _in_turn(lambda part: function(part[0], part[1:]), [keras.ops.arange(count), *cut], like)
    return [keras.ops.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in outputs]


def _in_turn(function, tensors, like):
    """`keras.ops.map`, which on TensorFlow may compute several slices at once."""
    if keras.backend.backend() != "tensorflow":
        return keras.ops.map(function, tensors)
    import tensorflow as tf

    types = [tf.TensorSpec((None, *y.shape[1:]), y.dtype) for y in like]
    return tf.map_fn(function, tensors, fn_output_signature=types, parallel_iterations=1)
