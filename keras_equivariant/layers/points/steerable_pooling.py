from __future__ import annotations

from typing import Any, Literal

from keras import ops

from keras_equivariant.groups.layouts import Typed
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import FieldsLike, GroupLike, passed_on
from keras_equivariant.layers.points.features import zero_where_absent
from keras_equivariant.layers.points.typed import OnTypedPoints
from keras_equivariant.utils.checks import check_choice


@register
class SteerablePointPooling(OnTypedPoints, EquivariantLayer):
    """One answer for all points, of the type of their values: the mean or the sum.

    y = mean_i f_i,  or the sum: of scalars a number such as an energy, of vectors a vector such as a dipole

    Args:
        in_type: field type of the values, such as `"1x0"` or `"8x0 + 1x1"`; any type will do.
        group: group name; may be left out where `in_type` is a FieldType.
        reduction: `"mean"` or `"sum"`, over the points that the mask does not leave out.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        positions `(B, N, d)`, values `(B, N, D)`, mask `(B, N)`.

    Output shape:
        `(B, D)`, of the same type. Zeros where no point is there.

    Equivariance: exact for every element of the group and for translations.

    Raises:
        ValueError: values of another type.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> x, f, mask = np.ones((1, 5, 3), "float32"), np.ones((1, 5, 5), "float32"), np.ones((1, 5), bool)
        >>> ke.layers.SteerablePointPooling("2x0 + 1x1", group="SO3")([x, f, mask]).shape
        TensorShape([1, 5])

    Reference: Thomas et al., Tensor field networks, arXiv 1802.08219, section 5 (the pooling of its networks).
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        reduction: Literal["mean", "sum"] = "mean",
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.reduction = check_choice(reduction, "reduction", ("mean", "sum"))

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs):
        _, mask = self.present(inputs[0], inputs[2])
        values = zero_where_absent(ops.cast(inputs[1], self.compute_dtype), mask)
        total = ops.sum(values, axis=1)
        if self.reduction == "sum":
            return total
        return total / ops.maximum(ops.sum(ops.cast(ops.expand_dims(mask, -1), values.dtype), axis=1), 1)

    def compute_output_shape(self, input_shape):
        _, values, _ = self.checked_shapes(input_shape, None)
        return (values[0], values[2])

    def law(self, layout, shapes):
        return Typed.of(self.out_type, 2)

    def fold_call(self, apply, inputs):
        return self.call(inputs)
