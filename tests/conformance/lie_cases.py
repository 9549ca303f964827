"""The layers on points for the catalogue: one array (B, N, d + C) in, one array out, and the laws in between.

The last channel of a point says whether it is there.
"""

import dataclasses

import numpy as np
from catalogue import Case
from keras import ops

from keras_equivariant import groups, layers
from keras_equivariant.layers.points.features import arithmetic, zero_where_absent
from keras_equivariant.ops import lie

CHANNELS = 4


@dataclasses.dataclass(frozen=True)
class LieCase(Case):
    """A layer on points; those before it but LieLift itself are lifted by the stated number of samples."""

    samples: int = 1

    @property
    def finite_group(self):
        rotations = self.samples if groups.lie_group(self.group).stabilizer else None
        return groups.LieSample(self.group, 4, rotations)

    def connect(self, layer, inputs):
        d = groups.lie_group(self.group).dimension
        points = inputs[..., :d], inputs[..., d:], inputs[..., -1] < 1.0
        if self.layer is not layers.LieLift:
            points = layers.LieLift(self.group, self.samples, dtype=layer.dtype_policy)(points)
        found = layer(points)
        if not isinstance(found, tuple):
            return found
        elements, values, mask = found
        if self.samples > 1:  # the positions; a rotation has two quaternions
            elements = elements[..., -d:]
        elements = zero_where_absent(elements, mask)
        elements, mask = (ops.cast(x, values.dtype) for x in (elements, mask))
        y = ops.concatenate([elements, values, mask[..., None]], axis=-1)
        if self.samples == 1:
            return y
        # The lifts of a point change places: their sum over the number stays.
        lifts = ops.reshape(y, (-1, y.shape[1] // self.samples, self.samples, y.shape[2]))
        return ops.sum(lifts, axis=2) / self.samples


def positions(x, group, element):
    """The positions moved, the values left alone."""
    d = group.dimension
    return np.concatenate([groups.move_points(x[..., :d], group.matrices[element]), x[..., d:]], axis=-1)


def kept_positions(x, group, element):
    """`positions`, of the points that are there: what the last channel says."""
    moved = positions(x, group, element)
    return np.where(x[..., -1:] > 0, moved, x)


def elements(x, group, element):
    """The elements of points that are there multiplied from the left, the values left alone."""
    own, lie_group = arithmetic(group.group), group.group
    matrix = group.matrices[element].astype(x.dtype)
    rotated = list(matrix[:2, 0]) if lie_group.rotates else list(np.diag(matrix)[:-1]) if lie_group.generators else []
    g = tuple(ops.convert_to_tensor(c, x.dtype.name) for c in (*rotated, *matrix[list(lie_group.axes), -1]))
    u = lie.unstack(ops.convert_to_tensor(x[..., : own.size]))
    product = ops.convert_to_numpy(ops.stack(own.product(g, u), axis=-1)) if own.size else x[..., :0]
    return np.concatenate([product * x[..., -1:], x[..., own.size :]], axis=-1)


def vectors(x, group, element):
    """Vectors (B, d C), components first, rotated."""
    d = group.dimension
    rotated = np.einsum("ij,bjc->bic", group.matrices[element][:d, :d], x.reshape(len(x), d, -1))
    return rotated.reshape(x.shape).astype(x.dtype)


def on_points(layer, group, out=elements, points=6, samples=1, **options):
    d = groups.lie_group(group).dimension
    arguments = {"group": group, **options}
    if samples > 1:
        arguments["samples"], out = samples, kept_positions
    return LieCase(layer, arguments, (points, d + CHANNELS), group, positions, out, samples=samples)


def conv(group, **options):
    return on_points(layers.LieConv, group, **{"filters": 3, "bias_initializer": "normal", **options})


def block(group, **options):
    return on_points(layers.LieBottleneck, group, **{"filters": 6, **options})


class ImageCase(Case):
    """Pixels as points; the sum of positions times values is a vector."""

    def connect(self, layer, inputs):
        places, values, mask = layer(inputs)
        weight = ops.cast(places * ops.cast(mask, places.dtype)[..., None], values.dtype)
        # Sums and products: matmul and mean of Keras round float64 on some backends.
        y = ops.sum(ops.expand_dims(weight, -1) * ops.expand_dims(values, -2), axis=1)
        return ops.reshape(y, (-1, y.shape[1] * y.shape[2]))


def image_to_points(**options):
    return ImageCase(layers.ImageToPoints, options, (5, 5, 3), "D4", "image", vectors)


LIE_CASES = [
    image_to_points(),
    image_to_points(radius=2.5, spacing=0.5),
    on_points(layers.LieLift, "RxSO2"),
    on_points(layers.LieLift, "SE2", samples=4, sampling="grid"),
    on_points(layers.LieLift, "SE3", samples=4, sampling="shared", seed=1),
    on_points(layers.LieLift, "SE3", samples=4, sampling="principal"),
    on_points(layers.LieLift, "RxSQ"),
    conv("SQ", neighbors=4, distance="squared", alpha=0.5, batch_normalization=False),
    block("RxSQ", neighborhood="ball", fill=0.5, radius=1.5, neighbors=3, batch_normalization=False),
    conv("T2", neighbors=4, spare=1, reduction="sum", chunk_size=4, batch_normalization=False),
    conv("SO2", neighbors=4, distance="squared", alpha=0.5, kernel_units=(8, 6), activation="relu"),
    conv("RxSO2", neighborhood="ball", fill=0.5, radius=1.5, neighbors=3, seed=2, batch_normalization=False),
    conv("T3", neighborhood="cutoff", radius=2.0, neighbors=5, batch_normalization=False),
    block("SO2", neighborhood="cutoff", radius=1.5, neighbors=3),
    block("T3", points=8, fraction=0.5, neighbors=3, kernel_activation="relu", ratio=2, activation="relu"),
    block("Tx", neighbors=4, batch_normalization=False),
    on_points(layers.LiePooling, "SO2", out=vectors, reduction="sum", vectors=True),
]
