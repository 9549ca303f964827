from __future__ import annotations

from typing import Any, Literal

from keras_equivariant.groups import FieldType
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.fiberwise import Fiberwise
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.core.typed import scalar_blocks
from keras_equivariant.ops import activations
from keras_equivariant.utils.checks import check_choice, check_epsilon


@register
class NormPooling(Fiberwise):
    """The norm of each field, an invariant scalar; scalars stay what they are.

    y = |v| for each field v;  y = x for scalars, with scalars="norm" y = |x|

    Args:
        in_type: field type of the features; any type will do.
        group: group name; may be left out where `in_type` is a FieldType.
        epsilon: least squared norm: y = sqrt(max(|v|^2, epsilon)). With 0 the norm itself, on features of any scale,
            with the gradient 0 at 0.
        strict: raise where the exact symmetry is lost; with False warn once.
        scalars: `"keep"`, or `"norm"` for their absolute values.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        `(..., fields)`, of type `fields` times trivial

    Equivariance: exact for every element on every size: the channels no longer rotate, [L_g y](x) = y(g^-1 x).

    Raises:
        ValueError: features of another type, an epsilon below 0, another word for `scalars`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.NormPooling("8x0 + 4x1", group="SO2")(np.zeros((1, 9, 9, 16), "float32")).shape
        TensorShape([1, 9, 9, 12])

    Reference: Weiler & Cesa, arXiv 1911.08251, section 2.6.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        epsilon: float = 0.0,
        strict: bool = True,
        scalars: Literal["keep", "norm"] = "keep",
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.epsilon = check_epsilon(epsilon, least=0)
        self.scalars = check_choice(scalars, "scalars", ("keep", "norm"))
        self.out_type = FieldType.scalars(self.in_type.fields, self.group)

    def compute(self, x, training=False):
        scalars = tuple(self.scalars == "keep" and scalar for scalar in scalar_blocks(self.in_type))
        return activations.norms(x, self.layout, scalars, self.epsilon)
