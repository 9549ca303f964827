from __future__ import annotations

from typing import Any

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import DataFormat, GroupLike, Padding, Size, passed_on
from keras_equivariant.layers.core.window_pooling import PixelwiseLayer, Windows
from keras_equivariant.ops import pooling
from keras_equivariant.ops.windows import Sliding
from keras_equivariant.utils.checks import tuple_of

LARGEST_SIGMA = 100  # whose window has 601 pixels to a side; it is made whole


class GaussianBlur(Windows, PixelwiseLayer):
    """A fixed Gaussian filter of every channel, of any rank; not a layer of its own."""

    def __init__(
        self,
        sigma: float = 0.66,
        kernel_size: Size | None = None,
        strides: Size = 1,
        padding: Padding = "same",
        data_format: DataFormat | None = None,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if isinstance(sigma, bool) or not isinstance(sigma, (int, float)) or not 0 < sigma <= LARGEST_SIGMA:
            raise ValueError(
                f"`sigma` must be a number of pixels above 0, at most {LARGEST_SIGMA}. Received: sigma={sigma!r}; use "
                "e.g. 0.66, or make the input smaller first"
            )
        self.sigma = float(sigma)
        size = 2 * round(3 * sigma) + 1 if kernel_size is None else kernel_size
        self._set_windows(size, strides, padding, data_format)
        self.kernel_size = None if kernel_size is None else tuple_of(kernel_size, self.rank, "kernel_size")

    def compute(self, x):
        return pooling.gaussian_blur(x, self.sigma, self.pool_size, self.strides, self.padding)

    def window_arguments(self):
        return {"kernel_size": self.pool_size, "strides": self.strides, "padding": self.padding}

    def windows(self, kernel_size, strides, padding):
        sliding = zip(kernel_size, strides, strict=True)
        return tuple(Sliding(size, stride, padding=padding, even=True) for size, stride in sliding)

    def fold(self, input_shape):
        return [(self.compute, [])]


@register
class GaussianBlur2D(GaussianBlur):
    """Blurs by a fixed Gaussian, then keeps every stride-th pixel: subsampling that changes little under small shifts.

    y(x, s) = sum over offsets o of w(o) f(x + o, s),   w(o) = exp(-|o|^2 / (2 sigma^2)), of sum 1

    Args:
        sigma: width of the Gaussian, in pixels.
        kernel_size: size of the window; None for 2 round(3 sigma) + 1.
        strides: step of the window; an integer or two.
        padding: `"same"`, with zeros outside, or `"valid"`.
        data_format: `"channels_last"` only.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and where there is
            none checks the sizes for all flips and quarter turns.
        strict: raise where the sizes break the exact symmetry; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, H, W, C)`, `(B, H, W, |group|, C)` or `(B, H, W, M+1, 2, C)`

    Output shape:
        The same with H' and W', as of a convolution.

    Equivariance: exact for flips and quarter turns on sizes that the windows cover symmetrically, e.g. an odd size for
    strides of 2; other sizes raise.

    Raises:
        ValueError: sizes that break the exact symmetry, wrong rank, a `sigma` that is not positive.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.GaussianBlur2D(0.66, strides=2)(np.zeros((1, 29, 29, 8, 16), "float32")).shape
        TensorShape([1, 15, 15, 8, 16])

    Reference: Zhang, arXiv 1904.11486; escnn's PointwiseAvgPoolAntialiased2D.
    """


@register
class GaussianBlur3D(GaussianBlur):
    """Blurs volumes by a fixed Gaussian, then keeps every stride-th voxel.

    y(x, s) = sum over offsets o of w(o) f(x + o, s),   w(o) = exp(-|o|^2 / (2 sigma^2)), of sum 1

    Args:
        sigma, kernel_size, strides, padding, data_format, strict: as in `GaussianBlur2D`.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and where there is
            none checks the sizes for all rotations and reflections of the cube.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`

    Output shape:
        The same with D', H' and W', as of a convolution.

    Equivariance: exact for the group's elements that map the voxels onto themselves, on sizes that the windows cover
    symmetrically; other sizes raise.

    Raises:
        ValueError: as in `GaussianBlur2D`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.GaussianBlur3D(0.33, strides=2)(np.zeros((1, 5, 5, 5, 4), "float32")).shape
        TensorShape([1, 3, 3, 3, 4])

    Reference: Zhang, arXiv 1904.11486; escnn's PointwiseAvgPoolAntialiased3D.
    """

    rank = 3
