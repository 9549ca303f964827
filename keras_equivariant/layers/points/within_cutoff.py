"""What the layers share whose points have neighbors within a smooth cutoff; not a layer of its own."""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.layers.core.dense import dense
from keras_equivariant.layers.core.options import ActivationName, Count, Counts, FieldsLike, GroupLike
from keras_equivariant.layers.points.typed import OnTypedPoints
from keras_equivariant.ops import cells
from keras_equivariant.utils.checks import check_choice, check_number, tuple_of


class WithinCutoff(OnTypedPoints):
    """A layer that sums over the neighbors of each point, weighted by the cutoff and by a small network of each pair.

    Attributes:
        kernel_layers: the layers of that network, `kernel_units` of units each.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None,
        radius: float,
        neighbors: Count,
        num_rings: Count,
        kernel_units: Counts,
        kernel_activation: ActivationName,
        reduction: Literal["mean", "sum"],
        images: Count,
        chunk_size: Count | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(in_type=in_type, group=group, **kwargs)
        self.radius = check_number(radius, "radius", 0, float("inf"), "a positive number")
        (self.neighbors,) = tuple_of(neighbors, 1, "neighbors")
        (self.num_rings,) = tuple_of(num_rings, 1, "num_rings")
        units = tuple(kernel_units) if isinstance(kernel_units, list | tuple) else (kernel_units,)
        self.kernel_units = tuple_of(units, len(units), "kernel_units") if units else ()
        self.kernel_activation = kernel_activation
        self.reduction = check_choice(reduction, "reduction", ("mean", "sum"))
        (self.images,) = tuple_of(images, 1, "images")
        self.chunk_size = None if chunk_size is None else tuple_of(chunk_size, 1, "chunk_size")[0]
        self.kernel_layers = []

    @property
    def cutoff(self):
        """The distance within which points count."""
        return self.radius

    def _add_kernel_layers(self, activations):
        self.kernel_layers = [
            keras.layers.Dense(
                units,
                activation=activation,
                kernel_initializer="he_normal",
                dtype=self.dtype_policy,
                name=f"kernel_{i}",
            )
            for i, (units, activation) in enumerate(zip(self.kernel_units, activations, strict=True))
        ]

    def _build_kernel_layers(self, input_shape, width):
        """Builds the network for so many functions of each pair."""
        _, values, _ = self.checked_shapes(input_shape, None)
        for layer in self.kernel_layers:
            layer.build((None, values[1], None, width))
            width = layer.units

    def _neighbors(self, inputs):
        """Positions, mask, and of the neighbors of each point their numbers, offsets and weights."""
        positions, mask = self.present(inputs[0], inputs[2])
        points, vectors = self.periodic(positions)
        found, offsets, weights = cells.within_cutoff(
            points, mask, self.neighbors, self.radius, self.chunk_size, vectors, self.images
        )
        if self.reduction == "mean":
            weights = weights / ops.maximum(ops.sum(weights, axis=-1, keepdims=True), 1)
        return positions, mask, found, offsets, weights

    def _kernel_of(self, functions, dense):
        """What the network makes of functions of each pair.

        Args:
            dense: function of a number, a layer and its input that applies the one to the other.
        """
        for i, layer in enumerate(self.kernel_layers):
            functions = dense(i, layer, functions)
        return functions

    @staticmethod
    def _by_itself(number, layer, x):
        return dense(layer, x)

    @staticmethod
    def _folded(apply):
        """A layer of the network as a step of a fold."""
        return lambda number, layer, x: apply(f"kernel {number}", layer, layer.weights, x)
