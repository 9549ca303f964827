"""The layers on points whose values have a field type: one array (B, N, d + D + 1) in, the last channel the mask."""

import dataclasses

import numpy as np
from catalogue import Case
from keras import ops

from keras_equivariant import FieldType, groups, layers
from keras_equivariant.groups.layouts import Positions
from keras_equivariant.layers.points.features import zero_where_absent
from keras_equivariant.utils.periodic import periodic_width


@dataclasses.dataclass(frozen=True)
class FieldPointCase(Case):
    """A layer on (positions, values of a field type, mask); positions may have a periodic cell."""

    periodic: bool = False

    @property
    def finite_group(self):
        return groups.MotionSample(self.group, 4)

    def connect(self, layer, inputs):
        d = self.finite_group.dimension
        width, positions = d, inputs[..., :d]
        if self.periodic:  # wider cells than the mean of random numbers
            width = periodic_width(d)
            positions = ops.concatenate([positions, 8 * inputs[..., d:width]], axis=-1)
        found = layer((positions, inputs[..., width:-1], inputs[..., -1] < 1.0))
        if not isinstance(found, tuple):
            return found
        positions, values, mask = found
        positions, mask = (ops.cast(x, values.dtype) for x in (zero_where_absent(positions, mask), mask))
        return ops.concatenate([positions, values, mask[..., None]], axis=-1)


def moved(field_type, there, periodic=False):
    """The action on positions, values of the type, and what says whether a point is there (`there` of it)."""
    positions_of = Positions()

    def act(x, group, element):
        d = group.dimension
        width = periodic_width(d) if periodic else d
        matrix = group.matrices[element]
        positions = x[..., :width]
        positions = np.where(there(x[..., -1:]), positions_of.act(positions, group, element), positions)
        values = field_type.transform(x[..., width:-1], matrix[:d, :d])
        return np.concatenate([positions, values, x[..., -1:]], axis=-1)

    return act


def on_points(layer, group, in_type, out_type=None, points=6, periodic=False, **options):
    arguments = {"in_type": in_type, "group": group, **options}
    if out_type is not None:
        arguments["out_type"] = out_type
    into = FieldType.parse(in_type, group)
    out = layer(**arguments).out_type
    if layer is not layers.SteerablePointPooling:
        out = moved(out, lambda mask: mask > 0, periodic)
    d = into.group.dimension
    shape = (points, (periodic_width(d) if periodic else d) + into.size + 1)
    into = moved(into, lambda mask: mask < 1.0, periodic)
    return FieldPointCase(layer, arguments, shape, group, into, out, periodic=periodic)


def conv(group, in_type, out_type, **options):
    options = {"radius": 2.0, "neighbors": 4, "kernel_units": (6, 3), "bias_initializer": "normal", **options}
    return on_points(layers.SteerablePointConv, group, in_type, out_type, **options)


# One that leads between all kinds of irreps, in periodic cells, one with every option; other groups have their laws in
# tests/layers.
FIELD_POINT_CASES = [
    conv("SO3", "2x0 + 1x1", "1x0 + 1x1 + 1x2", chunk_size=4, kernel_units=2, neighbors=9, periodic=True),
    conv(
        "D4",
        "1xregular",
        "1xregular",
        max_degree=1,
        num_rings=3,
        kernel_units=(),
        kernel_activation="tanh",
        reduction="sum",
        activation="relu",
        kernel_initializer="he_normal",
        kernel_regularizer="l2",
        bias_regularizer="l1",
        activity_regularizer="l2",
        images=2,
        kernel_constraint="max_norm",
        bias_constraint="non_neg",
    ),
    on_points(
        layers.PositionOrientationConv,
        "T",
        "2xquotient(C3_111)",
        "3xquotient(C3_111)",
        **{
            "radius": 2.0,
            "neighbors": 4,
            "max_degree": 2,
            "num_rings": 3,
            "kernel_units": 6,
            "kernel_activation": "tanh",
        },
        **{"reduction": "sum", "images": 2, "chunk_size": 4, "activation": "relu"},
        **{"kernel_initializer": "he_normal", "kernel_regularizer": "l2", "kernel_constraint": "max_norm"},
        **{"bias_initializer": "normal", "bias_regularizer": "l1", "bias_constraint": "non_neg"},
        activity_regularizer="l2",
    ),
    on_points(
        layers.PositionOrientationBlock,
        "O",
        "5xquotient(C4z)",
        **{
            "radius": 2.0,
            "neighbors": 4,
            "max_degree": 1,
            "num_rings": 4,
            "kernel_units": (),
            "kernel_activation": "tanh",
        },
        **{"reduction": "sum", "images": 2, "chunk_size": 4, "activation": "relu", "expansion": 2},
    ),
    on_points(layers.SteerablePointPooling, "O3", "2x0e + 1x1o", reduction="sum"),
]
