"""What a tensor holds: at each index of its channels, the number of an expression, and that of its moved copy.

The axes of a tensor are products of atoms: the batch, an axis of space, or an index. An expression is a whole map over
space, so that axes of space stand in the field with size 1 until something takes them apart (`unrolled`).
"""

import math

import numpy as np

from keras_equivariant.export.proof.graph import NotCovered

INDEX, SAMPLES = "index", "batch"
MOST_ENTRIES = 2_000_000


class Field:
    """A tensor in the middle of a proof.

    Args:
        axes: for every axis a tuple of atoms `(role, size)`, slowest first; a role is an axis of space, INDEX or
            SAMPLES.
        ids: integers of shape `(moves, *(size of the atom, 1 unless it is an index))`.
        frame: number of the move that the network itself has made, see `Frames`.
    """

    def __init__(self, axes, ids, frame=0):
        self.axes = tuple(tuple(axis) for axis in axes)
        self.frame = frame
        self.ids = ids.reshape(len(ids), *(size if role == INDEX else 1 for role, size in self.atoms))

    @property
    def atoms(self):
        return [atom for axis in self.axes for atom in axis]

    @property
    def shape(self):
        return tuple(math.prod(size for _, size in axis) for axis in self.axes)

    @property
    def space(self):
        """Sizes by axis of space."""
        return {role: size for role, size in self.atoms if role not in (INDEX, SAMPLES)}

    def like(self, ids, axes=None):
        return Field(self.axes if axes is None else axes, ids)

    def role(self, axis):
        """The axis of space that this axis is, or None."""
        atoms = self.axes[axis]
        return atoms[0][0] if len(atoms) == 1 and atoms[0][0] not in (INDEX, SAMPLES) else None

    def transposed(self, order):
        starts = np.cumsum([0, *(len(axis) for axis in self.axes)])
        atoms = [1 + i for a in order for i in range(starts[a], starts[a + 1])]
        return Field([self.axes[a] for a in order], self.ids.transpose(0, *atoms))

    def reshaped(self, shape, table, moves):
        """The field in another shape: axes are split and merged, numbers stay in their order."""
        shape = resolved(shape, math.prod(self.shape))
        try:
            return Field(_regrouped(self.atoms, shape), self.ids)._magnified(table, moves)
        except NotCovered:
            if not self.space:
                raise
        field = self.unrolled(table, moves)
        return Field(_regrouped(field.atoms, shape), field.ids)

    def unrolled(self, table, moves):
        """The field with a number for every pixel: expressions `value of a map at a pixel`."""
        space = self.space
        if not space:
            return self
        roles = sorted(space)
        sizes = [space[role] for role in roles]
        if roles != list(range(len(moves[0].source))):
            raise NotCovered("it takes apart pixels of which some axes are gone already")
        if self.ids[0].size * math.prod(sizes) > MOST_ENTRIES:
            raise NotCovered(f"it takes apart {math.prod(sizes):,} pixels")
        where = [1 + i for i, (role, _) in enumerate(self.atoms) if role in space]
        order = [roles.index(role) for role, _ in self.atoms if role in space]
        moved = []
        for ids, move in zip(self.ids, moves, strict=True):
            pixels = move.pixels(sizes).reshape(sizes).transpose(order)
            shape = [1] * ids.ndim
            for axis, size in zip(where, pixels.shape, strict=True):
                shape[axis - 1] = size
            pairs = np.stack(np.broadcast_arrays(ids, pixels.reshape(shape)), axis=-1)
            moved.append(table.rows(lambda pair: table.linear("pixel", *pair[::-1]), pairs))
        axes = [[(INDEX if role in space else role, size) for role, size in axis] for axis in self.axes]
        return Field(axes, np.stack(moved))

    def indexed(self, axis, table, moves):
        """The field with this axis as one index."""
        field = self
        roles = [role for role, _ in field.axes[axis]]
        if SAMPLES in roles:
            raise NotCovered("it mixes examples")
        if any(role != INDEX for role in roles):
            field = field.unrolled(table, moves)
        axes = list(field.axes)
        axes[axis] = ((INDEX, field.shape[axis]),)
        return Field(axes, field.ids)

    def with_index_last(self, axis, table, moves):
        """The ids as `(moves, others, entries of this axis)`, and the field with this axis at the end."""
        axis %= len(self.axes)
        order = [a for a in range(len(self.axes)) if a != axis] + [axis]
        field = self.indexed(axis, table, moves).transposed(order)
        return field.ids.reshape(len(field.ids), -1, field.shape[-1]), field

    def _magnified(self, table, moves):
        """An axis of space whose every pixel is repeated is a longer axis of space."""
        axes, ids = list(self.axes), self.ids
        for number, axis in enumerate(self.axes):
            roles = [role for role, _ in axis]
            if len(roles) != 2 or roles[1] != INDEX or roles[0] in (INDEX, SAMPLES):
                continue
            field = Field(axes, ids)
            place = 1 + len([atom for a in axes[:number] for atom in a]) + 1
            values = np.moveaxis(field.ids, place, 0)
            if not (values == values[:1]).all():
                continue
            role, factor = roles[0], axis[1][1]
            ids = np.stack(
                [_magnify(table, moved, move, role, factor) for moved, move in zip(values[0], moves, strict=True)]
            )
            axes[number] = ((role, axis[0][1] * factor),)
        return Field(axes, ids)


def _magnify(table, ids, move, role, factor):
    (target,) = move.axes({role})

    def one(number):
        sign, key = 1 if number > 0 else -1, table.key(number)
        if key[0] == "magnified":
            return sign * table.number("magnified", tuple(sorted((*key[1], (target, factor)))), key[2])
        return sign * table.number("magnified", ((target, factor),), abs(number))

    return table.each(one, ids)


def resolved(shape, total):
    """The shape with the size that it leaves open."""
    shape = [int(size) for size in shape]
    known = math.prod(size for size in shape if size != -1)
    return [total // known if size == -1 else size for size in shape]


def _regrouped(atoms, shape):
    """The atoms dealt out to axes of other sizes; only an index may be split."""
    atoms, axes = list(atoms), []
    for size in shape:
        axis = []
        if size == 1:
            axis = [atoms.pop(0)] if atoms and atoms[0][1] == 1 else [(INDEX, 1)]
        while size > 1:
            if not atoms:
                raise NotCovered("its sizes do not fit")
            role, entries = atoms.pop(0)
            if size % entries == 0:
                if (role, entries) != (INDEX, 1):
                    axis.append((role, entries))
                size //= entries
            elif role == INDEX and entries % size == 0:
                axis.append((role, size))
                atoms.insert(0, (role, entries // size))
                size = 1
            else:
                raise NotCovered("it cuts an axis of space into pieces")
        axes.append(axis)
    if any(size > 1 for _, size in atoms) or any(role != INDEX for role, _ in atoms):
        raise NotCovered("its sizes do not fit")
    return axes
