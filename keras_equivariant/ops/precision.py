"""In which precision numbers are computed."""

import contextlib

import keras
from keras import ops


@contextlib.contextmanager
def float64_kept():
    """Within it JAX keeps float64, which it else rounds to float32; the other backends always do."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    if hasattr(jax, "enable_x64"):
        scope = jax.enable_x64(True)
    else:  # older ones have it there
        from jax.experimental import enable_x64

        scope = enable_x64()
    with scope:
        yield


def at_least_float32(x):
    """The tensor in float32 at least: sums and squares of half precision lose digits, and overflow."""
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x
