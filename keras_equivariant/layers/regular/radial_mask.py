from __future__ import annotations

from typing import Any

from keras import ops

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import GroupLike, passed_on
from keras_equivariant.layers.core.resampling import Resampling
from keras_equivariant.ops import resizing


class RadialMask(Resampling):
    """Multiplies any rank of space by a function of the distance from the middle; not a layer of its own."""

    def __init__(
        self,
        margin: float = 0.0,
        sigma: float = 2.0,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if not 0 <= margin < 1 or sigma <= 0:
            raise ValueError(
                "`margin` must be a part of the radius, from 0 to below 1, and `sigma` a positive width in pixels. "
                f"Received: margin={margin}, sigma={sigma}"
            )
        self.margin, self.sigma = float(margin), float(sigma)

    def lengths(self, sizes):
        return tuple(sizes)

    def compute(self, x):
        return ops.multiply(x, ops.convert_to_tensor(self.mask(x.shape[1:-1])[..., None], dtype=x.dtype))

    def mask(self, sizes):
        """The factors of the pixels of a space of these sizes, `(*sizes)`."""
        return resizing.radial_mask(sizes, self.margin, self.sigma)


@register
class RadialMask2D(RadialMask):
    """Fades out what lies outside the disc that the image holds: the corners, which rotations move out of it.

    y(x) = f(x) min(1, exp((R^2 - |x|^2) / sigma^2)),  R = (1 - margin) (min(H, W) - 1) / 2, x from the middle

    Args:
        margin: part of the radius by which the disc is smaller, from 0 to below 1.
        sigma: width of the fall outside, in pixels.
        group: symmetry of the input; None takes that of the layers before it in a functional model, and is any symmetry
            where there is none.
        strict: raise where a layer before it has broken the symmetry; with False warn.

    Input shape:
        `(B, H, W, C)`, `(B, H, W, |group|, C)` or `(B, H, W, M+1, 2, C)`, of known H and W

    Output shape:
        The same.

    Equivariance: exact for flips and quarter turns on every size, and as good as the pixels allow for all rotations.

    Raises:
        ValueError: unknown sizes, a margin outside [0, 1), a sigma that is not positive.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> y = ke.layers.RadialMask2D()(np.ones((1, 9, 9, 1), "float32"))
        >>> float(y[0, 4, 4, 0]), round(float(y[0, 0, 0, 0]), 3)
        (1.0, 0.018)

    Reference: escnn's MaskModule, whose margin is in percent.
    """


@register
class RadialMask3D(RadialMask):
    """Fades out what lies outside the ball that the volume holds: the corners, which rotations move out of it.

    y(x) = f(x) min(1, exp((R^2 - |x|^2) / sigma^2)),  R = (1 - margin) (min(D, H, W) - 1) / 2, x from the middle

    Args:
        margin, sigma, group, strict: as in `RadialMask2D`.

    Input shape:
        `(B, D, H, W, C)` or `(B, D, H, W, |group|, C)`, of known sizes

    Output shape:
        The same.

    Equivariance: exact for the rotations and reflections of the cube on every size.

    Raises:
        ValueError: as in `RadialMask2D`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.RadialMask3D(margin=0.1)(np.ones((1, 5, 5, 5, 1), "float32")).shape
        TensorShape([1, 5, 5, 5, 1])

    Reference: escnn's MaskModule, whose margin is in percent.
    """

    rank = 3
