"""Products of two tensors of the network: of vectors, and of the queries, keys and values of attention."""

import dataclasses

import numpy as np

from keras_equivariant.export.proof.field import INDEX, MOST_ENTRIES, SAMPLES, Field
from keras_equivariant.export.proof.graph import NotCovered
from keras_equivariant.export.proof.linear import dense
from keras_equivariant.export.proof.pointwise import aligned


def product(proof, node, x, y):
    """Rows times columns, of the same example; `transposed` says of which tensor the last two axes are swapped."""
    swapped = node.options.get("transposed", (False, False))
    x, y = (_of_matrices(value, swap) for value, swap in zip((x, y), swapped, strict=True))
    y = _swapped(y)  # so that both are summed over along their last axis
    if x.shape[-1] != y.shape[-1]:
        raise NotCovered(f"its {x.shape[-1]} columns meet {y.shape[-1]} rows")
    if any(role != INDEX for value in (x, y) for role in _roles(value)):
        x, y = (v.unrolled(proof.table, proof.moves) if isinstance(v, Field) else v for v in (x, y))
    rows, columns = _widened(x, -2), _widened(y, -3)
    fields = aligned(proof, [rows, columns])
    axes = [max(both, key=_entries) for both in zip(*(field.axes for field in fields), strict=True)]
    shape = [size if role == INDEX else 1 for axis in axes for role, size in axis]
    if len(proof.moves) * np.prod(shape) > MOST_ENTRIES:
        raise NotCovered(f"it takes {np.prod(shape):,} products")
    pairs = [np.broadcast_to(f.ids, (len(f.ids), *shape)) for f in fields]
    count = rows.shape[-1]
    terms = np.stack([ids.reshape(len(ids), -1, count) for ids in pairs], axis=-1)
    ids = proof.table.rows(lambda row: _sum(proof.table, node.scales, row), terms.reshape(*terms.shape[:2], -1))
    if node.scales is not None and (ids != ids[:1]).any():
        raise NotCovered(
            "the group moves the integers of its rows and columns, and some runtimes round those of the last ones "
            "otherwise; use a format of floats, such as tflite_float16"
        )
    return Field(axes[:-1], ids)


def einsum(proof, node, x, y):
    """Products of entries of x and of y, summed over the axes that the result does not have."""
    first, second, result = node.options["labels"]
    if not isinstance(x, Field):
        (first, x), (second, y) = (second, y), (first, x)
    sizes = dict(zip((*first, *second), (*x.shape, *np.shape(y)), strict=True))
    both = [label for label in result if label in first and label in second]
    own, others = [[label for label in result if label in side and label not in both] for side in (first, second)]
    summed = [label for label in first if label not in result]
    x = _arranged(x, first, (*both, *own, *summed))
    y = _arranged(y, second, (*both, *summed, *others))

    def of(labels):
        return [sizes[label] for label in labels]

    count, columns = int(np.prod(of(summed))), int(np.prod(of(others)))
    if isinstance(y, Field):
        x = x.reshaped((*of(both), int(np.prod(of(own))), count), proof.table, proof.moves)
        y = y.reshaped((*of(both), count, columns), proof.table, proof.moves)
        z = product(proof, node, x, y)
    elif both:
        raise NotCovered("its constant has an axis that stays")
    else:
        x = x.reshaped((*of(own), count), proof.table, proof.moves)
        z = dense(proof, dataclasses.replace(node, options={"axis": -1}), x, np.reshape(y, (count, columns)))
    z = z.reshaped(of((*both, *own, *others)), proof.table, proof.moves)
    return _arranged(z, (*both, *own, *others), result)


def _arranged(value, labels, wanted):
    """The value with its axes in the wanted order."""
    order = [labels.index(label) for label in wanted]
    return value.transposed(order) if isinstance(value, Field) else np.transpose(value, order)


def _sum(table, scales, row):
    terms = list(zip(row[::2], row[1::2], strict=True))
    if scales is None:
        return table.sum([table.product(pair) for pair in terms])
    return table.number("products", scales, tuple(sorted(terms)))


def _of_matrices(value, swap):
    if (len(value.axes) if isinstance(value, Field) else np.ndim(value)) < 2:
        raise NotCovered("it takes a vector of its own")
    return _swapped(value) if swap else value


def _swapped(value):
    if not isinstance(value, Field):
        return np.swapaxes(value, -1, -2)
    rank = len(value.axes)
    return value.transposed([*range(rank - 2), rank - 1, rank - 2])


def _roles(value):
    """What the axes are that rows and columns lie along."""
    if not isinstance(value, Field):
        return []
    roles = [role for axis in value.axes[-2:] for role, _ in axis]
    if SAMPLES in roles:
        raise NotCovered("it mixes examples")
    return roles


def _widened(value, axis):
    """With an axis of one entry before the last one, or before the last two."""
    if not isinstance(value, Field):
        return np.expand_dims(value, axis)
    axes = list(value.axes)
    axes.insert(len(axes) + axis + 1, ((INDEX, 1),))
    return Field(axes, value.ids, value.frame)


def _entries(axis):
    return np.prod([size for _, size in axis])
