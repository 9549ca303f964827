"""Stock Dense layers inside layers of this package, in the precision that they say."""

from keras import ops


def dense(layer, x):
    """layer(x) of a `keras.layers.Dense`; in float64 by `@`, since Keras rounds its product to float32 on torch."""
    if layer.compute_dtype != "float64":
        return layer(x)
    y = x @ ops.cast(layer.kernel, "float64")
    return layer.activation(y if layer.bias is None else y + ops.cast(layer.bias, "float64"))
