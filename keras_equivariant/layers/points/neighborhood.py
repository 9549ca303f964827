"""Which points a convolution on a Lie group sums over; not a layer of its own."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal

import keras
from keras import ops

from keras_equivariant.groups import rotation_grids
from keras_equivariant.layers.core.activations import activation_of
from keras_equivariant.layers.core.options import ActivationName, Count, Counts, GroupLike, Seed, Whole
from keras_equivariant.layers.points.features import OnPoints, arithmetic, checked_group, element_width
from keras_equivariant.ops import cells, lie, nearest_in_cells, neighborhoods, thinning
from keras_equivariant.ops.compiled import compiled
from keras_equivariant.ops.lie_distance import LeftInvariant
from keras_equivariant.utils.checks import check_choice, check_number, tuple_of

_PLACES = 13  # a point and the twelve that can touch it in space


class Neighborhoods(OnPoints):
    """Arguments of a convolution on points that `LieConv` and `LieBottleneck` have in common; mixed into a layer."""

    renamed_options = {"neighbours": "neighbors", "neighbourhood": "neighborhood"}

    def __init__(
        self,
        group: GroupLike,
        neighbors: Count = 32,
        neighborhood: Literal["nearest", "ball", "cutoff"] = "nearest",
        fraction: float = 1.0,
        fill: float = 0.1,
        radius: float = 2.0,
        distance: Literal["convex", "squared"] = "convex",
        alpha: float = 0.2,
        reduction: Literal["mean", "sum"] = "mean",
        kernel_units: Counts = (32, 32, 16),
        kernel_activation: ActivationName = "swish",
        batch_normalization: bool = True,
        chunk_size: Count | None = None,
        seed: Seed | None = None,
        spare: Whole | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.group = checked_group(group)
        (self.neighbors,) = tuple_of(neighbors, 1, "neighbors")
        self.spare = None if spare is None else tuple_of(spare, 1, "spare", minimum=0)[0]
        self.neighborhood = check_choice(neighborhood, "neighborhood", ("nearest", "ball", "cutoff"))
        self.fraction = check_number(fraction, "fraction", 0, 1, "above 0, and at most 1 for all points")
        self.fill = check_number(fill, "fill", 0, 1, "the fraction of points in a ball, above 0 and at most 1")
        self.radius = check_number(radius, "radius", 0, float("inf"), "a positive number")
        self.distance = check_choice(distance, "distance", ("convex", "squared"))
        self.alpha = check_number(alpha, "alpha", -1e-9, 1, "a number from 0 to 1")
        self.reduction = check_choice(reduction, "reduction", ("mean", "sum"))
        units = tuple(kernel_units) if isinstance(kernel_units, list | tuple) else (kernel_units,)
        self.kernel_units = tuple_of(units, len(units), "kernel_units")
        if not units:
            raise ValueError("`kernel_units` must name a layer or more. Received: kernel_units=(); use (32, 32, 16)")
        activation_of(kernel_activation)  # for its errors
        self.kernel_activation = kernel_activation
        self.batch_normalization = bool(batch_normalization)
        self.chunk_size = None if chunk_size is None else tuple_of(chunk_size, 1, "chunk_size")[0]
        self.seed = seed

    def queries(self, count):
        """How many of so many points are kept."""
        return max(1, round(self.fraction * count))

    @property
    def spare_places(self):
        """Places beyond `neighbors`, for all of the last shell."""
        return max(0, min(4, _PLACES - self.neighbors)) if self.spare is None else self.spare

    def distance_function(self):
        """The left-invariant distance, of tuples of planes."""
        return LeftInvariant(*self._distance)

    @property
    def _distance(self):
        group = self.group
        return arithmetic(group), len(group.scale_and_angles), group.metric, self.distance, self.alpha

    def subset(self, elements, mask, training=None):
        """Numbers of the points that are kept and whether there are so many, `(B, M)` each; None for all of them."""
        count = elements.shape[1]
        if self.queries(count) == count:
            return None
        plain, fast = _spread(self.queries(count), self.chunk_size, *self._distance)
        return (fast if training else plain)(elements, mask)

    def convolved_shape(self, input_shape, filters):
        """The output shapes for so many channels."""
        elements, values, mask = self.checked_shapes(input_shape, element_width(self.group))
        count = self.queries(values[1])
        return (elements[0], count, elements[2]), (values[0], count, filters), (mask[0], count)

    def expanded_size(self, channels):
        """An upper bound of the numbers in the linear map behind the sum over neighbors, for so many channels."""
        return channels * self.kernel_units[-1] * self.filters

    def neighbors_of(self, centers, elements, mask, radius=None, offsets=None):
        """The neighbors of each center and how much each of them counts.

        Args:
            centers: elements and orbits `(B, M, width)`.
            elements, mask: those of all points, `(B, N, width)` and `(B, N)`.
            radius: of a ball, a scalar tensor; None for the nearest.
            offsets: numbers `(N,)` in [0, 1) by which those in a ball are drawn; None for rings of it.

        Returns:
            `(indices (B, M, K), log, orbits, weights (B, M, K), share (B, M))`, the second and third tuples of planes
            `(B, M, K)`: the coordinates of log v^-1 u, and the orbits of u and of v.
        """
        total, distance = elements.shape[1], self.distance_function()
        k = min(self.neighbors, total)
        drawn, smooth = offsets is not None, self.neighborhood == "cutoff"
        places = k if drawn else min(k + (1 if smooth else self.spare_places), total)
        # One more than there is place for tells whether a shell is whole.
        count = places if drawn or smooth else min(places + 1, total)
        order = None
        if smooth:
            radius, order = self.radius, cells.by_distance
        elif radius is not None:
            order = self._drawn(centers.shape[1], offsets) if drawn else _in_rings(radius)
        if (
            self._in_space(elements)
            and radius is None
            and nearest_in_cells.pays(centers.shape[1], total, self.group.dimension, count)
        ):
            found, there, share, keys = nearest_in_cells.nearest_in_cells(
                centers, elements, mask, count, self.chunk_size
            )
        elif self._by_cells(elements, count, radius):
            width = cells.room(count if smooth else math.ceil(self.fill * total))
            found, there, share, keys = cells.in_radius(
                centers, elements, mask, count, radius, order, self.chunk_size, width
            )
        else:
            found, there, share, keys = neighborhoods.nearest(
                centers, elements, mask, count, distance, radius, order, self.chunk_size
            )
        beyond = keys[..., places:]
        found, there = found[..., :places], there[..., :places]
        size = distance.arithmetic.size
        v = lie.unstack(neighborhoods.take(elements, found))
        u = tuple(ops.expand_dims(x, -1) for x in lie.unstack(centers))
        log = distance.log(v, u)
        weights = ops.cast(there, elements.dtype)
        if smooth:
            far = ops.where(there, distance.length(log, v, u), neighborhoods.FAR)
            # Where more are within the radius than there is place for, it ends at the first without a place.
            edge = ops.minimum(far[..., k:], radius) if places > k else radius
            weights = weights * neighborhoods.smooth_cutoff(far, edge)
        elif k < total or radius is not None:
            far = distance.length(log, v, u)
            if not drawn:
                keys = far if radius is None else neighborhoods.from_rings(far, radius)
                keys = ops.where(there, keys, neighborhoods.FAR)  # again, with a gradient
                if count == places:
                    beyond = ops.full_like(keys[..., :1], neighborhoods.FAR)
                slack = distance.rounding(centers, elements, mask)
                weights = weights * neighborhoods.whole_shells(keys, k, beyond, slack)
            weights = weights if radius is None else weights * neighborhoods.ball(far, radius)
        like = v[0]
        orbits = tuple(x * ops.ones_like(like) for x in (*u[size:], *v[size:]))
        return found, log, orbits, weights, share

    def _in_space(self, elements):
        """Whether distances are those of space, in a graph that may have branches; an exported one has none."""
        return self._of_space and not isinstance(elements, keras.KerasTensor)

    @property
    def _of_space(self):
        """Whether distances on the group are those of space."""
        group = self.group
        return len(group.axes) == group.dimension == element_width(group) > 1 and set(group.metric) <= {1}

    @property
    def cutoff(self):
        """The distance in space within which points count; None where there is none."""
        return self.radius if self.neighborhood == "cutoff" and self._of_space else None

    def _by_cells(self, elements, count, radius):
        """Whether neighbors within a radius are looked for in cells, where that is less work."""
        group, total = self.group, elements.shape[1]
        if radius is None or not self._in_space(elements):
            return False
        expected = count if self.neighborhood == "cutoff" else math.ceil(self.fill * total)
        return cells.pays(total, group.dimension, cells.room(expected))

    def _drawn(self, queries, offsets):
        """In which order each query takes the points of its ball: a rotation of `offsets` (count,) for each."""
        shifts = ops.convert_to_tensor(rotation_grids.low_discrepancy(queries), offsets.dtype)

        def order(numbers, _, chosen=None):
            own = offsets if chosen is None else ops.take(offsets, chosen)
            shifted = ops.expand_dims(ops.take(shifts, ops.minimum(numbers, queries - 1)), -1) + own
            return shifted - ops.floor(shifted)

        return order


@functools.lru_cache(maxsize=64)
def _spread(count, chunk_size, *arguments):
    distance = LeftInvariant(*arguments)

    def spread(elements, mask):
        return thinning.spread(elements, mask, count, distance, distance.tilted, chunk_size)

    return spread, compiled(spread)


def _in_rings(radius):
    return lambda _, distances, chosen=None: neighborhoods.from_rings(distances, radius)


def kept(points, chosen):
    """The rows of each tensor (B, N, ...) that are chosen; all where `chosen`, of `subset`, is None.

    The last is the mask, false where less points are chosen than there is place for.
    """
    if chosen is None:
        return points
    indices, found = chosen
    *points, mask = points
    mask = neighborhoods.take(mask[..., None], indices)[..., 0]
    return (*(neighborhoods.take(x, indices) for x in points), ops.logical_and(mask, found))
