"""What the layers on points share. Features are a flat tuple of three tensors; not a layer of its own.

    elements  (B, N, E)   an element of the group for each point, and its orbit: what the group moves
    values    (B, N, C)   what the network computes with; any stock layer on the last axis keeps the symmetry
    mask      (B, N)      booleans: which of the N places hold a point

Before `LieLift` the positions (B, N, d) stand for the elements. Elements and mask may have a batch axis of 1: then all
samples have their points in common, and what depends on the points alone is computed once for the whole batch.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_equivariant import groups
from keras_equivariant.groups.layouts import Broken, Points, WrongFeatures, of_values
from keras_equivariant.layers.core.source_layout import source_layout
from keras_equivariant.ops import lie
from keras_equivariant.utils.periodic import space_of

_LARGEST = 1e30  # of a coordinate that is a number


class OnPoints:
    """A layer that takes (elements, values, mask); mixed into one.

    Elements have float32 at least, whatever the dtype policy, as positions rounded to half precision would move, and
    float64 where they come in it or the layer computes in it.
    """

    takes_positions = takes_types = takes_cells = False
    activates_each = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.autocast = False
        self.supports_masking = True  # by the third tensor; one that Keras attaches says the same

    def __call__(self, *args, **kwargs):
        # Keras would regularize positions and mask as well.
        regularizer, self.activity_regularizer = self.activity_regularizer, None
        try:
            outputs = super().__call__(*args, **kwargs)
        finally:
            self.activity_regularizer = regularizer
        values = outputs[1] if isinstance(outputs, tuple) else outputs
        if regularizer is not None and keras.ops.is_tensor(values):
            self.add_loss(regularizer(values))
        return outputs

    @classmethod
    def claimed_group(cls, arguments):
        """None: Lie groups are judged by themselves."""
        return None

    def check_features(self, layout, shapes):
        if not isinstance(layout, Points):
            raise WrongFeatures(
                f"takes points. Received: {layout.described} features",
                "they begin with ImageToPoints or `input: {space: 3}`",
            )
        if self.takes_positions != (layout.group is None):
            raise WrongFeatures(
                f"takes {'positions' if self.takes_positions else 'lifted points'}. Received: {layout.described}",
                "use SteerablePointConv and SteerablePointPooling"
                if layout.rotating is not None
                else "a network lifts them once, by LieLift",
            )
        if layout.periodic and not self.takes_cells:
            raise periodic_cell()
        if layout.rotating is not None and not self.takes_types:
            raise rotating_values(layout.rotating)
        if layout.group is not None and self.group is not None and layout.group != self.group:
            raise WrongFeatures(
                f'takes points on its own group, "{self.group.name}". Received: points on "{layout.group.name}"'
            )

    def expected_layout(self, shape):
        return None

    def _check_sources(self, tensors):
        source = points_source(tensors) if len(tensors) == 3 else None
        if isinstance(source, Points):
            try:
                self.check_features(source, [tensor.shape for tensor in tensors])
            except WrongFeatures as error:
                raise ValueError(f"{type(self).__name__} {error}") from None
        else:
            super()._check_sources(tensors[1:2] if isinstance(source, Broken) else tensors)

    def compute_mask(self, inputs, previous_mask):
        return None

    def compute_output_spec(self, inputs, training=None):
        shapes = self.compute_output_shape([x.shape for x in inputs])
        if not isinstance(shapes[0], tuple | list):
            return keras.KerasTensor(shapes, self.compute_dtype)
        dtypes = (self._full_dtype(inputs[0]), self.compute_dtype, "bool")
        return tuple(keras.KerasTensor(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))

    def checked_shapes(self, shapes, width):
        """The shapes of (elements, values, mask); ValueError for all others.

        Args:
            shapes: those that the layer was given.
            width: the width of the elements, or None for any.
        """
        three = isinstance(shapes, tuple | list) and len(shapes) == 3 and isinstance(shapes[0], tuple | list)
        found = [tuple(shape) for shape in shapes] if three else shapes
        what = "positions" if width is None or self.takes_positions else "elements"
        if not three or [len(shape) for shape in found] != [3, 3, 2] or found[1][2] is None:
            raise ValueError(
                f"{type(self).__name__} takes points as ({what} (B, N, width), values (B, N, C), mask (B, N)). "
                f"Received: shapes {found}; images become points by ImageToPoints, positions become elements by LieLift"
            )
        count = found[1][1]
        if count is None or not count or any(shape[1] != count for shape in found):
            raise ValueError(
                "The number of points must be known, at least 1, and the same in all three tensors: neighborhoods "
                f"have fixed shapes. Received: shapes {found}; fill up with points that the mask leaves out"
            )
        if width is not None and space_of(found[0][2]) == width and found[0][2] != width:
            if not self.takes_cells:
                raise ValueError(f"{type(self).__name__} {periodic_cell()}, of shapes {found}")
        elif width is not None and found[0][2] != width:
            group = self.group.name
            remedy = (
                f'positions become elements by LieLift(group="{group}")'
                if what == "elements"
                else f"give each {width} coordinates"
            )
            raise ValueError(
                f'{type(self).__name__} on the group "{group}" takes {what} of width {width}. Received: '
                f"{found[0][2]} in shapes {found}; {remedy}"
            )
        return found

    def full(self, x):
        """Positions or elements in float32 at least, in float64 where the layer computes in it."""
        return ops.cast(x, self._full_dtype(x))

    def _full_dtype(self, x):
        return "float64" if "float64" in (keras.backend.standardize_dtype(x.dtype), self.compute_dtype) else "float32"

    def present(self, positions, mask):
        """Positions in full precision and the mask of those that are numbers; zeros for the others."""
        positions = self.full(positions)
        there = ops.all(ops.abs(positions) < _LARGEST, axis=-1)  # false for NaN
        mask = ops.logical_and(ops.cast(mask, "bool"), there)
        return zero_where_absent(positions, mask), mask


def points_source(tensors):
    """The layout of symbolic (elements, values, mask) by the layers that made them, None where nothing is known.

    What made the elements may say of the values what they were before other layers.
    """
    elements, values = (source_layout(tensor) for tensor in tensors[:2])
    if isinstance(values, Broken):
        return values
    field_type = getattr(of_values(values), "type", None)
    if isinstance(elements, Points):
        return dataclasses.replace(elements, type=field_type)
    if isinstance(values, Points) or field_type is None:
        return values
    return Points(type=field_type)


def rotating_values(field_type):
    """The error of a layer that takes invariants, for values that the group moves."""
    return WrongFeatures(
        f'takes values that no element moves. Received: values of type "{field_type}" on {field_type.group.name}',
        "use NormPooling before it, or SteerablePointConv instead",
    )


def periodic_cell():
    """The error of a layer that takes points without a period, for positions with lattice vectors."""
    return WrongFeatures(
        "takes points that no cell repeats",
        "use SteerablePointConv, which sums over all copies within its radius; or leave the cell out, "
        "positions[..., :d], in a data set `periodic=False`. Received: positions with lattice vectors",
    )


def arithmetic(group):
    """The tensor arithmetic of a LieGroup."""
    own = group.exp, group.log, group.lift, group.generators
    return lie.arithmetic(group.dimension, group.axes, group.rotates, group.scales, *own)


def element_width(group):
    """Numbers that an element and its orbit take."""
    return arithmetic(group).size + group.orbit


def checked_group(group):
    """The LieGroup of this name."""
    return groups.lie_group(group)


def zero_where_absent(values, mask):
    """Values (B, N, C) with zeros where the mask (B, N) is false, whatever stood there, NaN included."""
    return ops.where(ops.expand_dims(mask, -1), values, ops.zeros_like(values))
