"""Products of the fields of two features, weighted and as irreps."""

import functools
import math
import operator

from keras import ops


def contract(x, second, weights, layout, second_layout, out_layout, paths):
    """sum of W_uvw C(x_u, second_v) for each block of the output, joined along the channels.

    Args:
        x, second: features `(..., D)` and `(..., D')`.
        weights: the W of all blocks and paths one after the other, each `(u, v, w)`.
        layout, second_layout, out_layout: the `(dim, multiplicity)` of their blocks.
        paths: for each block of the output tuples `(block, second block, C)`, C `(dim out, dim, second dim)`.

    Returns:
        `(..., D'')`.
    """
    space = tuple(x.shape[1:-1])  # known sizes stay numbers, as a graph of stock operations wants them
    before = (-1, *space) if None not in space else ops.shape(x)[:-1]
    first, other = _blocks(x, layout), _blocks(second, second_layout)
    weights, start, products, found = ops.convert_to_tensor(weights, dtype=x.dtype), 0, {}, []
    for (dim, multiplicity), leading in zip(out_layout, paths, strict=True):
        summands = []
        for i, j, coupling in leading:
            if (i, j) not in products:
                products[i, j] = _outer(first[i], other[j])
            pairs = products[i, j].shape[-1]
            weight = ops.reshape(weights[start : start + pairs * multiplicity], (pairs, multiplicity))
            start += pairs * multiplicity
            mixed = products[i, j] @ weight  # (N, dim second dim, w)
            matrix = ops.convert_to_tensor(coupling.reshape(dim, -1), dtype=x.dtype)
            summands.append(matrix @ mixed)
        found.append(ops.reshape(functools.reduce(operator.add, summands), (-1, dim * multiplicity)))
    y = found[0] if len(found) == 1 else ops.concatenate(found, axis=-1)
    return ops.reshape(y, (*before, y.shape[-1]))


def _blocks(x, layout):
    """Each block as `(N, dim, multiplicity)`."""
    flat, found, start = ops.reshape(x, (-1, x.shape[-1])), [], 0
    for dim, multiplicity in layout:
        stop = start + dim * multiplicity
        found.append(ops.reshape(flat[:, start:stop], (-1, dim, multiplicity)))
        start = stop
    return found


def _outer(a, b):
    """All products of `(N, d, u)` and `(N, e, v)`, `(N, d e, u v)`."""
    d, u, e, v = *a.shape[1:], *b.shape[1:]
    product = ops.reshape(a, (-1, d * u, 1)) * ops.reshape(b, (-1, 1, e * v))
    product = ops.transpose(ops.reshape(product, (-1, d, u, e, v)), (0, 1, 3, 2, 4))
    return ops.reshape(product, (-1, d * e, math.prod((u, v))))
