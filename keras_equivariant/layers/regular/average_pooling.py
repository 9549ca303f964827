from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.window_pooling import WindowPooling


@register
class AveragePooling2D(WindowPooling):
    """Mean over windows of the plane, on images, regular and harmonic features alike.

    y(x, s) = mean of f(p, s) over the pixels p of the window at x

    With `antialias=True` the window moves by one pixel and a binomial blur follows before every stride-th pixel is
    kept, so that the result changes little when the input shifts or rotates by less than a stride.

    Args:
        pool_size, strides, padding: as in `keras.layers.AveragePooling2D`.
        data_format: `"channels_last"` only.
        antialias: blur before subsampling; with strides above 1 the input's size must be known.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and where there is
            none checks the sizes for all flips and quarter turns.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, C)`, `(B, H, W, |group|, C)` or `(B, H, W, M+1, 2, C)`

    Output shape:
        `(B, H', W', C)`, `(B, H', W', |group|, C)` or `(B, H', W', M+1, 2, C)`

    Equivariance: exact for flips and quarter turns on sizes that the windows cover symmetrically, e.g. an even size
    for windows of 2; other sizes raise.

    Raises:
        ValueError: sizes that break the exact symmetry, wrong rank, a window larger than the input, `antialias` on
            an unknown size.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.AveragePooling2D(2)(np.zeros((1, 28, 28, 8, 16), "float32")).shape
        TensorShape([1, 14, 14, 8, 16])

    Reference: antialiasing: Zhang, arXiv 1904.11486.
    """

    mode = "average"


@register
class AveragePooling3D(WindowPooling):
    """Mean over windows of space, on volumes and on regular features alike.

    y(x, s) = mean of f(p, s) over the voxels p of the window at x

    Args:
        pool_size, strides, padding: as in `keras.layers.AveragePooling3D`.
        data_format: `"channels_last"` only.
        antialias: blur before subsampling, as in `AveragePooling2D`.
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
        >>> ke.layers.AveragePooling3D(2)(np.zeros((1, 8, 8, 8, 24, 4), "float32")).shape
        TensorShape([1, 4, 4, 4, 24, 4])

    Reference: Weiler et al., 3D Steerable CNNs, arXiv 1807.02547, section 4.3 (pooling against aliasing).
    """

    mode = "average"
    rank = 3
