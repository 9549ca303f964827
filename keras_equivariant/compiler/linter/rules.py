"""Features on their way through a spec: a shape and a layout, and what layers of ours and of Keras make of them."""

import dataclasses

from keras_equivariant import groups
from keras_equivariant.compiler.grammar import registry
from keras_equivariant.groups import FieldType
from keras_equivariant.groups.intersection import intersection
from keras_equivariant.groups.layouts import (
    Broken,
    Harmonic,
    Image,
    Invariant,
    Layout,
    Points,
    Quotient,
    Regular,
    Typed,
)
from keras_equivariant.layers.points.features import element_width
from keras_equivariant.stock import laws
from keras_equivariant.stock.features import mean
from keras_equivariant.utils.periodic import periodic_width


@dataclasses.dataclass(frozen=True)
class Features:
    """Features at one point of a network.

    Attributes:
        shape: with the batch axis; None where unknown. Of points that of their values.
        layout: a `groups.layouts.Layout`.
    """

    shape: tuple
    layout: Layout

    def __str__(self):
        return self.layout.described

    @property
    def rank(self):
        """Number of axes of space; 0 without any, or where nothing is known of the features."""
        return self.layout.rank(self.shape)

    @property
    def on_points(self):
        """Whether they are points, three tensors."""
        return isinstance(self.layout, Points)

    def tensors(self):
        """Layouts and shapes of all tensors: one, or of points elements, values and mask."""
        if not self.on_points:
            return [self.layout], [self.shape]
        layout, (batch, count, _) = self.layout, self.shape
        alone = 1 if layout.shared else batch
        if layout.group is not None:
            width = element_width(layout.group)
        else:
            width = periodic_width(layout.dimension) if layout.periodic else layout.dimension
        return [layout] * 3, [(alone, count, width), self.shape, (alone, count)]


def input_features(shape, space=None, group=None, field_type=None, periodic=False):
    """The features that an input of this shape (without the batch axis) is; with `space` coordinates, points.

    Args:
        group: the symmetry that the network claims.
        field_type: of the values of points, in words; None for invariants.
        periodic: whether positions come with the lattice vectors of a cell.

    Raises:
        ValueError: values that are not of this type.
    """
    if space is not None:
        values = _type_of_values(field_type, shape, space, group)
        return Features((None, *shape), Points(None, space, False, values, periodic))
    layouts = {1: Invariant(group), 3: Image(group), 4: Image(group)}
    return Features((None, *shape), layouts.get(len(shape), Broken()))


def _type_of_values(field_type, shape, space, group):
    if field_type is None:
        return None
    found = FieldType.parse(field_type, group or f"SO{space}")
    if found.size != shape[-1]:
        raise ValueError(
            f'the values of type "{found}" have {found.size} channels on {found.group.name}. Received: '
            f"shape={list(shape)}; make its last number {found.size}"
        )
    return found


def law(layer, layouts, shapes, group):
    """The layout behind a layer, ours or Keras's, under the symmetry that the network claims."""
    if hasattr(layer, "output_layout") and not isinstance(layouts[0], Points):
        return layer.output_layout(layouts, shapes)
    if hasattr(layer, "check_features"):
        return layer.output_layout(layouts, shapes)
    return laws.output_layout(layer, layouts, shapes, group=group)


def claimed(entries):
    """The symmetry that a network with these layers claims: what all their groups have in common.

    Returns:
        `(group, problem)`: None for the group where the layers name none or share nothing but the identity, and a
        sentence that says so in the latter case, else None.
    """
    found = [group for group in dict.fromkeys(map(_claim, entries)) if group is not None and group.order > 1]
    if not found or len({group.dimension for group in found}) > 1:
        return None, None
    shared = intersection(*found)
    if shared.order > 1:
        return shared, None
    listed = " and ".join(", ".join(group.name for group in found).rsplit(", ", 1))
    return None, (
        f"the groups {listed} share only the identity, so that the network as a whole has no symmetry; use one group, "
        "or groups of which one contains the others"
    )


def _claim(entry):
    cls = registry.layer_classes()[entry.layer]
    try:
        name = cls.claimed_group(entry.arguments) if hasattr(cls, "claimed_group") else None
        return groups.get(name) if name else None
    except ValueError as error:
        raise entry.where.error(str(error)) from None


def ending(features):
    """A warning for a network whose answer rotates with its input, or None."""
    layout, average = features.layout, mean(features.layout, features.shape)
    remedies = {
        Regular: f"GroupPooling and {average}",
        Quotient: f"GroupPooling and {average}",
        Typed: f"NormPooling, or with scalar fields, and {average}",
        Harmonic: "HarmonicMagnitude and GlobalAveragePooling2D",
    }
    if type(layout) not in remedies:
        return None
    return (
        f"the network ends with {features} features, which rotate with the input; for an invariant answer end with "
        f"{remedies[type(layout)]}; where the answer is meant to rotate, say `law: equivariance` at the top of the spec"
    )
