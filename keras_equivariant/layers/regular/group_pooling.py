from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_equivariant import groups
from keras_equivariant.groups.layouts import Image, Invariant, Quotient
from keras_equivariant.layers.core.base import EquivariantLayer, register
from keras_equivariant.layers.core.law import check_group_axis
from keras_equivariant.layers.core.options import Count, GroupLike, SubgroupLike, passed_on
from keras_equivariant.ops import pooling
from keras_equivariant.utils.checks import positive

MODES = ("max", "mean")


@register
class GroupPooling(EquivariantLayer):
    """Pools over the group axis, or over the cosets of a subgroup.

    y(x) = max over s of f(x, s), or the mean; with a subgroup H: y(x, sH) = max over h in H of f(x, s h); with orbits
    the maximum of so many neighboring fields, too: those that one field becomes in `restrict`

    Args:
        mode: `"max"` or `"mean"`.
        group: the symmetry of the input; only needed with `subgroup`.
        subgroup: name of a subgroup of `group`, e.g. `"C4"` of `"D4"`; pools over its left cosets.
        orbits: number of neighboring fields that are pooled as one. A field of a larger group falls into so many
            fields of its subgroup, and pooling them together is still pooling over the larger group.
        strict: raise where the exact symmetry is lost; with False warn once.

    Input shape:
        `(..., |group|, C)`

    Output shape:
        `(..., C / orbits)`; with a subgroup `(..., |group| / |subgroup|, C / orbits)`

    Equivariance: exact on every size. Without a subgroup the result no longer rotates, [L_g y](x) = y(g^-1 x); with one
    the cosets are permuted, layout `"quotient(H)"`; for a normal subgroup that is the regular layout of group / H.

    Raises:
        ValueError: unknown mode, a subgroup without its group or not contained in it, no group axis of that length,
            fields that are not divisible by `orbits`.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.GroupPooling("max")(np.zeros((1, 5, 5, 8, 16), "float32")).shape
        TensorShape([1, 5, 5, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.3.
    """

    def __init__(
        self,
        mode: Literal["max", "mean"] = "max",
        group: GroupLike | None = None,
        subgroup: SubgroupLike | None = None,
        orbits: Count = 1,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {MODES}. Received: mode={mode!r}")
        if subgroup is not None and group is None:
            raise ValueError(
                f"`subgroup` needs the `group` that it is part of. Received: group=None, subgroup={subgroup!r}"
            )
        self.mode = mode
        self.group = None if group is None else groups.orthogonal_group(group)
        self.subgroup = subgroup
        self.orbits = positive(orbits, "orbits")
        self._cosets = None if subgroup is None else self.group.left_cosets(subgroup)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs, training=None):
        x = inputs
        if self._cosets is not None:
            shape = ops.shape(x)
            x = ops.take(x, self._cosets.ravel().astype("int32"), axis=-2)
            x = ops.reshape(x, (*shape[:-2], *self._cosets.shape, x.shape[-1]))
        y = pooling.compiled_group_max(x) if training and self.mode == "max" else self._reduce(x, -2)
        return self._pool_orbits(y)

    def _reduce(self, x, axis):
        # A sum, for ops.mean rounds float64 to float32 on JAX and torch.
        return ops.max(x, axis=axis) if self.mode == "max" else ops.sum(x, axis=axis) / x.shape[axis]

    def _pool_orbits(self, x):
        if self.orbits == 1:
            return x
        shape = (*ops.shape(x)[:-1], x.shape[-1] // self.orbits, self.orbits)
        return self._reduce(ops.reshape(x, shape), -1)

    def compute_output_shape(self, input_shape):
        order = None if self.group is None else self.group.order
        if len(input_shape) < 3 or order not in (None, input_shape[-2]):
            wanted = "|G|" if order is None else order
            raise ValueError(
                f"GroupPooling takes features with a group axis, (..., {wanted}, C). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        fields = input_shape[-1]
        if fields is not None and fields % self.orbits:
            raise ValueError(
                f"The fields must be divisible by `orbits`. Received: {fields} fields, orbits={self.orbits}"
            )
        kept = () if self._cosets is None else (len(self._cosets),)
        return (*input_shape[:-2], *kept, None if fields is None else fields // self.orbits)

    def check_features(self, layout, shapes):
        check_group_axis(self, layout, tuple(shapes[0]))

    def law(self, layout, shapes):
        if self.subgroup is not None:
            return Quotient(self.group, self.subgroup)
        return (Image if layout.rank(shapes[0]) else Invariant)(layout.group)

    def fold(self, input_shape):
        elements, fields = input_shape[-2:]
        space = input_shape[1:-2]
        if self._cosets is not None or None in space:
            cosets = np.arange(elements)[None] if self._cosets is None else self._cosets
            return [(lambda x: self._pool_planes(x, elements, cosets), [])]
        steps = [
            (keras.layers.Reshape((*space, elements, fields), name=self.name), []),
            (lambda x: self._reduce(x, -2), []),
        ]
        if self.orbits > 1:
            shape = (*space, fields // self.orbits, self.orbits)
            steps.append((keras.layers.Reshape(shape, name=f"{self.name}_orbits"), []))
            steps.append((lambda x: self._reduce(x, -1), []))
        return steps

    def _pool_planes(self, x, elements, cosets):
        planes = ops.split(x, elements, axis=-1)
        pooled = [self._merged([planes[e] for e in coset]) for coset in cosets]
        if self.orbits > 1:
            pooled = [self._merged([plane[..., i :: self.orbits] for i in range(self.orbits)]) for plane in pooled]
        return ops.concatenate(pooled, axis=-1) if len(pooled) > 1 else pooled[0]

    def _merged(self, planes):
        merge = keras.layers.Maximum if self.mode == "max" else keras.layers.Average
        return merge()(planes) if len(planes) > 1 else planes[0]
