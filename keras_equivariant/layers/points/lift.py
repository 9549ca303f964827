from __future__ import annotations

import math
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_equivariant.groups import rotation_grids
from keras_equivariant.groups.layouts import Points
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.options import Count, GroupLike, Seed, passed_on
from keras_equivariant.layers.points.features import (
    OnPoints,
    arithmetic,
    checked_group,
    element_width,
    zero_where_absent,
)
from keras_equivariant.ops import lie
from keras_equivariant.ops.principal_axes import principal_rotation
from keras_equivariant.utils.checks import check_choice, tuple_of

SAMPLING = ("grid", "uniform", "shared", "principal")


@register
class LieLift(OnPoints, EquivariantLayer):
    """Points as elements of a Lie group: each becomes the elements u that move the origin of its orbit to it, u o = x.

    Where only one element does so (translations, scalings with rotations, ...) it is that one. For SE(2), SE(3) and
    SO(3) there are as many as rotations about the point; `samples` of them are taken.

    Args:
        group: name of a Lie group (`groups.lie_group`), or a LieGroup.
        samples: elements a point. For SE(3) 1, 2, 4, 12 or 24 make a subgroup of the rotations.
        sampling: `"grid"`: the same evenly spread rotations for every point, always; `"uniform"`: those rotated by a
            random rotation for each point (Haar-uniform) in training, by an evenly spread one at inference;
            `"shared"`: rotated by one random rotation a sample in training, not at inference; `"principal"`: rotated to
            the principal axes of each sample's points, for SE(2) and SE(3), with as many samples as make a subgroup
            that holds the half turns about them: 4, 12 or 24 (an even number on SE(2)), or 1.
        seed: of the random rotations.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        positions `(B, N, d)`, values `(B, N, C)`, mask `(B, N)` of booleans. A point with a position that is NaN or
        infinite counts as one that is not there.

    Output shape:
        elements `(B, N samples, E)`, values `(B, N samples, C)`, mask `(B, N samples)`.

    Equivariance: exact for every g where one element moves the origin to a point: lift(g x) = g lift(x). For SE(2) and
    SE(3) on the grid exact, as sets, for the translations and the rotations of the grid (C_n on SE(2)), and
    approximate for the others; with random rotations in distribution. With principal axes exact for every g, unless
    two axes are equally long; with 1 sample, unless the points are their own image in a half turn. The origin, which
    rotations and scalings leave alone, is lifted to 0, the mean of all elements: exact, but no continuous function of
    the position there, as a direction is none.

    Principal axes jump where two moments become equal (benzene, methane, a square), and so do energies; no choice of
    one rotation for each set of points is continuous there (Dym et al.). Where the moments differ the gradient is the
    exact one; where they are equal up to 1e-4 of their sum it takes the axes for fixed, so that it stays bounded. What
    is smooth everywhere: `sampling="grid"`, equivariant up to training; and `FrameAveraging`, exact for every rotation.

    Raises:
        ValueError: an unknown group, more samples than one where there is but one element, shapes that are no points.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> x, f, mask = np.ones((1, 5, 2), "float32"), np.ones((1, 5, 3), "float32"), np.ones((1, 5), bool)
        >>> [tuple(y.shape) for y in ke.layers.LieLift("SE2", samples=4)([x, f, mask])]
        [(1, 20, 4), (1, 20, 3), (1, 20)]

    Reference: Finzi et al., arXiv 2002.12880, section 4.1; Puny et al., arXiv 2110.03336, section 3.1 (principal axes);
    Dym et al., arXiv 2402.16077 (what no frame can do).
    """

    takes_positions = True

    def __init__(
        self,
        group: GroupLike,
        samples: Count = 1,
        sampling: Literal["grid", "uniform", "shared", "principal"] = "grid",
        seed: Seed | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.group = checked_group(group)
        (self.samples,) = tuple_of(samples, 1, "samples")
        self.sampling = check_choice(sampling, "sampling", SAMPLING)
        self.seed = seed
        if self.samples > 1 and self.group.stabilizer is None:
            raise ValueError(
                f'`samples` must be 1 for the group "{self.group.name}", where one element moves the origin to a '
                f'point. Received: samples={samples}; "SE2", "SE3" and "SO3" have many'
            )
        self._check_principal()
        random = self.sampling in ("uniform", "shared") and self.group.stabilizer is not None
        self.seed_generator = keras.random.SeedGenerator(seed) if random else None
        self._in_space = self.group.stabilizer is not None and self.group.stabilizer.dimension == 3
        self._grid = rotation_grids.rotations_of_space if self._in_space else rotation_grids.rotations_of_plane
        self._rotations = lie.arithmetic(3 if self._in_space else 2, rotates=True)

    def _check_principal(self):
        if self.sampling != "principal":
            return
        if self.group.stabilizer is None or not self.group.axes:
            raise ValueError(
                'sampling="principal" is for "SE2" and "SE3", where rotations about a point are to be chosen. '
                f'Received: group="{self.group.name}"; leave `sampling` out'
            )
        good = self.samples % 2 == 0 if self.group.dimension == 2 else self.samples in (4, 12, 24)
        if not good and self.samples != 1:
            wanted = "1 or an even number" if self.group.dimension == 2 else "1, 4, 12 or 24"
            raise ValueError(
                "The samples about principal axes must hold the half turns about them, which the points do not tell "
                f"apart. Received: samples={self.samples} on {self.group.name}; use {wanted}"
            )

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs, training=None):
        positions, values, mask = inputs
        positions, mask = self.present(positions, mask)
        values = zero_where_absent(ops.cast(values, self.compute_dtype), mask)
        rotation = self._about_points(positions, mask, training)
        planes = lie.unstack(positions)
        if rotation is not None:
            planes = tuple(ops.expand_dims(p, -1) * ops.ones_like(rotation[0]) for p in planes)
        element, orbit = arithmetic(self.group).lift(planes, rotation)
        like = planes[0]
        elements = lie.stack((*(x * ops.ones_like(like) for x in element), *orbit), like)
        if rotation is None:
            return elements, values, mask
        count = self.samples * positions.shape[1]
        elements = ops.reshape(elements, (-1, count, elements.shape[-1]))
        return elements, ops.repeat(values, self.samples, axis=1), ops.repeat(mask, self.samples, axis=1)

    def _about_points(self, positions, mask, training):
        """The rotations about each point, planes that broadcast to (B, N, samples)."""
        if self.group.stabilizer is None:
            return None
        grid = self._grid(self.samples)
        rotation = tuple(ops.convert_to_tensor(grid[:, i], positions.dtype) for i in range(grid.shape[1]))
        if self.sampling == "grid":
            return rotation
        if self.sampling == "principal":
            first = tuple(ops.reshape(x, (-1, 1, 1)) for x in principal_rotation(positions, mask))
        elif training:
            first = self._random(positions)
        elif self.sampling == "uniform":
            count = positions.shape[1]
            even = _even_circle(count) if not self._in_space else rotation_grids.super_fibonacci(count)
            first = tuple(ops.convert_to_tensor(even[:, i, None], positions.dtype) for i in range(even.shape[1]))
        else:
            return rotation
        return self._rotations.product(first, rotation)

    def _random(self, positions):
        shape = (ops.shape(positions)[0], positions.shape[1] if self.sampling == "uniform" else 1, 1)
        if not self._in_space:
            angle = keras.random.uniform(shape, 0.0, 2 * math.pi, positions.dtype, self.seed_generator)
            return ops.cos(angle), ops.sin(angle)
        q = keras.random.normal((*shape, 4), dtype=positions.dtype, seed=self.seed_generator)
        return lie.unstack(q / ops.sqrt(ops.sum(q * q, axis=-1, keepdims=True)))

    def compute_output_shape(self, input_shape):
        positions, values, mask = self.checked_shapes(input_shape, self.group.dimension)
        count = positions[1] * self.samples
        return (positions[0], count, element_width(self.group)), (values[0], count, values[2]), (mask[0], count)

    def law(self, layout, shapes):
        return Points(self.group, layout.dimension, layout.shared)

    def fold_call(self, apply, inputs):
        return self.call(inputs, training=False)


def _even_circle(count):
    angles = 2 * np.pi * rotation_grids.low_discrepancy(count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)
