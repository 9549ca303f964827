from __future__ import annotations

from typing import Any

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Constraint,
    FieldGroupsOrAll,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    passed_on,
)
from keras_equivariant.layers.core.typed_normalization import SampleNormalization
from keras_equivariant.layers.core.windowed_conv import SYMMETRY_HINT
from keras_equivariant.ops.fields import FieldMeans


@register
class SteerableGroupNormalization(SampleNormalization):
    """Group normalization of typed features: sample by sample, over space and so many groups of fields.

    y = gamma (x - mean) / sqrt(mean of |x - mean|^2 / dim + epsilon) + beta

    The fields of each block of the type, such as the four of `"4x1"`, are split into `groups` groups of neighbors,
    and those of a group share their statistics. The mean is that of the components that no element moves: of scalars
    themselves, of all components of regular and quotient fields; every other irrep has none, and is only divided by
    its root mean square. On `"Nxregular"` it is `keras.layers.GroupNormalization` of the (|G|, N) axes.

    Args:
        in_type: field type of the features, such as `"8x0 + 4x1"`; any type will do.
        groups: number of groups of fields, which must divide the number of fields of every block; -1 for every field
            apart.
        group: group name (a symmetry, no number); may be left out where `in_type` is a FieldType.
        epsilon, center, scale, the initializers, regularizers and constraints: as in
            `keras.layers.GroupNormalization`. gamma is one number per field, beta one per field and vector in it that
            no element moves.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, ..., D)`

    Output shape:
        The same.

    Equivariance: exact for every element that maps the grid onto itself, for all others as good as means over the
    pixels are; exact for every element where there is no space.

    Raises:
        ValueError: features of another type, groups that do not divide the fields, an epsilon that is not positive.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableGroupNormalization("8x0 + 4x1", groups=4, group="SO2")
        >>> layer(np.zeros((1, 9, 9, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 16]), 20)

    Reference: Wu & He, arXiv 1803.08494, section 3, with norms in place of numbers.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        groups: FieldGroupsOrAll = 32,
        group: GroupLike | None = None,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Initializer = "zeros",
        gamma_initializer: Initializer = "ones",
        beta_regularizer: Regularizer | None = None,
        gamma_regularizer: Regularizer | None = None,
        beta_constraint: Constraint | None = None,
        gamma_constraint: Constraint | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.groups = _groups(groups, self.in_type)
        self.means = FieldMeans(self.in_type.blocks, None if groups == -1 else groups)


def _groups(value, field_type):
    if isinstance(value, str):
        raise ValueError(f"{SYMMETRY_HINT}. Received: groups={value!r}")
    if not isinstance(value, int) or isinstance(value, bool) or (value < 1 and value != -1):
        raise ValueError(f"`groups` must be a positive integer, or -1. Received: groups={value!r}")
    if any(block.multiplicity % value for block in field_type.blocks):
        raise ValueError(
            "`groups` must divide the number of fields of every block. "
            f'Received: groups={value}, in_type="{field_type}"; use groups=1, or -1 for every field apart'
        )
    return value
