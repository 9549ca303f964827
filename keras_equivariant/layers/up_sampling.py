import keras
from keras import ops as kops

from keras_equivariant.layers.base import check_data_format, register, tuple_of
from keras_equivariant.layers.planar_pooling import PixelwiseLayer
from keras_equivariant.ops import pooling

INTERPOLATIONS = ("nearest", "bilinear")


@register
class UpSampling2D(PixelwiseLayer):
    """Enlarges images, regular and harmonic features by integer factors.

    nearest: y(x, s) = f(floor(x / size), s); bilinear: the mixture of the four nearest pixel centres.

    Args:
        size: integer factor, or one per axis.
        data_format: `"channels_last"` only.
        interpolation: `"nearest"` or `"bilinear"`.
        group: symmetry of the input; None for any.

    Input shape:
        `(B, H, W, C)`, `(B, H, W, |group|, C)` or `(B, H, W, M+1, 2, C)`

    Output shape:
        `(B, size H, size W, C)`, `(B, size H, size W, |group|, C)` or `(B, size H, size W, M+1, 2, C)`

    Equivariance: exact for flips and quarter turns on every size, if both factors are equal; otherwise for the flips.

    Raises:
        ValueError: factors that differ on a group with quarter turns, unknown interpolation, wrong rank.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.UpSampling2D(2)(np.zeros((1, 14, 14, 8, 16), "float32")).shape
        TensorShape([1, 28, 28, 8, 16])

    Reference: as `keras.layers.UpSampling2D`.
    """

    def __init__(self, size=2, data_format=None, interpolation="nearest", group=None, strict=True, **kwargs):
        super().__init__(group=group, strict=strict, **kwargs)
        check_data_format(data_format)
        self.size = tuple_of(size, self.rank, "size")
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"`interpolation` must be one of {INTERPOLATIONS}. Received: interpolation={interpolation!r}"
            )
        self.interpolation = interpolation

    def compute(self, x):
        if self.interpolation == "bilinear":
            return pooling.upsample_linear(x, self.size)
        for axis, factor in enumerate(self.size, start=1):
            x = kops.repeat(x, factor, axis=axis)
        return x

    def sizes_after(self, sizes):
        return [None if n is None else n * factor for n, factor in zip(sizes, self.size, strict=True)]

    def symmetry_problems(self, input_shape):
        if len(set(self.size)) == 1 or (self.group is not None and not self.group.swaps_axes):
            return []
        return [
            f"a quarter turn swaps the axes, which grow by different factors, size={self.size}; use "
            f"size={max(self.size)}, or a group without quarter turns such as C2 or D2"
        ]

    def fold(self, input_shape):
        return [(keras.layers.UpSampling2D(self.size, interpolation=self.interpolation, name=self.name), [])]

    def get_config(self):
        return {**super().get_config(), "size": list(self.size), "interpolation": self.interpolation}
