from __future__ import annotations

from typing import Any

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import DataFormat, FieldsLike, GroupLike, Padding, Size, passed_on
from keras_equivariant.layers.core.window_pooling import Windows
from keras_equivariant.ops import pooling


class NormMaxPooling(Windows, Fiberwise):
    """The longest of each field in each window, of any rank of space; not a layer of its own."""

    on_points = False

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        pool_size: Size = 2,
        strides: Size | None = None,
        padding: Padding = "valid",
        data_format: DataFormat | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self._set_windows(pool_size, strides, padding, data_format)

    def build(self, input_shape):
        super().build(input_shape)
        self.check_symmetry(input_shape)
        if self.padding == "same" and max(self.strides) > 1 and None in input_shape[1:-1]:
            raise ValueError(
                f'{type(self).__name__} with padding="same" and strides above 1 needs a known size. Received: '
                f'input_shape={tuple(input_shape)}; give the model a fixed input shape, or use padding="valid"'
            )

    def compute(self, x, training=False):
        return pooling.norm_max_pool(x, self.layout, self.pool_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape):
        self._check_channels(input_shape, self.rank + 2)
        return (input_shape[0], *self.sizes_after(input_shape[1:-1]), self.out_type.size)


@register
class NormMaxPooling2D(NormMaxPooling):
    """The longest of each field in each window of the plane: max pooling for fields whose components mix.

    y(x) = v(p) with |v(p)| = max of |v| over the pixels p of the window at x, for each field v

    Where several are the longest, within rounding, their mean: no pixel of the window is preferred. Scalars count by
    their size without sign; follow a `ReLU` of them, or use `MaxPooling2D` on types that permute their components.

    Args:
        in_type: field type of the features; any type will do.
        group: group name; may be left out where `in_type` is a FieldType.
        pool_size, strides, padding: as in `keras.layers.MaxPooling2D`; `padding="same"` with strides above 1 needs a
            known size.
        data_format: `"channels_last"` only.
        strict: raise where the sizes break the exact symmetry; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, H, W, D)`

    Output shape:
        `(B, H', W', D)`

    Equivariance: exact for flips and quarter turns on sizes that the windows cover symmetrically, e.g. an even size
    for windows of 2; other sizes raise.

    Raises:
        ValueError: sizes that break the exact symmetry, a window larger than the input, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.NormMaxPooling2D("8x0 + 4x1", group="SO2")
        >>> layer(np.zeros((1, 28, 28, 16), "float32")).shape
        TensorShape([1, 14, 14, 16])

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.6; Marcos et al., arXiv 1612.09346 (spatial pooling).
    """


@register
class NormMaxPooling3D(NormMaxPooling):
    """The longest of each field in each window of space: max pooling for fields whose components mix.

    y(x) = v(p) with |v(p)| = max of |v| over the voxels p of the window at x, for each field v

    Args:
        in_type, group, data_format, strict: as in `NormMaxPooling2D`.
        pool_size, strides, padding: as in `keras.layers.MaxPooling3D`; `padding="same"` with strides above 1 needs a
            known size.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, D, H, W, C)`

    Output shape:
        `(B, D', H', W', C)`

    Equivariance: exact for the rotations and reflections of the cube on sizes that the windows cover symmetrically,
    e.g. an even size for windows of 2; other sizes raise.

    Raises:
        ValueError: sizes that break the exact symmetry, a window larger than the input, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.NormMaxPooling3D("8x0 + 4x1", group="SO3")
        >>> layer(np.zeros((1, 6, 6, 6, 20), "float32")).shape
        TensorShape([1, 3, 3, 3, 20])

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.6; Marcos et al., arXiv 1612.09346 (spatial pooling).
    """

    rank = 3
