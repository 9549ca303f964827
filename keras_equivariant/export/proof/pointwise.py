"""Functions of single numbers, or of several at the same place; constants beside them; functions along one axis."""

import dataclasses

import numpy as np

from keras_equivariant.export.proof.field import INDEX, SAMPLES, Field
from keras_equivariant.export.proof.graph import NotCovered

_COMMUTATIVE = ("add", "multiply", "maximum", "minimum", "average")


def pointwise(proof, node, *values):
    """A function of the numbers at the same place of all inputs."""
    if any(value is None for value in values):
        raise NotCovered("one of its inputs is left out")
    fields = aligned(proof, values)
    widest = max(fields, key=lambda field: len(field.atoms))
    ids = np.stack(np.broadcast_arrays(*(field.ids for field in fields)), axis=-1)
    result = proof.table.rows(lambda row: _expression(proof.table, node, row), ids)
    return Field(_joint_axes(fields, widest), result)


def activated(proof, name, scales, field):
    """The field after an activation."""
    if name in (None, "linear"):
        return field
    return field.like(proof.table.each(lambda i: proof.table.number("activation", name, scales, i), field.ids))


def along(proof, node, x):
    """A function of all entries of an axis that gives one for each, such as softmax: known up to their order."""
    axis = node.options["axis"]
    if not isinstance(axis, int):
        return _along_several(proof, node, x, [one % len(x.axes) for one in axis])
    axis %= len(x.axes)
    rows, field = x.with_index_last(axis, proof.table, proof.moves)
    whole = proof.table.rows(lambda row: proof.table.number("entries", tuple(sorted(row))), rows)
    pairs = np.stack(np.broadcast_arrays(rows, whole[..., None]), axis=-1)
    name = node.options["name"]
    ids = proof.table.rows(lambda pair: proof.table.number("along", name, node.scales, *pair), pairs)
    order = list(range(len(field.axes) - 1))
    order.insert(axis, len(order))
    return field.like(ids).transposed(order)


def _along_several(proof, node, x, axes):
    order = [*(axis for axis in range(len(x.axes)) if axis not in axes), *axes]
    field = x.transposed(order)
    shape = field.shape
    row = field.reshaped((*shape[: -len(axes)], -1), proof.table, proof.moves)
    row = along(proof, dataclasses.replace(node, options={**node.options, "axis": -1}), row)
    return row.reshaped(shape, proof.table, proof.moves).transposed(np.argsort(order))


def _expression(table, node, row):
    name = node.options["name"]
    if node.scales is None:
        if name == "add":
            return table.sum(row)
        if name == "subtract":
            return table.sum([row[0], *(-number for number in row[1:])])
        if name == "negative":
            return -row[0]
        if name == "multiply":
            return table.product(row)
        if name == "square":
            return table.product([row[0], row[0]])
        if name == "divide":
            return table.product([row[0], table.number("reciprocal", row[1])])
        if name == "average":
            return table.linear("divided", len(row), table.sum(row))
    if name in ("maximum", "minimum") and (node.scales is None or len(set(node.scales)) == 1):
        return table.extreme(name, row)
    if node.scales is None:
        return table.number("pointwise", name, *row)
    *before, after = node.scales
    terms = list(zip(row, before, strict=True))
    if name in _COMMUTATIVE and len(row) == 2:
        terms.sort(key=repr)
    return table.number("pointwise", name, tuple(terms), after)


def aligned(proof, values):
    """Fields of the same number of axes, atoms and moves, so that their ids broadcast."""
    rank = max(len(v.axes) if isinstance(v, Field) else np.ndim(v) for v in values)
    fields = [_of_rank(v, rank) for v in values if isinstance(v, Field)]
    if not fields:
        raise NotCovered("it acts on constants alone")
    axes = []
    for axis in range(rank):
        there = {field.axes[axis] for field in fields if field.shape[axis] > 1}
        if len(there) > 1:
            fields = [_split_alike(field, axis, there) for field in fields]
            there = {field.axes[axis] for field in fields if field.shape[axis] > 1}
            if len(there) > 1:
                raise NotCovered("its inputs have axes of different kinds")
        widest = max((v.shape[axis - rank] for v in values if _reaches(v, axis - rank)), default=1)
        alone = fields[0].axes[axis] if widest == 1 else ((INDEX, widest),)
        axes.append(there.pop() if there else alone)
    whole = Field(axes, np.zeros((1, *(size if role == INDEX else 1 for a in axes for role, size in a)), np.int64))
    found, rest = [], iter(fields)
    for value in values:
        found.append(_stretched(proof, next(rest), axes) if isinstance(value, Field) else constant(proof, value, whole))
    return found


