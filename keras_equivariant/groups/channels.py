"""What maps of single channels do to a field type: scale, shift, take a function of each number, cut some off."""

import functools

import numpy as np

from keras_equivariant.groups.field_type import FieldType


@functools.lru_cache(maxsize=1024)
def is_signed(field_type):
    """Whether every field permutes its components up to sign, so that odd functions commute with the group."""
    return all(_is_signed(block.representation) for block in field_type.blocks)


def _is_signed(representation):
    matrices, _ = representation.sampled()
    return bool(np.isin(np.round(matrices, 9), (-1.0, 0.0, 1.0)).all())


def commutes(field_type, scale):
    """Whether multiplying the channels by these numbers commutes with every element.

    Args:
        scale: one number, or one for each channel.
    """
    return all(
        np.allclose(matrices * column, matrices * column[:, None], atol=1e-9)
        for matrices, columns in _per_field(field_type, scale)
        for column in columns
    )


def fixes(field_type, offset):
    """Whether no element moves the vector of these numbers, one for all channels or one for each."""
    return all(
        np.allclose(matrices @ column, column, atol=1e-9 * max(1.0, np.abs(column).max()))
        for matrices, columns in _per_field(field_type, offset)
        for column in columns
    )


def _per_field(field_type, values):
    """For each block its matrices, and the numbers of each of its fields, `(multiplicity, dim)`."""
    values = np.broadcast_to(np.asarray(values, dtype=np.float64).ravel(), (field_type.size,))
    for block in field_type.blocks:
        columns = values[block.start : block.stop].reshape(block.dim, block.multiplicity).T
        yield block.representation.sampled()[0], np.unique(columns, axis=0)


def cut(field_type, channels):
    """The type of some of the channels, in their order; None where they are not whole blocks.

    Fields of one component may be cut off anywhere, all others block by block, for the components of a block lie side
    by side.

    Args:
        channels: their numbers.
    """
    rest, terms = list(channels), []
    while rest:
        block = next((b for b in field_type.blocks if b.start <= rest[0] < b.stop), None)
        if block is None:
            return None
        name = field_type.terms[field_type.blocks.index(block)][1]
        if block.dim == 1:
            count = next((i for i, c in enumerate(rest) if not block.start <= c < block.stop), len(rest))
            terms.append((count, name))
        else:
            count = block.stop - block.start
            if rest[:count] != list(range(block.start, block.stop)):
                return None
            terms.append((block.multiplicity, name))
        rest = rest[count:]
    return FieldType._of(field_type.group, terms) if terms else None
