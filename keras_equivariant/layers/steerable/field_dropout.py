from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, Seed, passed_on
from keras_equivariant.ops import fields


@register
class FieldDropout(Fiberwise):
    """Dropout of whole fields: all components of a field together, which stock dropout would tear apart.

    y = v / (1 - rate) with probability 1 - rate, else 0, for each field v; only while training

    Args:
        in_type: field type of the features; any type will do.
        rate: fraction of the fields to drop, between 0 and 1.
        group: group name; may be left out where `in_type` is a FieldType.
        spatial: False: anew at every position, as `keras.layers.Dropout`; True: a field at all positions or at none,
            as `keras.layers.SpatialDropout2D`.
        seed: an integer, or None for a random one.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, ..., D)`

    Output shape:
        The same.

    Equivariance: exact for every element given what is dropped, on average over what is dropped while training.

    Raises:
        ValueError: a rate outside 0 to 1, features of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.FieldDropout("8x0 + 4x1", 0.3, group="SO2")
        >>> layer(np.zeros((1, 9, 9, 16), "float32"), training=True).shape
        TensorShape([1, 9, 9, 16])

    Reference: Srivastava et al., JMLR 15 (2014), section 4; Tompson et al., arXiv 1411.4280, section 3.2 (spatial).
    """

    def __init__(
        self,
        in_type: FieldsLike,
        rate: float,
        group: GroupLike | None = None,
        spatial: bool = False,
        seed: Seed | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise ValueError(f"`rate` must be a number from 0 to 1. Received: rate={rate!r}")
        self.rate = float(rate)
        self.spatial = bool(spatial)
        self.seed = seed
        if rate > 0:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def compute(self, x, training=False):
        if not training or self.rate == 0:
            return x
        batch, *space, _ = ops.shape(x)
        space = [1] * len(space) if self.spatial else space
        ones = ops.ones((batch, *space, self.in_type.fields), x.dtype)
        kept = keras.random.dropout(ones, self.rate, seed=self.seed_generator)
        return x * fields.spread(kept, self.layout)

    def fold(self, input_shape):
        return []
