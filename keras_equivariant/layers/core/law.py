"""The law of a layer: which layout of features it takes, and which it makes of it; not a layer of its own."""

import warnings

import keras

from keras_equivariant.groups.intersection import intersection
from keras_equivariant.groups.layouts import (
    BreaksSymmetry,
    Broken,
    Harmonic,
    Image,
    OnOtherAxes,
    Quotient,
    Regular,
    Typed,
    WrongFeatures,
    received,
)
from keras_equivariant.layers.core.source_layout import source_groups, source_layout
from keras_equivariant.stock.features import other_rank
from keras_equivariant.utils.frames import users_frame


class Lawful:
    """Mixin that answers what a layer does to a layout.

    Subclasses say in `check_features` which layouts they take, in `law` what they make of them, in `expected_layout`
    what they take where nothing else tells, and in `symmetry_problems` on which sizes their symmetry breaks.
    """

    group = None
    rank = None
    takes = "features of which the layers before it have kept the symmetry"

    @classmethod
    def claimed_group(cls, arguments):
        """Name of the group of which a network claims the symmetry for having a layer with these arguments, or None."""
        return arguments.get("group")

    def output_layout(self, layouts, shapes):
        """The layout of what the layer makes of features.

        Args:
            layouts: a `groups.layouts.Layout` for each input tensor.
            shapes: their shapes, with the batch axis; None where a size is unknown.

        Returns:
            The Layout of all outputs.

        Raises:
            WrongFeatures: the layer cannot take such features.
            BreaksSymmetry: it does not commute with the group on these sizes. Its `layout` is that of the output all
                the same.
        """
        layout, shape, found = layouts[0], tuple(shapes[0]), layouts[0]
        if isinstance(layout, OnOtherAxes):
            raise _needs_space(layout, shape)
        if not isinstance(layout, Broken):
            self.check_features(layout, shapes)
            if self.group is None and getattr(layout.group, "dimension", None) == self.rank:
                self._source = layout.group  # under which the windows are judged
            found = self.law(layout, shapes)
        problems = self.symmetry_problems(shape) if len(shape) >= 2 + (self.rank or 0) else []
        if problems:
            raise BreaksSymmetry("; ".join(problems), layout=found)
        return found

    def check_features(self, layout, shapes):
        """WrongFeatures unless the layer takes features of this layout; here those of its own group."""
        shape = tuple(shapes[0])
        self._check_rank(layout, shape)
        if isinstance(layout, Typed):
            raise WrongFeatures(
                f"takes no features with a field type. Received: {layout.described} features",
                "use SteerableConv2D and the other layers for field types",
            )
        self._check_own_group(layout, shape)

    def law(self, layout, shapes):
        """The layout behind the layer for features that it takes; here the same."""
        return layout

    def expected_layout(self, shape):
        """The layout that the layer takes features of this shape for; None where it takes several."""
        return None

    def _check_rank(self, layout, shape):
        rank = self.rank or getattr(self.group, "dimension", None)
        found = layout.rank(shape)
        if rank and found and rank != found:
            raise other_rank(type(self).__name__, rank, layout, shape)

    def _check_own_group(self, layout, shape):
        if isinstance(layout, Regular) and self.group is not None and layout.group != self.group:
            raise WrongFeatures(
                f'takes regular features of its own group, "{self.group.name}". {received(layout, shape)}'
            )

    def __call__(self, inputs, *args, **kwargs):
        tensors = keras.tree.flatten(inputs)
        if tensors and all(isinstance(tensor, keras.KerasTensor) for tensor in tensors):
            self._check_sources(tensors)
        return super().__call__(inputs, *args, **kwargs)

    def _check_sources(self, tensors):
        """Refuses symbolic tensors that are known to be no features for the layer, by the layers that made them."""
        source, shapes = self._source_layout(tensors[0]), [tensor.shape for tensor in tensors]
        if source is None:
            return
        if isinstance(source, Broken):
            refuse(self, f"takes {self.takes}. Received: {source.reason}")
            return
        try:
            if not isinstance(source, OnOtherAxes):
                self.check_features(source, shapes)
                self.law(source, shapes)
            elif self.rank:
                raise _needs_space(source, shapes[0])
        except WrongFeatures as error:
            raise ValueError(f"{type(self).__name__} {error}") from None
        except BreaksSymmetry as error:
            if isinstance(error.layout, Broken):  # else the group of the layer keeps it
                refuse(self, f"loses the symmetry of its features: {error}")

    def _source_layout(self, tensor):
        """The layout of what comes in: `Broken` where not even the elements that the groups share are kept."""
        expected = self.expected_layout(tensor.shape)
        found = source_layout(tensor, images=expected if isinstance(expected, Image) else None)
        dimension = self.rank or getattr(self.group, "dimension", None)
        if not isinstance(found, Broken) or dimension is None:
            return found
        groups = source_groups(tensor, dimension)
        shared = intersection(*groups, *([] if self.group is None else [self.group])) if groups else None
        if shared is None or shared.order == 1 or shared in groups:
            return found
        return source_layout(tensor, group=shared)


def refuse(layer, problem):
    """ValueError, or a warning if the layer's `strict` is False, for features that have lost their symmetry."""
    text = f'{type(layer).__name__} "{layer.name}" {problem}'
    if layer.strict:
        raise ValueError(f"{text}. With strict=False it is built all the same, without that symmetry") from None
    warnings.warn(f"{text}. It is built without that symmetry (strict=False)", stacklevel=users_frame())


def _needs_space(layout, shape):
    return BreaksSymmetry(
        f"works on axes of space, which a Reshape put on others. {received(layout, shape)}",
        "use it before the Reshape",
    )


def check_group_axis(layer, layout, shape):
    """WrongFeatures unless features have a group axis, of the layer's own group where it names one."""
    if layout.scalars or isinstance(layout, Harmonic):
        rank = 3 if layout.rank(shape) == 3 else 2
        raise WrongFeatures(
            f"takes features with a group axis. {received(layout, shape)}",
            f"such features come from LiftingConv{rank}D",
        )
    Lawful.check_features(layer, layout, [shape])


def check_regular(layer, layout, shape):
    """WrongFeatures unless features are regular ones of the layer's own group."""
    check_group_axis(layer, layout, shape)
    if isinstance(layout, Quotient):
        raise WrongFeatures(f"takes regular features. {received(layout, shape)}")
