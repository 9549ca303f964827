from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_equivariant.groups.layouts import Image, Points, WrongFeatures, received
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import passed_on
from keras_equivariant.ops.sums import plus
from keras_equivariant.utils.checks import check_number


@register
class ImageToPoints(EquivariantLayer):
    """The pixels of an image as points of the plane: x to the right, y up, the center of the image in the origin.

    The points are the same for every image: positions and mask have a batch axis of 1, and the layers behind compute
    neighborhoods and kernels once for a whole batch.

    Args:
        spacing: distance of two pixels.
        radius: pixels farther from the center are left out; None keeps all.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(B, H, W, C)` of known height and width.

    Output shape:
        positions `(1, N, 2)`, values `(B, N, C)`, mask `(1, N)`.

    Equivariance: exact under quarter turns and mirrors, up to the order of the points, on every size where all pixels
    inside the radius have their images there; motions between pixels are approximate.

    Raises:
        ValueError: an unknown size, or a radius in which there is no pixel.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> [tuple(y.shape) for y in ke.layers.ImageToPoints(radius=2.5)(np.zeros((3, 5, 5, 1), "float32"))]
        [(1, 21, 2), (3, 21, 1), (1, 21)]

    Reference: Finzi et al., arXiv 2002.12880, section 6.1.
    """

    def __init__(self, spacing: float = 1.0, radius: float | None = None, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(**passed_on(locals()))
        self.spacing = check_number(spacing, "spacing", 0, float("inf"), "a positive number")
        self.radius = None if radius is None else check_number(radius, "radius", 0, float("inf"), "a positive number")

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def points(self, height, width):
        """Positions `(N, 2)` in float32 and the numbers of their pixels `(N,)`, row by row."""
        y, x = np.meshgrid((height - 1) / 2 - np.arange(height), np.arange(width) - (width - 1) / 2, indexing="ij")
        positions = self.spacing * np.stack([x.ravel(), y.ravel()], axis=-1)
        chosen = np.arange(height * width)
        if self.radius is not None:
            chosen = np.flatnonzero(np.linalg.norm(positions, axis=-1) <= self.radius)
        return positions[chosen].astype("float32"), chosen.astype("int32")

    def call(self, inputs):
        _, height, width, channels = inputs.shape
        positions, chosen = self.points(height, width)
        values = ops.reshape(inputs, (-1, height * width, channels))
        if len(chosen) < height * width:
            values = ops.take(values, chosen, axis=1)
        full = "float64" if self.compute_dtype == "float64" else "float32"
        # Zeros of the image's shape tie the constants to the graph; a sum keeps the batch of 1 known, a slice does not.
        none = ops.cast(ops.zeros_like(ops.sum(values[..., :1], axis=0, keepdims=True)), full)
        return plus(ops.convert_to_tensor(positions[None], full), none), values, none[..., 0] < 1

    def compute_output_shape(self, input_shape):
        shape = tuple(input_shape)
        if len(shape) != 4 or None in shape[1:]:
            raise ValueError(
                f"ImageToPoints takes images (B, H, W, C) of known size. Received: input_shape={shape}; crop or resize"
            )
        count = len(self.points(*shape[1:3])[1])
        if not count:
            raise ValueError(f"There must be pixels inside the radius. Received: radius={self.radius} for {shape}")
        return (1, count, 2), (shape[0], count, shape[3]), (1, count)

    def compute_output_spec(self, inputs):
        shapes = self.compute_output_shape(inputs.shape)
        full = "float64" if self.compute_dtype == "float64" else "float32"
        dtypes = (full, self.compute_dtype, "bool")
        return tuple(keras.KerasTensor(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))

    def check_features(self, layout, shapes):
        if not isinstance(layout, Image):
            raise WrongFeatures(f"takes images. {received(layout, shapes[0])}")

    def law(self, layout, shapes):
        return Points(None, 2, shared=True)

    def fold_call(self, apply, inputs):
        return self.call(inputs)