def _reaches(value, axis):
    return not isinstance(value, Field) and np.ndim(value) >= -axis


def constant(proof, array, like):
    """The field of an array that broadcasts to `like`; what varies over space is a map, which moves."""
    array = np.asarray(array)
    array = array.reshape((1,) * (len(like.axes) - array.ndim) + array.shape)
    sizes = []
    for size, axis in zip(array.shape, like.axes, strict=True):
        sizes += [1] * len(axis) if size == 1 else [entries for _, entries in axis]
    array = array.reshape(sizes)
    roles = [role for role, _ in like.atoms]
    for i in (i for i, role in enumerate(roles) if role == SAMPLES and sizes[i] > 1):
        first = array.take([0], i)
        if not (array == first).all():
            raise NotCovered("its constant tells examples apart")
        array = first
    space = [i for i, role in enumerate(roles) if role not in (INDEX, SAMPLES)]
    rest = [i for i in range(len(roles)) if i not in space]
    maps = array.transpose(*rest, *sorted(space, key=lambda i: roles[i]))
    there = {roles[i]: array.shape[i] for i in space}
    maps = maps.reshape(*maps.shape[: len(rest)], *(there.get(a, 1) for a in range(proof.dimension)))
    ids = []
    for move in proof.moves:
        moved = move.array(maps, first_axis=len(rest)).reshape(*maps.shape[: len(rest)], -1)
        flat = moved.reshape(-1, moved.shape[-1])
        numbers = [_constant(proof.table, row, maps.shape[len(rest) :], move) for row in flat]
        shape = [size if role == INDEX else 1 for role, size in zip(roles, array.shape, strict=True)]
        ids.append(np.array(numbers, np.int64).reshape(shape))
    return Field(_axes_of(like.axes, np.shape(ids[0])), np.stack(ids))


def _constant(table, values, shape, move):
    if (values == values[0]).all():
        value = values[0]
        negative = value.dtype.kind == "f" and value < 0
        number = table.number("constant", value.dtype.str, (np.abs(value) if negative else value + 0).tobytes())
        return -number if negative else number
    return table.number("map", values.dtype.str, tuple(shape[a] for a in move.source), values.tobytes())


def _axes_of(axes, sizes):
    sizes = iter(sizes)
    return [[(role, next(sizes) if role == INDEX else (next(sizes), size)[1]) for role, size in axis] for axis in axes]


def _of_rank(field, rank):
    return Field([((INDEX, 1),)] * (rank - len(field.axes)) + list(field.axes), field.ids)


def _split_alike(field, axis, there):
    """Indices split into the atoms that another input's axis has."""
    finest = max(there, key=len)
    if any(role != INDEX for role, _ in (*field.axes[axis], *finest)) or field.shape[axis] == 1:
        return field
    axes = list(field.axes)
    axes[axis] = finest
    return Field(axes, field.ids)


def _stretched(proof, field, axes):
    """An axis of one entry takes the atoms that the axis has in the others."""
    new, table = [], proof.table
    for own, other in zip(field.axes, axes, strict=True):
        if own == other:
            new.append(own)
            continue
        if any(role not in (INDEX, SAMPLES) for role, _ in own):
            field = field.like(table.each(lambda i: table.linear("everywhere", i), field.ids))
        new.append([(role, 1 if role == INDEX else size) for role, size in other])
    shape = [size if role == INDEX else 1 for axis in new for role, size in axis]
    return Field(new, field.ids.reshape(len(field.ids), *shape))


def _joint_axes(fields, widest):
    joint = []
    for axis in range(len(widest.axes)):
        joint.append(max((field.axes[axis] for field in fields), key=lambda a: np.prod([size for _, size in a])))
    return joint
