from __future__ import annotations

from typing import Any, Literal

from keras import ops as kops

from keras_equivariant.layers.core.base import register, stock
from keras_equivariant.layers.core.options import DataFormat, GroupLike, Size, passed_on
from keras_equivariant.layers.core.window_pooling import PixelwiseLayer
from keras_equivariant.ops import pooling
from keras_equivariant.ops.windows import Scaling
from keras_equivariant.utils.checks import check_data_format, tuple_of

LINEAR = {2: "bilinear", 3: "trilinear"}


class UpSampling(PixelwiseLayer):
    """Enlarges any rank of space by integer factors; not a layer of its own."""

    def __init__(
        self,
        size: Size = 2,
        data_format: DataFormat | None = None,
        interpolation: Literal["nearest", "bilinear", "trilinear"] = "nearest",
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        check_data_format(data_format)
        self.size = tuple_of(size, self.rank, "size")
        choices = ("nearest", LINEAR[self.rank])
        if interpolation not in choices:
            raise ValueError(f"`interpolation` must be one of {choices}. Received: interpolation={interpolation!r}")
        self.interpolation = interpolation

    def compute(self, x):
        if self.interpolation != "nearest":
            return pooling.upsample_linear(x, self.size)
        for axis, factor in enumerate(self.size, start=1):
            x = kops.repeat(x, factor, axis=axis)
        return x

    def sizes_after(self, sizes):
        return [None if n is None else n * factor for n, factor in zip(sizes, self.size, strict=True)]

    def window_arguments(self):
        return {"size": self.size}

    def windows(self, size):
        return tuple(map(Scaling, size))

    def fold(self, input_shape):
        if self.rank == 2:
            return [(stock("UpSampling", 2)(self.size, interpolation=self.interpolation, name=self.name), [])]
        if self.interpolation == "nearest":
            return [(stock("UpSampling", 3)(self.size, name=self.name), [])]
        if None in input_shape[1:4]:
            raise ValueError(
                f'UpSampling3D "{self.name}" with interpolation="trilinear" folds on known sizes only. Received: '
                f'input_shape={input_shape}; give the model a fixed input shape, or use interpolation="nearest"'
            )
        return [(self.compute, [])]


@register
class UpSampling2D(UpSampling):
    """Enlarges images, regular and harmonic features by integer factors.

    nearest: y(x, s) = f(floor(x / size), s); bilinear: the mixture of the four nearest pixel centers.

    Args:
        size: integer factor, or one per axis.
        data_format: `"channels_last"` only.
        interpolation: `"nearest"` or `"bilinear"`.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and is any symmetry
            where there is none.
        strict: raise where the factors break the exact symmetry; with False warn once.

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


@register
class UpSampling3D(UpSampling):
    """Enlarges volumes and regular features over them by integer factors.

    nearest: y(x, s) = f(floor(x / size), s); trilinear: the mixture of the eight nearest voxel centers.

    Args:
        size: integer factor, or one per axis.
        data_format: `"channels_last"` only.
        interpolation: `"nearest"` or `"trilinear"`.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and is any symmetry
            where there is none.
        strict: raise where the factors break the exact symmetry; with False warn once.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`

    Output shape:
        `(B, size D, size H, size W, C)` or `(B, size D, size H, size W, |group|, C)`

    Equivariance: exact for the rotations and reflections of the cube on every size, if all factors are equal; else for
    those that do not swap axes of different factors.

    Raises:
        ValueError: factors that differ on axes that the group swaps, unknown interpolation, wrong rank.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.UpSampling3D(2)(np.zeros((1, 7, 7, 7, 24, 4), "float32")).shape
        TensorShape([1, 14, 14, 14, 24, 4])

    Reference: as `keras.layers.UpSampling3D`.
    """

    rank = 3
