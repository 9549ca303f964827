from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.window_pooling import WindowPooling


@register
class MaxPooling2D(WindowPooling):
    """Maximum over windows of the plane, on images and on regular features alike.

    y(x, s) = max of f(p, s) over the pixels p of the window at x

    With `antialias=True` the window moves by one pixel and a binomial blur follows before every stride-th pixel is
    kept, so that the result changes little when the input shifts or rotates by less than a stride.

    Args:
        pool_size, strides, padding: as in `keras.layers.MaxPooling2D`.
        data_format: `"channels_last"` only.
        antialias: blur before subsampling; with strides above 1 the input's size must be known.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and where there is
            none checks the sizes for all flips and quarter turns.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, C)` or `(B, H, W, |group|, C)`

    Output shape:
        `(B, H', W', C)` or `(B, H', W', |group|, C)`

    Equivariance: exact for flips and quarter turns on sizes that the windows cover symmetrically, e.g. an even size
    for windows of 2; other sizes raise.

    Raises:
        ValueError: sizes that break the exact symmetry, wrong rank, a window larger than the input, `antialias` on
            an unknown size.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.MaxPooling2D(2)(np.zeros((1, 28, 28, 8, 16), "float32")).shape
        TensorShape([1, 14, 14, 8, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.3; antialiasing: Zhang, arXiv 1904.11486.
    """

    mode = "max"


@register
class MaxPooling3D(WindowPooling):
    """Maximum over windows of space, on volumes and on regular features alike.

    y(x, s) = max of f(p, s) over the voxels p of the window at x

    Args:
        pool_size, strides, padding: as in `keras.layers.MaxPooling3D`.
        data_format: `"channels_last"` only.
        antialias: blur before subsampling, as in `MaxPooling2D`.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and where there is
            none checks the sizes for all rotations and reflections of the cube.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`

    Output shape:
        `(B, D', H', W', C)` or `(B, D', H', W', |group|, C)`

    Equivariance: exact for the rotations and reflections of the cube on sizes that the windows cover symmetrically,
    e.g. an even size for windows of 2; other sizes raise.

    Raises:
        ValueError: sizes that break the exact symmetry, wrong rank, a window larger than the input, `antialias` on
            an unknown size.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.MaxPooling3D(2)(np.zeros((1, 8, 8, 8, 24, 4), "float32")).shape
        TensorShape([1, 4, 4, 4, 24, 4])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.3; antialiasing: Zhang, arXiv 1904.11486.
    """

    mode = "max"
    rank = 3
