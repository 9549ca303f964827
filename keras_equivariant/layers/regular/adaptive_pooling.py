from __future__ import annotations

from typing import Any

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import DataFormat, GroupLike, Size, passed_on
from keras_equivariant.layers.core.resampling import SeparableResampling
from keras_equivariant.ops import resizing
from keras_equivariant.utils.checks import check_data_format, tuple_of


class AdaptivePooling(SeparableResampling):
    """Maximum or mean over as many windows as there shall be pixels, of any rank; subclasses set `linear`."""

    def __init__(
        self,
        output_size: Size = 1,
        data_format: DataFormat | None = None,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        check_data_format(data_format)
        self.output_size = tuple_of(output_size, self.rank, "output_size")

    def lengths(self, sizes):
        for size, length in zip(sizes, self.output_size, strict=True):
            if size is not None and size < length:
                raise ValueError(
                    f"A pooling cannot enlarge. Received: size {size}, output_size={self.output_size}; use "
                    f"Resizing{self.rank}D"
                )
        return self.output_size

    def window_arguments(self):
        return {"output_size": self.output_size}

    def windows(self, output_size):
        return tuple(resizing.Resampled(length, None, resizing.mean_matrix, enlarges=False) for length in output_size)

    def matrix(self, size, length):
        return resizing.mean_matrix(size, length)

    def compute(self, x):
        return super().compute(x) if self.linear else resizing.adaptive_max(x, self.output_size)


@register
class AdaptiveAveragePooling2D(AdaptivePooling):
    """Means over as many windows as there shall be pixels, for images, regular, harmonic and typed features.

    y(i, s) = mean of f(x, s) for floor(i n / m) <= x < ceil((i + 1) n / m), from n to m pixels along each axis

    Args:
        output_size: pixels m of each axis behind the layer; one number for both.
        data_format: `"channels_last"` only.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and is any symmetry
            where there is none.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, C)`, `(B, H, W, |group|, C)` or `(B, H, W, M+1, 2, C)`, of known H and W

    Output shape:
        The same with `output_size` for H and W

    Equivariance: exact for flips and quarter turns on every size, if both axes are treated alike.

    Raises:
        ValueError: unknown sizes, a larger size than the input's, axes that the group swaps and that are pooled
            differently.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.AdaptiveAveragePooling2D(3)(np.zeros((1, 7, 7, 8, 16), "float32")).shape
        TensorShape([1, 3, 3, 8, 16])

    Reference: as `torch.nn.AdaptiveAvgPool2d`.
    """


@register
class AdaptiveMaxPooling2D(AdaptivePooling):
    """Maxima over as many windows as there shall be pixels, for images, regular features and types that permute.

    y(i, s) = max of f(x, s) for floor(i n / m) <= x < ceil((i + 1) n / m), from n to m pixels along each axis

    Args:
        output_size, data_format, group, strict: as in `AdaptiveAveragePooling2D`.

    Input shape:
        `(B, H, W, C)` or `(B, H, W, |group|, C)`, of known H and W

    Output shape:
        The same with `output_size` for H and W

    Equivariance: exact for flips and quarter turns on every size, if both axes are treated alike.

    Raises:
        ValueError: as in `AdaptiveAveragePooling2D`; harmonic features.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.AdaptiveMaxPooling2D(2)(np.zeros((1, 7, 7, 3), "float32")).shape
        TensorShape([1, 2, 2, 3])

    Reference: as `torch.nn.AdaptiveMaxPool2d`.
    """

    linear = False


@register
class AdaptiveAveragePooling3D(AdaptivePooling):
    """Means over as many windows as there shall be voxels, for volumes and features over them.

    y(i, s) = mean of f(x, s) for floor(i n / m) <= x < ceil((i + 1) n / m), from n to m voxels along each axis

    Args:
        output_size, data_format, group, strict: as in `AdaptiveAveragePooling2D`.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`, of known sizes

    Output shape:
        The same with `output_size` for D, H and W

    Equivariance: exact for the rotations and reflections of the cube on every size, if all axes are treated alike.

    Raises:
        ValueError: as in `AdaptiveAveragePooling2D`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.AdaptiveAveragePooling3D(2)(np.zeros((1, 5, 5, 5, 3), "float32")).shape
        TensorShape([1, 2, 2, 2, 3])

    Reference: as `torch.nn.AdaptiveAvgPool3d`.
    """

    rank = 3


@register
class AdaptiveMaxPooling3D(AdaptivePooling):
    """Maxima over as many windows as there shall be voxels, for volumes and features that permute.

    y(i, s) = max of f(x, s) for floor(i n / m) <= x < ceil((i + 1) n / m), from n to m voxels along each axis

    Args:
        output_size, data_format, group, strict: as in `AdaptiveAveragePooling2D`.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`, of known sizes

    Output shape:
        The same with `output_size` for D, H and W

    Equivariance: exact for the rotations and reflections of the cube on every size, if all axes are treated alike.

    Raises:
        ValueError: as in `AdaptiveAveragePooling2D`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.AdaptiveMaxPooling3D(2)(np.zeros((1, 5, 5, 5, 3), "float32")).shape
        TensorShape([1, 2, 2, 2, 3])

    Reference: as `torch.nn.AdaptiveMaxPool3d`.
    """

    linear = False
    rank = 3
