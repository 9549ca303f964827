"""What the layers on positions and orientations share: the depthwise convolution; not a layer of its own."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_equivariant.kernels import orientation_grid
from keras_equivariant.layers.core.options import (
    ActivationName,
    Count,
    Counts,
    FieldsLike,
    GroupLike,
    Whole,
    passed_on,
)
from keras_equivariant.layers.points.features import zero_where_absent
from keras_equivariant.layers.points.within_cutoff import WithinCutoff
from keras_equivariant.ops import neighborhoods, orientations
from keras_equivariant.utils.checks import tuple_of


class OnOrientations(WithinCutoff):
    """A layer on points whose values are functions on a grid of orientations, of a type such as `"16xquotient(f72)"`.

    Values `(B, N, A C)` are those of C channels at A orientations, orientation after orientation.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None,
        radius: float,
        neighbors: Count,
        max_degree: Whole,
        num_rings: Count,
        kernel_units: Counts,
        kernel_activation: ActivationName,
        reduction: Literal["mean", "sum"],
        images: Count,
        chunk_size: Count | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.grid = orientation_grid(self.in_type)
        self.fields = self.in_type.blocks[0].multiplicity
        (self.max_degree,) = tuple_of(max_degree, 1, "max_degree", minimum=0)
        self._add_kernel_layers([kernel_activation] * len(self.kernel_units))
        self.kernel_layers.append(
            keras.layers.Dense(self.fields, use_bias=False, dtype=self.dtype_policy, name="kernel")
        )

    def _add_kernels(self, input_shape):
        """The weights of both kernels, that of the positions and that of the orientations."""
        self._build_kernel_layers(input_shape, self.num_rings * (self.max_degree + 1))
        count = len(self.grid.directions)
        self.orientation_kernel = self.add_weight(
            name="orientation_kernel",
            shape=(len(self.grid.angles), self.fields),
            initializer=keras.initializers.RandomNormal(stddev=count**-0.5),
        )

    def _depthwise(self, inputs, dense):
        """Positions, mask and for each angle the sums over neighbors, `(B N, A, angles C)`.

        Args:
            inputs: positions, values and mask.
            dense: as in `_kernel_of`.
        """
        positions, mask, found, offsets, weights = self._neighbors(inputs)
        features = self.radius, self.num_rings, self.max_degree
        kernel = self._kernel_of(orientations.pair_features(offsets, self.grid.directions, *features), dense)
        values = zero_where_absent(ops.cast(inputs[1], self.compute_dtype), mask)
        around = neighborhoods.take(values, found)
        kernel = ops.reshape(kernel, (-1, *around.shape[1:]))
        summed = ops.sum(ops.expand_dims(ops.cast(weights, kernel.dtype), -1) * kernel * around, axis=2)
        count = len(self.grid.directions)
        summed = ops.reshape(summed, (-1, count, self.fields))
        return positions, mask, orientations.sums_by_angle(summed, self._selection(), len(self.grid.angles))

    def _selection(self):
        """Which orientations are at each angle from each, `(A angles, A)`."""
        angle, angles = self.grid.angle, len(self.grid.angles)
        return (angle[:, None, :] == np.arange(angles)[:, None]).reshape(-1, len(angle)).astype("float64")

    def _mixing(self, matrix):
        """The kernel of the stock Dense layer behind the sums: of each angle the orientation kernel times a matrix."""
        kernel = ops.convert_to_tensor(self.orientation_kernel)
        matrix = ops.cast(matrix, kernel.dtype)
        mixed = ops.expand_dims(kernel, -1) * ops.expand_dims(matrix, 0)
        return ops.reshape(mixed, (-1, matrix.shape[-1]))

    def _rows(self, y, mask):
        """`(B N, A, C)` as values `(B, N, A C)`, zeros where there is no point."""
        y = ops.reshape(y, (-1, mask.shape[1], y.shape[1] * y.shape[2]))
        return zero_where_absent(y, mask)
