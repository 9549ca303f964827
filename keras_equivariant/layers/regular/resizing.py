from __future__ import annotations

import fractions
import functools
import math
from typing import Any, Literal

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import DataFormat, GroupLike, Size, passed_on
from keras_equivariant.layers.core.resampling import SeparableResampling
from keras_equivariant.layers.regular.up_sampling import LINEAR
from keras_equivariant.ops import resizing
from keras_equivariant.utils.checks import check_data_format, tuple_of


class Resizing(SeparableResampling):
    """Resamples any rank of space to a size or by a factor; not a layer of its own."""

    def __init__(
        self,
        output_size: Size | None = None,
        factor: float | None = None,
        interpolation: Literal["bilinear", "trilinear", "bicubic"] | None = None,
        align_corners: bool = False,
        data_format: DataFormat | None = None,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        check_data_format(data_format)
        if (output_size is None) == (factor is None):
            raise ValueError(
                f"{type(self).__name__} takes `output_size` or `factor`. Received: output_size={output_size}, "
                f"factor={factor}; give one of them"
            )
        self.output_size = None if output_size is None else tuple_of(output_size, self.rank, "output_size")
        if factor is not None and not (0 < factor < math.inf):
            raise ValueError(f"`factor` must be a positive number. Received: factor={factor}")
        self.factor = None if factor is None else float(factor)
        choices = (LINEAR[self.rank], *(("bicubic",) if self.rank == 2 else ()))
        self.interpolation = LINEAR[self.rank] if interpolation is None else interpolation
        if self.interpolation not in choices:
            raise ValueError(f"`interpolation` must be one of {choices}. Received: interpolation={interpolation!r}")
        self.align_corners = bool(align_corners)

    def matrix(self, size, length):
        cubic = self.interpolation == "bicubic"
        return resizing.interpolation_matrix(size, length, cubic, self.align_corners)

    def lengths(self, sizes):
        if self.output_size is not None:
            return self.output_size
        window = resizing.Resampled(None, self._ratio, self.matrix)
        found = tuple(None if n is None else window.after(n) for n in sizes)
        for size, length in zip(sizes, found, strict=True):
            if size is not None and not length:
                raise ValueError(
                    f"The size times `factor` must be a whole number of pixels, so that both ends are treated alike. "
                    f"Received: size {size}, factor={self.factor}; use output_size={max(1, round(size * self.factor))}"
                )
        return found

    @functools.cached_property
    def _ratio(self):
        return fractions.Fraction(self.factor).limit_denominator(1000)

    def window_arguments(self):
        sizes = self.output_size or (None,) * self.rank
        return {"output_size": sizes}

    def windows(self, output_size):
        ratio = None if self.factor is None else self._ratio
        return tuple(resizing.Resampled(length, ratio, self.matrix) for length in output_size)


@register
class Resizing2D(Resizing):
    """Resamples images, regular, harmonic and typed features to a size, or by any factor.

    y = A f A'^T along the two axes, with the weights of linear or cubic interpolation at evenly spaced places

    Args:
        output_size: pixels of each axis behind the layer; one number for both.
        factor: instead, by how much each axis grows, such as 1.5; size times factor must be a whole number.
        interpolation: `"bilinear"`, the default, or `"bicubic"`.
        align_corners: whether the centers of the corner pixels stay where they are; else the outer edges do.
        data_format: `"channels_last"` only.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and is any symmetry
            where there is none.
        strict: raise where the sizes break the exact symmetry; with False warn once.

    Input shape:
        `(B, H, W, C)`, `(B, H, W, |group|, C)` or `(B, H, W, M+1, 2, C)`, of known H and W

    Output shape:
        The same with H', W'

    Equivariance: exact for flips and quarter turns on every size, if both axes are treated alike.

    Raises:
        ValueError: unknown sizes, both or neither of `output_size` and `factor`, a size times `factor` that is not
            whole, axes that the group swaps and that are resampled differently.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.Resizing2D(factor=1.5)(np.zeros((1, 14, 14, 8, 16), "float32")).shape
        TensorShape([1, 21, 21, 8, 16])

    Reference: as `torch.nn.functional.interpolate`; Keys, IEEE TASSP 29(6), 1981 (bicubic, a = -0.75).
    """


@register
class Resizing3D(Resizing):
    """Resamples volumes and features over them to a size, or by any factor.

    y = f with the weights of linear interpolation at evenly spaced places along each axis

    Args:
        output_size, factor, align_corners, data_format, group, strict: as in `Resizing2D`.
        interpolation: `"trilinear"`.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`, of known sizes

    Output shape:
        The same with D', H', W'

    Equivariance: exact for the rotations and reflections of the cube on every size, if all axes are treated alike.

    Raises:
        ValueError: as in `Resizing2D`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.Resizing3D(5)(np.zeros((1, 4, 4, 4, 2), "float32")).shape
        TensorShape([1, 5, 5, 5, 2])

    Reference: as `torch.nn.functional.interpolate`.
    """

    rank = 3
