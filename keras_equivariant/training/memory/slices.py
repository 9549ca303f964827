"""A batch computed slice by slice, one after the other, forward and backward: the memory of one slice at a time."""

import keras

PACKAGE = __name__.split(".")[0]
L = keras.layers
# Of the stock layers those that have no option to work along the batch; `Lambda`, `Softmax` and operators could.
STOCK = (
    *(
        L.Conv1D,
        L.Conv2D,
        L.Conv3D,
        L.DepthwiseConv2D,
        L.SeparableConv2D,
        L.Conv2DTranspose,
        L.Conv3DTranspose,
        L.Dense,
    ),
    *(L.AveragePooling2D, L.AveragePooling3D, L.MaxPooling2D, L.MaxPooling3D),
    *(L.GlobalAveragePooling2D, L.GlobalAveragePooling3D, L.GlobalMaxPooling2D, L.GlobalMaxPooling3D),
    *(L.ZeroPadding2D, L.ZeroPadding3D, L.Cropping2D, L.Cropping3D, L.UpSampling2D, L.UpSampling3D),
    *(L.Dropout, L.SpatialDropout2D, L.SpatialDropout3D, L.GaussianNoise, L.GaussianDropout),
    *(L.Activation, L.ReLU, L.LeakyReLU, L.ELU, L.Rescaling, L.Flatten, L.Reshape, L.Add),
)


def treats_examples_alone(operation):
    """Whether what an operation makes of an example is known not to depend on the others of the batch, nor adds a loss.

    So it is of the stock layers above, and of this package's but for those with statistics, as batch normalisation.
    """
    own = isinstance(operation, keras.layers.Layer) and type(operation).__module__.split(".")[0] == PACKAGE
    if not own and type(operation) not in STOCK:
        return False
    if getattr(operation, "activity_regularizer", None) is not None:
        return False
    return all(map(is_seed, operation.non_trainable_variables))


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
    outputs = _in_turn(lambda part: function(part[0], part[1:]), [keras.ops.arange(count), *cut], like)
    return [keras.ops.reshape(y, (count * each, *y.shape[2:]))[:batch] for y in outputs]


def _in_turn(function, tensors, like):
    """`keras.ops.map`, which on TensorFlow may compute several slices at once."""
    if keras.backend.backend() != "tensorflow":
        return keras.ops.map(function, tensors)
    import tensorflow as tf

    types = [tf.TensorSpec((None, *y.shape[1:]), y.dtype) for y in like]
    return tf.map_fn(function, tensors, fn_output_signature=types, parallel_iterations=1)
