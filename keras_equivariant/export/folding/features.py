"""How features with a fiber travel through the folded graph: without its axes, unpacked only where a layer needs it.

The fiber is what lies between the pixels and the channels: the group axis (|G|,) of regular features, the orders and
parts (M+1, 2) of harmonic ones. `Packed.tensor` has shape (B, *space, size of the fiber * C), the fiber slowest: 4-D in
the plane, 5-D in space.
Concatenation puts such tensors side by side without interleaving their fibers; `sections` remembers how many fields
each part has, and `order_of_channels` where a channel of the canonical order is found, so that the next convolution
can permute its kernel instead of moving pixels.
"""

import dataclasses
import math

import keras
import numpy as np


@dataclasses.dataclass(eq=False)
class Packed:
    """Features with a fiber in the folded graph.

    Attributes:
        fiber: sizes of the axes between space and the channels.
        sections: fields of each concatenated part; one entry means the canonical order.
        rank: number of axes of space.
        tensor: the tensor without the fiber's axes, or None as long as nobody asked for it.
        full: the same features as (B, *space, *fiber, C), or None as long as nobody asked for them.
    """

    fiber: tuple
    sections: tuple
    rank: int
    tensor: keras.KerasTensor | None = None
    full: keras.KerasTensor | None = None

    @property
    def order(self):
        """Size of the fiber: how often each field is there."""
        return math.prod(self.fiber)

    @property
    def fields(self):
        return sum(self.sections)

    @property
    def shape(self):
        """The shape in the unfolded model."""
        if self.full is not None:
            return tuple(self.full.shape)
        return (*self.tensor.shape[:-1], *self.fiber, self.fields)

    def holding(self, tensor, sections=None):
        """Features of the same kind in another tensor."""
        return Packed(self.fiber, sections or self.sections, self.rank, tensor=tensor)


def order_of_channels(order, sections):
    """Index array p: channel j of the canonical order lies at channel p[j] of the packed tensor."""
    starts = order * np.cumsum([0, *sections[:-1]])
    group = np.arange(order)[:, None]
    parts = [start + group * fields + np.arange(fields) for start, fields in zip(starts, sections, strict=True)]
    return np.concatenate(parts, axis=1).ravel()


def in_packed_order(values, order, sections, axis=-1):
    """`values`, given along the canonical channels, rearranged to the channels of the packed tensor."""
    if len(sections) == 1:
        return values
    return np.take(values, np.argsort(order_of_channels(order, sections)), axis=axis)


class Features:
    """Which tensors of the folded graph are features with a fiber, and both of their forms, made on demand.

    Args:
        make: function (stock layer class, name stem, arguments) -> stock layer; gives the layers made here their names.
        rank: axes of space of tensors about which nothing else says it.
    """

    def __init__(self, make, rank):
        self._make = make
        self.rank = rank
        self._packed = {}

    def add(self, packed):
        """Registers the features; returns the tensor that stands for them in the graph."""
        for tensor in (packed.tensor, packed.full):
            if tensor is not None:
                self._packed[id(tensor)] = packed
        return packed.full if packed.tensor is None else packed.tensor

    def get(self, tensor):
        """The features that the tensor stands for, or None for every other tensor."""
        return self._packed.get(id(tensor))

    def packed(self, tensor, rank=None):
        """The features of a tensor with the packed form there; any tensor of more axes than an image's will do."""
        features = self.get(tensor)
        if features is None:
            rank = rank or self.rank
            features = Packed(tuple(tensor.shape[1 + rank : -1]), (tensor.shape[-1],), rank, full=tensor)
        if features.tensor is None:
            features.tensor = self._pack(features)
            self.add(features)
        return features

    def canonical(self, tensor, rank=None):
        """The features of a tensor with the packed form there, in the canonical channel order."""
        features = self.packed(tensor, rank)
        if len(features.sections) > 1:
            self.full(features.tensor)
            features.tensor, features.sections = self._pack(features), (features.fields,)
            self.add(features)
        return features

    def full(self, tensor):
        """The tensor in the shape it has in the unfolded model."""
        features = self.get(tensor)
        if features is None:
            return tensor
        if features.full is None:
            features.full = self._unpack(features)
            self.add(features)
        return features.full

    def _pack(self, features):
        full, space = features.full, _one_unknown(features.full.shape[1 : 1 + features.rank])
        if space is None:
            for size in reversed(features.fiber):
                full = keras.ops.concatenate(keras.ops.unstack(full, size, axis=-2), axis=-1)
            return full
        return self._make(keras.layers.Reshape, "pack", (*space, features.order * features.fields))(full)

    def _unpack(self, features):
        parts = [features.tensor]
        if len(features.sections) > 1:
            ends = features.order * np.cumsum(features.sections[:-1])
            parts = keras.ops.split(features.tensor, [int(end) for end in ends], axis=-1)
        parts = [
            self._unpack_section(part, features, fields) for part, fields in zip(parts, features.sections, strict=True)
        ]
        return parts[0] if len(parts) == 1 else self._make(keras.layers.Concatenate, "join", axis=-1)(parts)

    def _unpack_section(self, tensor, features, fields):
        space = _one_unknown(tensor.shape[1 : 1 + features.rank])
        if space is None:
            for size in features.fiber:
                tensor = keras.ops.stack(keras.ops.split(tensor, size, axis=-1), axis=-2)
            return tensor
        return self._make(keras.layers.Reshape, "unpack", (*space, *features.fiber, fields))(tensor)


def _one_unknown(space):
    """The sizes with -1 for an unknown one, as Reshape takes them; None where several are unknown."""
    unknown = sum(size is None for size in space)
    return None if unknown > 1 else [-1 if size is None else size for size in space]
