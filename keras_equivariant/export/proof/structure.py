"""Operations that move numbers without changing them: reshape, transpose, concatenate, split, slice."""

import itertools

import numpy as np

from keras_equivariant.export.proof import spatial
from keras_equivariant.export.proof.field import INDEX, Field
from keras_equivariant.export.proof.graph import NotCovered


def reshape(proof, node, x, shape):
    shape = node.options["shape"](x.shape) if shape is None else np.ravel(shape)
    shape = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)]
    return x.reshaped(np.asarray(shape).ravel(), proof.table, proof.moves)


def transpose(proof, node, x, order):
    return x.transposed([int(a) for a in np.asarray(order).ravel()])


def concatenate(proof, node, *values):
    """Tensors side by side along an index; constants among them are taken along."""
    first = next(value for value in values if isinstance(value, Field))
    axis = node.options["axis"] % len(first.axes)
    if any(not isinstance(value, Field) for value in values):
        raise NotCovered("it joins a constant")
    fields = [value.indexed(axis, proof.table, proof.moves) for value in values if not _is_space(value, axis)]
    if len(fields) < len(values):
        raise NotCovered("it joins maps side by side")
    sizes = [field.shape[axis] for field in fields]
    parts = [_at_end(field, axis) for field in fields]
    if any(_in_space(part) != _in_space(parts[0]) for part in parts):
        raise NotCovered("it joins maps whose axes of space are in different orders")
    atoms = max((part.axes[:-1] for part in parts), key=lambda axes: sum(map(len, axes)))
    parts = [Field([*atoms, part.axes[-1]], part.ids) for part in parts]
    joined = Field([*atoms, ((INDEX, sum(sizes)),)], np.concatenate([part.ids for part in parts], axis=-1))
    return joined.transposed(_back(len(joined.axes), axis))


def split(proof, node, x):
    axis = node.options["axis"] % len(x.axes)
    sizes = node.options["sizes"]
    sizes = sizes(x.shape[axis]) if callable(sizes) else sizes
    field = x.indexed(axis, proof.table, proof.moves)
    starts = np.cumsum([0, *sizes])
    return [_taken(field, axis, np.arange(a, b)) for a, b in itertools.pairwise(starts)]


def unstack(proof, node, x):
    """The entries of an axis, each without it."""
    axis = node.options["axis"] % len(x.axes)
    field = x.indexed(axis, proof.table, proof.moves)
    parts = [_taken(field, axis, [i]) for i in range(x.shape[axis])]
    return [Field([one for i, one in enumerate(part.axes) if i != axis], part.ids) for part in parts]


def gather(proof, node, x, indices):
    axis = node.options["axis"] % len(x.axes)
    indices = np.asarray(indices)
    role, last = x.role(axis), x.shape[axis] - 1
    if role is not None and indices.ndim == 1 and np.array_equal(indices[::-1], last - indices):
        return spatial.taken(proof, x, axis, indices)
    field = x.indexed(axis, proof.table, proof.moves)
    taken = _taken(field, axis, indices.ravel())
    if indices.ndim == 1:
        return taken
    axes = [*taken.axes[:axis], *(((INDEX, size),) for size in indices.shape), *taken.axes[axis + 1 :]]
    return Field(axes, taken.ids)


def slices(proof, node, x, *bounds):
    """A part of the tensor; along axes of space what is cut off at the ends, and every n-th of the rest."""
    index = node.options["index"](x.shape, *bounds)
    gone, edges, steps = [], [None] * proof.dimension, [1] * proof.dimension
    for axis, part in enumerate(index):
        size = x.shape[axis]
        if isinstance(part, int):
            gone.append(axis)
            part = slice(part, part + 1) if part != -1 else slice(part, None)
        start, stop, step = part.indices(size)
        if (start, stop, step) == (0, size, 1):
            continue
        role = x.role(axis)
        if role is not None and step > 0 and axis not in gone and start < stop:
            last = range(start, stop, step)[-1]
            edges[role], steps[role] = (start, size - 1 - last), step
        else:
            x = _taken(x.indexed(axis, proof.table, proof.moves), axis, np.arange(start, stop, step))
    x = spatial.crop(proof, x, edges, steps)
    axes = [axis for i, axis in enumerate(x.axes) if i not in gone]
    if any(x.role(i) is not None for i in gone):
        x = x.unrolled(proof.table, proof.moves)
        axes = [axis for i, axis in enumerate(x.axes) if i not in gone]
    return Field(axes, x.ids)


def flip(proof, node, x, axes=None):
    """The entries along some axes in reverse order; `whole` of an operation that is given how many entries."""
    if node.options.get("whole"):
        if np.any(np.asarray(axes) != x.shape[node.options["axis"]]):
            raise NotCovered("it reverses a part of an axis")
        axes = None
    for axis in np.ravel(node.options["axis"] if axes is None else axes):
        axis = int(axis) % len(x.axes)
        role = x.role(axis)
        if role is not None:
            x = proof.frames.flipped(x, role)
        else:
            flipped = _taken(x.indexed(axis, proof.table, proof.moves), axis, np.arange(x.shape[axis])[::-1])
            x = Field(flipped.axes, flipped.ids, x.frame)
    return x


def repeat(proof, node, x, counts):
    """Copies of the tensor side by side along some axes; only an axis of one entry stays in order."""
    axes, ids = list(x.axes), x.ids
    for axis, count in enumerate(np.asarray(counts).ravel()):
        if count == 1:
            continue
        if any(role != INDEX for role, _ in axes[axis]):
            raise NotCovered("it repeats whole maps")
        field = _at_end(Field(axes, ids).indexed(axis, proof.table, proof.moves), axis)
        tiled = np.tile(field.ids, int(count))
        field = Field([*field.axes[:-1], ((INDEX, tiled.shape[-1]),)], tiled).transposed(_back(len(axes), axis))
        axes, ids = list(field.axes), field.ids
    return Field(axes, ids)


def stack(proof, node, *values):
    """Tensors along a new axis."""
    rank = len(values[0].axes) + 1
    axis = node.options["axis"] % rank
    widened = []
    for value in values:
        axes = list(value.axes)
        axes.insert(axis, ((INDEX, 1),))
        widened.append(Field(axes, value.ids))
    node.options["axis"] = axis
    return concatenate(proof, node, *widened)


def _is_space(field, axis):
    return field.role(axis) is not None


def _in_space(field):
    """What axes there are but indices, axis by axis."""
    return [[atom for atom in axis if atom[0] != INDEX] for axis in field.axes]


def _at_end(field, axis):
    return field.transposed([a for a in range(len(field.axes)) if a != axis] + [axis])


def _back(rank, axis):
    order = list(range(rank - 1))
    order.insert(axis, rank - 1)
    return order


def _taken(field, axis, indices):
    field = _at_end(field, axis)
    ids = field.ids[..., indices]
    return Field([*field.axes[:-1], ((INDEX, len(indices)),)], ids).transposed(_back(len(field.axes), axis))
