"""What features of a network on a group become on a subgroup, and the changes of channels that go with it.

| features              | of the group         | of the subgroup H                                              |
|-----------------------|----------------------|----------------------------------------------------------------|
| regular               | (B, *space, |G|, C)  | (B, *space, |H|, C n): field c n + i holds f(x, h t_i)         |
| of a field type       | (B, *space, D)       | (B, *space, D) of `groups.restriction`'s type                  |

The t_i represent the n right cosets H t_i.
"""

import dataclasses

import numpy as np

from keras_equivariant import groups


@dataclasses.dataclass(frozen=True)
class Split:
    """Features with a group axis, each field of which has become several, side by side.

    Attributes:
        orbits: number of fields for each field of the larger group.
    """

    orbits: int


def right_cosets(group, subgroup):
    """Elements of the group, `(|H|, n)`: column i is the coset H t_i in the order of the subgroup's own elements."""
    members = np.array([group.index(matrix) for matrix in subgroup.matrices])
    columns, seen = [], set()
    for element in range(group.order):
        if element not in seen:
            columns.append(group.cayley[members, element])
            seen.update(columns[-1].tolist())
    return np.stack(columns, axis=1)


def split_axis(kernel, axis, cosets):
    """An axis of channels (|G|, C) of a dense kernel as (|H|, C n)."""
    shape = kernel.shape
    axis = axis % len(shape)
    apart = kernel.reshape(*shape[:axis], cosets.size, -1, *shape[axis + 1 :])
    apart = np.moveaxis(np.take(apart, cosets, axis=axis), axis + 1, axis + 2)  # (|H|, C, n)
    return apart.reshape(shape)


def restricted_type(field_type, subgroup):
    """The type on the subgroup."""
    return groups.restriction(field_type, subgroup).out_type


def change_matrix(field_type, subgroup):
    """The orthogonal matrix from the channels of a type to those of its restriction, `(D, D)`."""
    found = np.zeros((field_type.size, field_type.size))
    for block, maps in zip(field_type.blocks, groups.restriction(field_type, subgroup).maps, strict=True):
        rows = np.concatenate([part.swapaxes(0, 1).reshape(-1, block.dim) for part in maps])
        channels = slice(block.start, block.stop)
        found[channels, channels] = np.kron(rows, np.eye(block.multiplicity))
    return found


def per_field(values, field_type, subgroup):
    """Numbers that a type has one of for each field, as its restriction has them."""
    found, start = [], 0
    for block, maps in zip(field_type.blocks, groups.restriction(field_type, subgroup).maps, strict=True):
        part = values[start : start + block.multiplicity]
        found += [np.tile(part, len(copies)) for copies in maps]
        start += block.multiplicity
    return np.concatenate(found)


def keeps_fields(field_type, subgroup):
    """Whether every field stays one field on the subgroup, and no field that moved becomes a scalar."""
    whole = restricted_type(field_type, subgroup)
    pairs = zip(field_type.blocks, whole.blocks, strict=False)
    return len(field_type.blocks) == len(whole.blocks) and all(
        old.multiplicity == new.multiplicity and len(old.invariants) == len(new.invariants) for old, new in pairs
    )
