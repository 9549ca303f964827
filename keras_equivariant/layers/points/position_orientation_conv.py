from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.kernels import orientation_grid
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import (
    Activation,
    ActivationName,
    Constraint,
    Count,
    Counts,
    FieldsLike,
    GroupLike,
    Initializer,
    Regularizer,
    Whole,
    passed_on,
)
from keras_equivariant.layers.core.typed import as_type
from keras_equivariant.layers.core.weighted import Weighted
from keras_equivariant.layers.points.oriented import OnOrientations


@register
class PositionOrientationConv(OnOrientations, Weighted):
    """Separable convolution of functions on positions and orientations: over space, over orientations, over channels.

    g_i(o_a) = 1/n_i sum_j w(r_ij) k(o_a.r_ij, |r_ij - (o_a.r_ij) o_a|) f_j(o_a),   r_ij = x_j - x_i
    h_i(o_a) = sum_b l(o_a.o_b) g_i(o_b),   y = activation(h W + bias)

    Both sums are taken channel by channel. k is a small network of what two points and an orientation have that no
    motion changes, l a number for each angle of two orientations and each channel. The orientations o_a are a grid:
    the vertices of a solid, which the rotations of `group` permute. n_i = sum_j w(r_ij), which is 1 for a point alone.

    Args:
        in_type, out_type: C and C' fields of functions on the same orientations: `"16xquotient(f72)"` on `"I"` for the
            12 vertices of the icosahedron, `quotient(C3_111)` for 20 on `"I"`, 8 on `"O"` and 4 on `"T"`,
            `quotient(C4z)` for 6 on `"O"`. `SteerableDense` makes them of scalars and vectors, and scalars and vectors
            of them.
        group: group name; may be left out where the types are FieldTypes.
        radius: of the cutoff, in units of the positions.
        neighbors: how many points the sum has place for, the point itself among them. Where more are within the radius,
            it ends at the first of those that there is no place for.
        max_degree: highest degree of the Legendre polynomials of the angle between r and o_a that the network k begins
            with, each times every ring. The higher, the finer k sees angles, and the less other rotations are kept.
        num_rings: Gaussian rings of the distance, from 0 to the radius.
        kernel_units: units of its layers before the last; `()` for linear combinations of these functions.
        kernel_activation: name of their activation.
        reduction: `"mean"` as above, or `"sum"` without 1/n.
        images: copies of a periodic cell on each side, as in `SteerablePointConv`.
        chunk_size: points whose neighbors are looked for at a time; chosen by itself where None. Changes no result.
        activation, use_bias, the initializers, regularizers and constraints: of the linear map W, as in
            `keras.layers.Dense`; all orientations share it and its bias.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        positions `(B, N, 3)`, or with a cell as in `SteerablePointConv`; values `(B, N, A C)`, orientation after
        orientation; mask `(B, N)` of booleans.

    Output shape:
        positions as they came, values `(B, N, A C')`, mask `(B, N)`.

    Equivariance: exact for translations and for every element of `group`; for other rotations approximate. Twice
    differentiable in the positions: directions fade where two points meet, as in `SteerablePointConv`.

    Raises:
        ValueError: types that are no functions on one grid of orientations.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> x, f, mask = np.ones((1, 5, 3), "float32"), np.ones((1, 5, 48), "float32"), np.ones((1, 5), bool)
        >>> layer = ke.layers.PositionOrientationConv("4xquotient(f72)", "8xquotient(f72)", group="I", radius=3.0)
        >>> [tuple(y.shape) for y in layer([x, f, mask])]
        [(1, 5, 3), (1, 5, 96), (1, 5)]

    Reference: Bekkers et al., Fast, Expressive SE(n) Equivariant Networks through Weight-Sharing in
    Position-Orientation Space, arXiv 2310.02970, sections 3 and 4, with its invariants of SE(3) and a grid that a
    group permutes.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        out_type: FieldsLike,
        group: GroupLike | None = None,
        radius: float = 2.0,
        neighbors: Count = 32,
        max_degree: Whole = 2,
        num_rings: Count = 8,
        kernel_units: Counts = (32,),
        kernel_activation: ActivationName = "swish",
        reduction: Literal["mean", "sum"] = "mean",
        images: Count = 1,
        chunk_size: Count | None = None,
        activation: Activation | None = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer | None = None,
        bias_regularizer: Regularizer | None = None,
        activity_regularizer: Regularizer | None = None,
        kernel_constraint: Constraint | None = None,
        bias_constraint: Constraint | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.out_type = as_type(out_type, group or self.in_type.group, "out_type")
        names = {block.representation.name for block in self.in_type.blocks + self.out_type.blocks}
        orientation_grid(self.out_type)
        if len(names) > 1:
            raise ValueError(
                f"Both types must be functions on the same orientations. Received: in_type={self.in_type}, "
                f"out_type={self.out_type}; use SteerableDense between two grids"
            )

    def build(self, input_shape):
        self._add_kernels(input_shape)
        self._add_kernel((self.fields, self.out_type.blocks[0].multiplicity))
        self._add_bias(self.out_type.blocks[0].multiplicity)

    def call(self, inputs):
        positions, mask, sums = self._depthwise(inputs, self._by_itself)
        y = sums @ ops.cast(self.expanded_kernel(), self.compute_dtype)
        if self.bias is not None:
            y = ops.add(y, ops.cast(self.bias, self.compute_dtype))
        return positions, self._rows(self.activation(y), mask), mask

    def expanded_kernel(self):
        """The kernel of the equal stock Dense layer behind the sums over neighbors and angles, `(angles C, C')`."""
        return self._mixing(ops.convert_to_tensor(self.kernel))

    def compute_output_shape(self, input_shape):
        positions, values, mask = self.checked_shapes(input_shape, None)
        return positions, (*values[:2], self.out_type.size), mask

    def fold_call(self, apply, inputs):
        positions, mask, sums = self._depthwise(inputs, self._folded(apply))
        linear = keras.layers.Dense(self.kernel.shape[1], self.activation, self.bias is not None, name=self.name)
        bias = [] if self.bias is None else [self.bias]
        y = apply("linear", linear, [self.expanded_kernel(), *bias], sums)
        return positions, self._rows(y, mask), mask
