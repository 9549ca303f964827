"""What layers share that take positions and values of a field type; not a layer of their own.

positions (B, N, d), values (B, N, D) of the type, mask (B, N); an element of the group rotates positions and values.
In a periodic cell each position has the lattice vectors behind its coordinates, (B, N, d + d d).
"""

from __future__ import annotations

from typing import Any

from keras_equivariant.groups.layouts import Broken, Points, WrongFeatures
from keras_equivariant.layers.core.options import FieldsLike, GroupLike
from keras_equivariant.layers.core.source_layout import source_layout
from keras_equivariant.layers.core.typed import Typed, as_type
from keras_equivariant.layers.points.features import OnPoints, points_source


class OnTypedPoints(OnPoints, Typed):
    """A layer on (positions, values of a field type, mask); subclasses set `out_type`."""

    takes_positions = takes_types = takes_cells = True

    def __init__(self, in_type: FieldsLike, group: GroupLike | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.in_type = as_type(in_type, group, "in_type")
        self.out_type = self.in_type
        if self.group.dimension not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} needs a group that moves points of the plane or of space. Received: "
                f"group={self.group.name!r}, of {self.group.dimension} coordinates; use one such as SO2 or SO3"
            )

    @classmethod
    def claimed_group(cls, arguments):
        return arguments.get("group")

    def check_features(self, layout, shapes):
        super().check_features(layout, shapes)
        if layout.dimension not in (None, self.group.dimension):
            raise WrongFeatures(
                f"works in {self.group.dimension} dimensions, on {self.group.name}. Received: positions of "
                f"{layout.dimension} coordinates",
                "use a group of theirs, such as SO2 in the plane and SO3 in space",
            )
        self.check_values(layout, shapes[1] if len(shapes) > 1 else shapes[0])

    def _check_sources(self, tensors):
        source = points_source(tensors)
        if isinstance(source, Broken):
            super()._check_sources(tensors[1:2])
        lifted = isinstance(source, Points) and source.group is not None
        if isinstance(source, Points) and (lifted or source_layout(tensors[1]) is not None):
            super()._check_sources(tensors)

    def law(self, layout, shapes):
        return Points(None, self.group.dimension, layout.shared, self.out_type, layout.periodic)

    def expected_layout(self, shape):
        return Points(None, self.group.dimension, False, self.in_type)

    def checked_shapes(self, shapes, width):
        found = super().checked_shapes(shapes, self.group.dimension)
        self._check_channels(found[1])
        return found

    def periodic(self, positions):
        """The coordinates, and the lattice vectors `(B, N, d d)`, None where there are none."""
        d = self.group.dimension
        return (positions, None) if positions.shape[-1] == d else (positions[..., :d], positions[..., d:])
