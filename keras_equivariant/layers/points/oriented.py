"""What the layers on positions and orientations share: the depthwise convolution; not a layer of its own."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_equivariant.kernels import orientation_grid
from keras_equivariant.layers.core.options import ActivationName, Count, Counts, FieldsLike, GroupLike, Whole
from keras_equivariant.layers.points.features import zero_where_absent
from keras_equivariant.layers.points.typed import OnTypedPoints
from keras_equivariant.ops import cells, neighborhoods, orientations
from keras_equivariant.utils.checks import check_choice, check_number, tuple_of


class OnOrientations(OnTypedPoints):
    """A layer on points whose values are functions on a grid of orientations, of a type such as `"16xquotient(f72)"`.

    Values `(B, N, A C)` are those of C channels at A orientations, orientation after orientation.
    """

    def __init__(
        self,
        in_type: FieldsLike,
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
        **kwargs: Any,
    ) -> None:
        super().__init__(in_type=in_type, group=group, **kwargs)
        self.grid = orientation_grid(self.in_type)
        self.fields = self.in_type.blocks[0].multiplicity
        self.radius = check_number(radius, "radius", 0, float("inf"), "a positive number")
        (self.neighbors,) = tuple_of(neighbors, 1, "neighbors")
        (self.max_degree,) = tuple_of(max_degree, 1, "max_degree", minimum=0)
        (self.num_rings,) = tuple_of(num_rings, 1, "num_rings")
        units = tuple(kernel_units) if isinstance(kernel_units, list | tuple) else (kernel_units,)
        self.kernel_units = tuple_of(units, len(units), "kernel_units") if units else ()
        self.kernel_activation = kernel_activation
        self.reduction = check_choice(reduction, "reduction", ("mean", "sum"))
        (self.images,) = tuple_of(images, 1, "images")
        self.chunk_size = None if chunk_size is None else tuple_of(chunk_size, 1, "chunk_size")[0]
        self.kernel_layers = [
            keras.layers.Dense(
                units,
                activation=kernel_activation,
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"kernel_{i}",
            )
            for i, units in enumerate(self.kernel_units)
        ]
        self.kernel_layers.append(
            keras.layers.Dense(self.fields, use_bias=False, dtype=self.dtype_policy, name="kernel")
        )

    def _add_kernels(self, input_shape):
        """The weights of both kernels, that of the positions and that of the orientations."""
        _, values, _ = self.checked_shapes(input_shape, None)
        width = self.num_rings * (self.max_degree + 1)
        for layer in self.kernel_layers:
            layer.build((None, values[1], None, width))
            width = layer.units
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
            dense: function of a number, a Dense layer of the kernel and its input that applies the one to the other.
        """
        positions, mask = self.present(inputs[0], inputs[2])
        points, vectors = self.periodic(positions)
        found, offsets, weights = cells.within_cutoff(
            points, mask, self.neighbors, self.radius, self.chunk_size, vectors, self.images
        )
        if self.reduction == "mean":
            weights = weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1)
        features = self.radius, self.num_rings, self.max_degree
        kernel = orientations.pair_features(offsets, self.grid.directions, *features)
        for i, layer in enumerate(self.kernel_layers):
            kernel = dense(i, layer, kernel)
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
