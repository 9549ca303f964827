import keras
from keras import ops

from keras_equivariant import groups
from keras_equivariant.layers.base import EquivariantLayer, register
from keras_equivariant.ops import pooling

MODES = ("max", "mean")


@register
class GroupPooling(EquivariantLayer):
    """Pools over the group axis, or over the cosets of a subgroup.

    y(x) = max over s of f(x, s), or the mean; with a subgroup H: y(x, sH) = max over h in H of f(x, s h)

    Args:
        mode: `"max"` or `"mean"`.
        group: the symmetry of the input; only needed with `subgroup`.
        subgroup: name of a subgroup of `group`, e.g. `"C4"` of `"D4"`; pools over its left cosets.

    Input shape:
        `(..., |group|, C)`

    Output shape:
        `(..., C)`; with a subgroup `(..., |group| / |subgroup|, C)`

    Equivariance: exact on every size. Without a subgroup the result no longer turns, [L_g y](x) = y(g^-1 x); with one
    the cosets are permuted, layout `"quotient(H)"`; for a normal subgroup that is the regular layout of group / H.

    Raises:
        ValueError: unknown mode, a subgroup without its group or not contained in it, no group axis of that length.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> ke.layers.GroupPooling("max")(np.zeros((1, 5, 5, 8, 16), "float32")).shape
        TensorShape([1, 5, 5, 16])

    Reference: Cohen & Welling, arXiv 1602.07576, section 6.3.
    """

    def __init__(self, mode="max", group=None, subgroup=None, **kwargs):
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {MODES}. Received: mode={mode!r}")
        if subgroup is not None and group is None:
            raise ValueError(
                f"`subgroup` needs the `group` that it is part of. Received: group=None, subgroup={subgroup!r}"
            )
        self.mode = mode
        self.group = None if group is None else groups.get(group)
        self.subgroup = subgroup
        self._cosets = None if subgroup is None else self.group.left_cosets(subgroup)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)

    def call(self, inputs, training=None):
        x = inputs
        if self._cosets is not None:
            shape = ops.shape(x)
            x = ops.take(x, self._cosets.ravel().astype("int32"), axis=-2)
            x = ops.reshape(x, (*shape[:-2], *self._cosets.shape, x.shape[-1]))
        return pooling.compiled_group_max(x) if training and self.mode == "max" else self._reduce(x)

    def _reduce(self, x):
        # A sum, for ops.mean rounds float64 to float32 on JAX and torch.
        return ops.max(x, axis=-2) if self.mode == "max" else ops.sum(x, axis=-2) / x.shape[-2]

    def compute_output_shape(self, input_shape):
        order = None if self.group is None else self.group.order
        if len(input_shape) < 3 or order not in (None, input_shape[-2]):
            wanted = "|G|" if order is None else order
            raise ValueError(
                f"GroupPooling takes features with a group axis, (..., {wanted}, C). "
                f"Received: input_shape={tuple(input_shape)}"
            )
        kept = () if self._cosets is None else (len(self._cosets),)
        return (*input_shape[:-2], *kept, input_shape[-1])

    def fold(self, input_shape):
        elements, fields = input_shape[-2:]
        if self._cosets is not None:
            return [(lambda x: self._pool_cosets(x, elements), [])]
        space = input_shape[1:-2]
        if None in space:
            merge = keras.layers.Maximum if self.mode == "max" else keras.layers.Average
            return [(lambda x: merge()(ops.split(x, elements, axis=-1)), [])]
        return [
            (keras.layers.Reshape((*space, elements, fields), name=self.name), []),
            (self._reduce, []),
        ]

    def _pool_cosets(self, x, elements):
        merge = keras.layers.Maximum if self.mode == "max" else keras.layers.Average
        planes = ops.split(x, elements, axis=-1)
        pooled = [merge()([planes[e] for e in coset]) if len(coset) > 1 else planes[coset[0]] for coset in self._cosets]
        return ops.concatenate(pooled, axis=-1) if len(pooled) > 1 else pooled[0]

    def get_config(self):
        name = None if self.group is None else self.group.name
        return {**super().get_config(), "mode": self.mode, "group": name, "subgroup": self.subgroup}
