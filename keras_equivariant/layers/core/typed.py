"""What the layers on field types share: the types, and that nothing untyped came between; not a layer of its own."""

import dataclasses

from keras_equivariant.groups import FieldType, channels
from keras_equivariant.groups import layouts as _layouts
from keras_equivariant.groups.layouts import (
    Points,
    Regular,
    WrongFeatures,
    of_values,
    received,
)
from keras_equivariant.stock import traits


def as_type(value, group, argument):
    """The FieldType that a layer's argument gives; ValueError names the argument."""
    try:
        if isinstance(value, FieldType) and group is None:
            return value
        if group is None:
            raise ValueError(f'A field type in words needs the `group`. Received: {value!r}; add e.g. group="D4"')
        return FieldType.parse(value, group)
    except ValueError as error:
        raise ValueError(f"`{argument}`: {error}") from None


class Typed:
    """Mixin of layers whose input, and mostly output, has a field type.

    Subclasses set `in_type` and, where there is one, `out_type`.
    """

    takes = "features of a field type"
    out_type: FieldType | None = None
    on_points = False  # whether it acts on each point's values by themselves

    @property
    def group(self):
        return self.in_type.group

    def _check_channels(self, input_shape, rank=None):
        """ValueError unless the features have the channels of `in_type`, and no space where the group moves none."""
        if self.group.dimension > 3 and len(input_shape) > 3:
            raise ValueError(
                f"{type(self).__name__} takes features without space (B, {self.in_type.size}) on {self.group.name}, "
                f"which moves no grid: its points have {self.group.dimension} coordinates. Received: "
                f"input_shape={tuple(input_shape)}; pool over space before it"
            )
        if (rank is not None and len(input_shape) != rank) or input_shape[-1] != self.in_type.size:
            space = {None: "...", 2: "B", 4: "B, H, W", 5: "B, D, H, W"}[rank]
            raise ValueError(
                f'{type(self).__name__} takes features ({space}, {self.in_type.size}) of type "{self.in_type}" on '
                f"{self.group.name}. Received: input_shape={tuple(input_shape)}"
            )

    def check_features(self, layout, shapes):
        self._check_rank(layout, tuple(shapes[0]))
        if isinstance(layout, Points) and not self.on_points:
            raise WrongFeatures(
                f"sums over the pixels of a grid. {received(layout, shapes[0])}",
                "use SteerablePointConv, of normalizations SteerableLayerNormalization, or pool the points before it",
            )
        self.check_values(layout, shapes[0])

    def check_values(self, layout, shape):
        """WrongFeatures unless features, or the values of points, have the type of the layer."""
        given, layout = received(layout, shape), of_values(layout)
        same = isinstance(layout, _layouts.Typed) and layout.type == self.in_type
        if same or layout.scalars and self.in_type.scalar:
            return  # scalars of another number are noticed by `_check_channels`
        remedy = ""
        if isinstance(layout, _layouts.Typed):
            given, remedy = f"Received: features of type {layout.described}", f'give the layer in_type="{layout.type}"'
        elif isinstance(layout, Regular):
            remedy = "use FlattenFields before it"
        raise WrongFeatures(f'takes features of type "{self.in_type}" on {self.group.name}. {given}', remedy)

    def law(self, layout, shapes):
        if isinstance(layout, Points):
            return dataclasses.replace(layout, type=self.out_type)
        return _layouts.Typed.of(self.out_type, len(shapes[0]))

    def expected_layout(self, shape):
        if self.on_points and len(shape) == 3:  # no grid has one axis
            return Points(None, self.group.dimension, False, self.in_type)
        return _layouts.Typed.of(self.in_type, len(shape))


def check_activation(activation, field_type):
    """ValueError unless a pointwise activation commutes with the type."""
    if traits.is_linear(activation) or field_type.permutation:
        return
    if traits.is_odd(activation) and channels.is_signed(field_type):
        return
    moved = next(b.representation.name for b in field_type.blocks if not b.representation.permutation)
    raise ValueError(
        "A pointwise activation commutes only with fields whose components are permuted: scalars, regular and "
        'quotient fields; an odd one such as "tanh" also with fields whose components are permuted up to sign. '
        f'Received: activation={getattr(activation, "__name__", activation)!r} on "{field_type}", '
        f'in which "{moved}" mixes its components; use NormActivation, GatedActivation or FourierActivation'
    )


def layout(field_type):
    """The `(dim, multiplicity)` of each block, as the functions of `ops` take it."""
    return tuple((block.dim, block.multiplicity) for block in field_type.blocks)


def scalar_blocks(field_type):
    """For each block whether it holds scalars, fields of one component that no element moves."""
    return tuple(block.dim == 1 and len(block.invariants) == 1 for block in field_type.blocks)
