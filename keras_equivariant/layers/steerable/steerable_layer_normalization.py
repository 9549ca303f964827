from __future__ import annotations

from typing import Any

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import Constraint, FieldsLike, GroupLike, Initializer, Regularizer, passed_on
from keras_equivariant.layers.core.typed_normalization import SampleNormalization
from keras_equivariant.ops.fields import FieldMeans


@register
class SteerableLayerNormalization(SampleNormalization):
    """Layer normalization of typed features: at every position, over all fields of one kind.

    y = gamma (x - mean) / sqrt(mean of |x - mean|^2 / dim + epsilon) + beta

    The fields of one block of the type, such as the four of `"4x1"`, share the statistics of a position. The mean is
    that of the components that no element moves: of scalars themselves, of all components of regular and quotient
    fields; every other irrep has none, and is only divided by its root mean square.

    Args:
        in_type: field type of the features, such as `"8x0 + 4x1"`; any type will do.
        group: group name; may be left out where `in_type` is a FieldType.
        epsilon, center, scale, the initializers, regularizers and constraints: as in
            `keras.layers.LayerNormalization`. gamma is one number per field, beta one per field and vector in it that
            no element moves.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        The same.

    Equivariance: exact for every element of the group, on every size.

    Raises:
        ValueError: features of another type, an epsilon that is not positive.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableLayerNormalization("8x0 + 4x1", group="SO2")
        >>> layer(np.zeros((1, 9, 9, 16), "float32")).shape, layer.count_params()
        (TensorShape([1, 9, 9, 16]), 20)

    Reference: Ba et al., arXiv 1607.06450, section 3, with norms in place of numbers; on `"8x0"` it is that.
    """

    over_space = False
    on_points = True

    def __init__(
        self,
        in_type: FieldsLike,
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
        self.means = FieldMeans(self.in_type.blocks, groups=1)
