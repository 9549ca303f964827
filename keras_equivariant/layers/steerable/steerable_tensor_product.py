from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from keras_equivariant.groups import clebsch_gordan
from keras_equivariant.groups import layouts as _layouts
from keras_equivariant.groups.irreps import is_irrep_label
from keras_equivariant.groups.layouts import WrongFeatures, of_values
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.law import refuse
from keras_equivariant.layers.core.options import (
    Constraint,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    passed_on,
)
from keras_equivariant.layers.core.source_layout import source_layout
from keras_equivariant.layers.core.typed import Typed, as_type, layout
from keras_equivariant.ops import tensor_product


@register
class SteerableTensorProduct(Typed, EquivariantLayer):
    """Learned products of two features: every field of one times every field of the other, as irreps.

    y_w = sum over paths and fields u, v of W_uvw C(x_u, x'_v) / sqrt(number of u, v in all paths to w)

    A path leads from a block of each input to a block of the output, by one copy of its irrep in the product of
    theirs; C are Clebsch-Gordan coefficients. Products with the harmonics of a direction, of a field with a gate, or of
    features with those of another branch are all of this kind.

    Args:
        in_type, second_type, out_type: field types of irreps: of the two inputs and of the output.
        group: group name; may be left out where the types are FieldTypes.
        kernel_initializer: of the weights W, a flat list; by default normal numbers of deviation 1, which keep the
            variance of independent features.
        kernel_regularizer, kernel_constraint: as in `keras.layers.Dense`.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        A list of `(..., D)` and `(..., D')`, equal but for the last axis.

    Output shape:
        `(..., D'')`, of type `out_type`

    Equivariance: exact for every element on every size.

    Raises:
        ValueError: fields that are no irreps, an output field that no product holds, features of other types.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.SteerableTensorProduct("4x0 + 2x1", "1x0 + 1x1 + 1x2", "8x0 + 4x1", group="SO3")
        >>> layer([np.zeros((1, 10), "float32"), np.zeros((1, 9), "float32")]).shape, layer.count_params()
        (TensorShape([1, 20]), 88)

    Reference: Thomas et al., Tensor field networks, arXiv 1802.08219; e3nn's FullyConnectedTensorProduct.
    """

    on_points = True

    def __init__(
        self,
        in_type: FieldsLike,
        second_type: FieldsLike,
        out_type: FieldsLike,
        group: GroupLike | None = None,
        kernel_initializer: Initializer | None = None,
        kernel_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.in_type = as_type(in_type, group, "in_type")
        self.second_type = as_type(second_type, group or self.in_type.group, "second_type")
        self.out_type = as_type(out_type, group or self.in_type.group, "out_type")
        for argument in ("in_type", "second_type", "out_type"):
            _check_irreps(getattr(self, argument), argument)
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.RandomNormal(stddev=1.0)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self._paths = [tuple(self._paths_to(target)) for target in self.out_type.blocks]

    def _paths_to(self, target):
        """`(first block, second block, C)` with C scaled by 1 / sqrt(products that are added up)."""
        found = []
        for i, first in enumerate(self.in_type.blocks):
            for j, second in enumerate(self.second_type.blocks):
                names = (block.representation.name for block in (first, second, target))
                found += [(i, j, coupling) for coupling in clebsch_gordan(self.group, *names)]
        if not found:
            raise ValueError(
                f'Every field of `out_type` must be in a product of two fields. Received: "{self.out_type}", of which '
                f'no product of "{self.in_type}" and "{self.second_type}" holds "{target.representation.name}"; leave '
                "it out"
            )
        first, second = self.in_type.blocks, self.second_type.blocks
        fan = sum(first[i].multiplicity * second[j].multiplicity for i, j, _ in found)
        return [(i, j, coupling / math.sqrt(fan)) for i, j, coupling in found]

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        first, second, size = self.in_type.blocks, self.second_type.blocks, 0
        for target, paths in zip(self.out_type.blocks, self._paths, strict=True):
            size += target.multiplicity * sum(first[i].multiplicity * second[j].multiplicity for i, j, _ in paths)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(size,),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def call(self, inputs):
        return self.compute(*inputs, keras.ops.convert_to_tensor(self.kernel))

    def compute(self, x, second, kernel):
        types = [layout(field_type) for field_type in (self.in_type, self.second_type, self.out_type)]
        return tensor_product.contract(x, second, kernel, *types, self._paths)

    def compute_output_shape(self, input_shape):
        shapes = [tuple(shape) for shape in input_shape] if len(np.shape(input_shape[0])) else ()
        sizes = (self.in_type.size, self.second_type.size)
        if len(shapes) != 2 or tuple(shape[-1] for shape in shapes) != sizes or len({len(s) for s in shapes}) > 1:
            raise ValueError(
                f'{type(self).__name__} takes a list of features (..., {sizes[0]}) of type "{self.in_type}" and '
                f'(..., {sizes[1]}) of type "{self.second_type}". Received: input_shape={input_shape}'
            )
        pairs = list(zip(*(shape[:-1] for shape in shapes), strict=True))
        if any(None not in pair and len(set(pair)) > 1 for pair in pairs):
            raise ValueError(
                f"{type(self).__name__} multiplies the features of each place with those of the same place, so that "
                f"both inputs must have the same axes but the last. Received: input_shape={input_shape}; bring them to "
                "one size before it, e.g. by keras.ops.broadcast_to"
            )
        return (*(first if second is None else second for first, second in pairs), self.out_type.size)

    def _check_sources(self, tensors):
        for tensor, field_type in zip(tensors, (self.in_type, self.second_type), strict=False):
            found = of_values(source_layout(tensor))
            if isinstance(found, _layouts.Broken):
                refuse(self, f"takes {self.takes}. Received: {found.reason}")
            if isinstance(found, _layouts.Typed) and found.type != field_type:
                raise WrongFeatures(
                    f'{type(self).__name__} takes features of type "{field_type}". Received: features of type '
                    f"{found.described}"
                )

    def fold_call(self, apply, inputs):
        if None in inputs[0].shape[1:-1]:
            raise ValueError(
                f'SteerableTensorProduct "{self.name}" folds on known sizes only. Received: features of shape '
                f"{tuple(inputs[0].shape)}; give the model a fixed input shape"
            )
        return self.compute(*inputs, keras.ops.convert_to_numpy(self.kernel))


def _check_irreps(field_type, argument):
    for _, name in field_type.terms:
        if not is_irrep_label(field_type.group, name):
            raise ValueError(
                f'SteerableTensorProduct takes irreps. Received: {argument}="{field_type}", in which "{name}" is none'
            )
