"""What pooling and upsampling share: stock arithmetic on whatever lies above a pixel; not a layer of its own."""

from __future__ import annotations

import math
from typing import Any

from keras import ops as kops

from keras_equivariant import groups
from keras_equivariant.groups.layouts import BreaksSymmetry, Harmonic, Typed, WrongFeatures, received
from keras_equivariant.layers.core.base import EquivariantLayer, axis_names, stock
from keras_equivariant.layers.core.options import DataFormat, GroupLike, Padding, Size, passed_on
from keras_equivariant.ops import pooling
from keras_equivariant.ops.windows import Antialiased, Sliding
from keras_equivariant.utils.checks import check_data_format, check_padding, tuple_of


class PixelwiseLayer(EquivariantLayer):
    """A layer that treats all channels of a pixel alike; subclasses compute on (B, *space, C).

    The fiber between space and the channels is nothing on images and volumes, the group axis on regular features, and
    the orders with their two parts on harmonic ones; the last in the plane, and only where the layer is `linear`.
    Subclasses of volumes set `rank`, the number of axes of space.
    """

    rank = 2
    linear = True

    def __init__(self, group: GroupLike | None = None, strict: bool = True, **kwargs: Any) -> None:
        super().__init__(**passed_on(locals()))
        self.group = None if group is None else groups.orthogonal_group(group)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.check_symmetry(input_shape)

    def call(self, inputs):
        if len(inputs.shape) == self.rank + 2:
            return self.compute(inputs)
        shape = kops.shape(inputs)
        fiber = inputs.shape[1 + self.rank :]
        y = self.compute(kops.reshape(inputs, (*shape[: 1 + self.rank], math.prod(fiber))))
        return kops.reshape(y, (*kops.shape(y)[:-1], *fiber))

    def compute(self, x):
        raise NotImplementedError

    def sizes_after(self, sizes):
        """Sizes of space after the layer; None stays None."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape):
        axes = len(input_shape)
        order = None if self.group is None else self.group.order
        if axes == 6 and self.rank == 2 and input_shape[-2] == 2:
            self._check_harmonic(input_shape)
        elif axes not in (self.rank + 2, self.rank + 3) or (
            axes == self.rank + 3 and order not in (None, input_shape[-2])
        ):
            raise ValueError(self._wanted(order) + f". Received: input_shape={tuple(input_shape)}")
        space = self.sizes_after(input_shape[1 : 1 + self.rank])
        return (input_shape[0], *space, *input_shape[1 + self.rank :])

    def check_features(self, layout, shapes):
        shape = tuple(shapes[0])
        self._check_rank(layout, shape)
        self._check_own_group(layout, shape)
        if isinstance(layout, Harmonic) and not self.linear:
            raise WrongFeatures(
                f"does not commute with the rotations of complex features. {received(layout, shape)}",
                f"use AveragePooling{self.rank}D, or HarmonicMagnitude before it",
            )

    def law(self, layout, shapes):
        if isinstance(layout, Typed) and not (self.linear or layout.permutes):
            raise BreaksSymmetry(
                f"mixes the components of features of type {layout.described}",
                f"use NormMaxPooling{self.rank}D or AveragePooling{self.rank}D",
            )
        return layout

    def _wanted(self, order):
        space, wanted = ", ".join(axis_names(self.rank)), "|G|" if order is None else order
        what = {2: "an image", 3: "a volume"}[self.rank]
        or_harmonic = " or harmonic features (B, H, W, M+1, 2, C)" if self.linear and self.rank == 2 else ""
        return (
            f"{type(self).__name__} takes {what} (B, {space}, C), regular features "
            f"(B, {space}, {wanted}, C){or_harmonic}"
        )

    def _check_harmonic(self, input_shape):
        if not self.linear:
            raise ValueError(
                f"{type(self).__name__} does not commute with the rotations of complex features: the largest real part "
                f"changes with the angle. Received: harmonic features of input_shape={tuple(input_shape)}; use "
                "AveragePooling2D, or HarmonicMagnitude before it"
            )
        if self.group is not None and self.group.mirrors:
            raise ValueError(
                "Harmonic features rotate, but have no mirror images. "
                f'Received: group="{self.group.name}"; use a group of rotations such as "C4"'
            )


class Windows:
    """Mixin of the poolings: windows over space, the sizes after them and what makes them unsymmetric."""

    rank = 2

    def _set_windows(self, pool_size, strides, padding, data_format):
        check_data_format(data_format)
        self.pool_size = tuple_of(pool_size, self.rank, "pool_size")
        self.strides = self.pool_size if strides is None else tuple_of(strides, self.rank, "strides")
        self.padding = check_padding(padding)

    def sizes_after(self, sizes):
        after = []
        for size, window, stride in zip(sizes, self.pool_size, self.strides, strict=True):
            covered = size if size is None or self.padding == "same" else size - window + 1
            if covered is not None and covered < 1:
                raise ValueError(
                    'The window must fit into the input with padding="valid". '
                    f'Received: size {size}, pool_size={window}; use a smaller window or padding="same"'
                )
            after.append(None if covered is None else -(-covered // stride))
        return after

    def window_arguments(self):
        return {"pool_size": self.pool_size, "strides": self.strides, "padding": self.padding}

    def windows(self, pool_size, strides, padding):
        sliding = zip(pool_size, strides, strict=True)
        return tuple(Sliding(size, stride, padding=padding, taps=False) for size, stride in sliding)


class WindowPooling(Windows, PixelwiseLayer):
    """Maximum or mean over windows; subclasses set `mode`."""

    mode = "max"

    @property
    def linear(self):
        return self.mode == "average"

    def __init__(
        self,
        pool_size: Size = 2,
        strides: Size | None = None,
        padding: Padding = "valid",
        data_format: DataFormat | None = None,
        antialias: bool = False,
        group: GroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self._set_windows(pool_size, strides, padding, data_format)
        self.antialias = bool(antialias)

    def build(self, input_shape):
        super().build(input_shape)
        if self.antialias:
            for size, stride in zip(input_shape[1 : 1 + self.rank], self.strides, strict=True):
                pooling.check_blurred(size, stride)

    def compute(self, x):
        if not self.antialias:
            return pooling.pool(x, self.mode, self.pool_size, self.strides, self.padding)
        return pooling.blur(pooling.pool(x, self.mode, self.pool_size, 1, self.padding), self.strides)

    def windows(self, pool_size, strides, padding):
        if not self.antialias:
            return super().windows(pool_size, strides, padding)
        linear = self.mode == "average"
        return tuple(Antialiased(*one, padding, linear) for one in zip(pool_size, strides, strict=True))

    def fold(self, input_shape):
        space = input_shape[1 : 1 + self.rank]
        if self.antialias or (self.rank == 3 and None not in space):  # TFLite has no pooling of volumes
            return [(self.compute, [])]
        layer = stock({"max": "MaxPooling", "average": "AveragePooling"}[self.mode], self.rank)
        return [(layer(self.pool_size, strides=self.strides, padding=self.padding, name=self.name), [])]
