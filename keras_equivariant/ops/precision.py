"""In which precision numbers are computed."""

import keras
from keras import ops


def at_least_float32(x):
    """The tensor in float32 at least: sums and squares of half precision lose digits, and overflow."""
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x
