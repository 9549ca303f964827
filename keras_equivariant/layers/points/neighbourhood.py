"""Which points a convolution on a Lie group sums over; not a layer of its own."""

from keras import ops

from keras_equivariant.groups import rotation_grids
from keras_equivariant.layers.points.features import OnPoints, arithmetic, checked_group, element_width
from keras_equivariant.ops import neighbourhoods
from keras_equivariant.ops.lie_distance import left_invariant
from keras_equivariant.utils.checks import check_choice, check_number, tuple_of


class Neighbourhoods(OnPoints):
    """Arguments of a convolution on points that `LieConv` and `LieBottleneck` have in common; mixed into a layer."""

    def __init__(
        self,
        group,
        neighbours=32,
        neighbourhood="nearest",
        fraction=1.0,
        fill=0.1,
        radius=2.0,
        distance="convex",
        alpha=0.2,
        reduction="mean",
        kernel_units=(32, 32, 16),
        kernel_activation="swish",
        batch_normalization=True,
        chunk_size=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.group = checked_group(group)
        (self.neighbours,) = tuple_of(neighbours, 1, "neighbours")
        self.neighbourhood = check_choice(neighbourhood, "neighbourhood", ("nearest", "ball"))
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
        self.kernel_activation = kernel_activation
        self.batch_normalization = bool(batch_normalization)
        self.chunk_size = None if chunk_size is None else tuple_of(chunk_size, 1, "chunk_size")[0]
        self.seed = seed

    @property
    def options(self):
        """The arguments of this class, plain values."""
        names = ("neighbours", "neighbourhood", "fraction", "fill", "radius", "distance", "alpha", "reduction")
        found = {name: getattr(self, name) for name in names}
        return {
            "group": self.group.name,
            **found,
            "kernel_units": list(self.kernel_units),
            "kernel_activation": self.kernel_activation,
            "batch_normalization": self.batch_normalization,
            "chunk_size": self.chunk_size,
            "seed": self.seed,
        }

    def get_config(self):
        return {**super().get_config(), **self.options}

    def queries(self, count):
        """How many of so many points are kept."""
        return max(1, round(self.fraction * count))

    def distance_function(self):
        """The left-invariant distance, of tuples of planes."""
        group = self.group
        angles = len(group.scale_and_angles)
        ties = 1e-3 if group.stabilizer else 0.0
        return left_invariant(arithmetic(group), angles, group.metric, self.distance, self.alpha, ties)

    def subset(self, elements, mask):
        """Numbers of the points that are kept, `(B, M)`, or None for all of them."""
        count = elements.shape[1]
        if self.queries(count) == count:
            return None
        return neighbourhoods.spread(elements, mask, self.queries(count), self.distance_function())

    def convolved_shape(self, input_shape, filters):
        """The output shapes for so many channels."""
        elements, values, mask = self.checked_shapes(input_shape, element_width(self.group))
        count = self.queries(values[1])
        return (elements[0], count, elements[2]), (values[0], count, filters), (mask[0], count)

    def order(self, count, queries, offsets):
        """In which order each query takes the points of its ball: a rotation of `offsets` (count,) for each."""
        turns = ops.convert_to_tensor(rotation_grids.low_discrepancy(queries), offsets.dtype)

        def order(numbers):
            shifted = ops.expand_dims(ops.take(turns, ops.minimum(numbers, queries - 1)), -1) + offsets
            return shifted - ops.floor(shifted)

        return order


def kept(points, indices):
    """The rows of each tensor (B, N, ...) that are kept; all where `indices` is None."""
    if indices is None:
        return points
    return tuple(
        neighbourhoods.take(x, indices) if len(x.shape) == 3 else neighbourhoods.take(x[..., None], indices)[..., 0]
        for x in points
    )
