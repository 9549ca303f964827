"""Coefficients -> dense kernels between field types."""

import itertools

import numpy as np
from keras import ops

from keras_equivariant.ops import expansion


def expand(coefficients, basis):
    """The dense kernel that coefficients on a basis of steerable kernels stand for.

    K(x) = Q_out (sum_d w_d^(ij) B_d^(ij)(x))_ij Q_in^T for the irreps i of the input and j of the output.

    Args:
        coefficients: `(n,)`, those of all pairs of irreps one after the other, each `(D, copies in, copies out)`.
        basis: what `kernels.steerable_basis` gives, its functions scaled or not.

    Returns:
        `(pixels, channels in, channels out)`.
    """
    sizes = [int(np.prod(shape)) for shape in basis.shapes.values()]
    ends = dict(zip(basis.shapes, itertools.accumulate(sizes), strict=True))
    if basis.field_pairs is None:
        return _expand_irreps(coefficients, basis, ends)
    columns = []
    for row, out in zip(basis.field_pairs, basis.out_blocks, strict=True):
        parts = [
            ops.zeros((_pixels(basis), block.dim * block.multiplicity, out.dim * out.multiplicity), coefficients.dtype)
            if pair is None
            else _expand_fields(coefficients, pair, basis, ends)
            for pair, block in zip(row, basis.in_blocks, strict=True)
        ]
        columns.append(parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1))
    return columns[0] if len(columns) == 1 else ops.concatenate(columns, axis=2)


def _pixels(basis):
    return next(iter(basis.pairs.values())).shape[1]


def _expand_fields(coefficients, pair, basis, ends):
    """The kernel of a FieldPair, `(pixels, channels in, channels out)`."""
    (fields, filters), (dim_in, dim_out) = pair.multiplicities, pair.sizes
    weights = ops.reshape(_coefficients(coefficients, pair, basis, ends), (-1, fields * filters))
    numbers = ops.convert_to_tensor(pair.matrix, dtype=coefficients.dtype) @ weights
    if pair.pixels is not None:
        row = ops.reshape(numbers, (-1, dim_in, fields, filters))
        return expansion.expand_exact(row, pair.pixels, pair.relative)
    if pair.functions is not None:
        row = ops.reshape(numbers, (-1, dim_in, fields, filters))
        return expansion.expand(row, pair.functions, pair.relative)
    kernel = ops.transpose(ops.reshape(numbers, (-1, dim_in, dim_out, fields, filters)), (0, 1, 3, 2, 4))
    return ops.reshape(kernel, (-1, dim_in * fields, dim_out * filters))


def _coefficients(coefficients, pair, basis, ends):
    """The coefficients of a FieldPair, flat: term after term `(D, copies in, copies out, fields in, fields out)`."""
    runs = []
    for key, (first_in, copies_in, fields), (first_out, copies_out, filters) in pair.terms:
        size, all_in, all_out = basis.shapes[key]
        end = ends[key]
        start = end - size * all_in * all_out
        whole = copies_in * fields == all_in and copies_out * filters == all_out
        if whole and copies_in == copies_out == 1:
            if runs and runs[-1][1] == start:
                runs[-1] = (runs[-1][0], end, None)
            else:
                runs.append((start, end, None))
            continue
        part = ops.reshape(coefficients[start:end], (size, all_in, all_out))
        part = part[:, first_in : first_in + copies_in * fields, first_out : first_out + copies_out * filters]
        if copies_in * copies_out > 1:
            part = ops.reshape(part, (size, copies_in, fields, copies_out, filters))
            part = ops.transpose(part, (0, 1, 3, 2, 4))
        runs.append((None, None, ops.reshape(part, (-1,))))
    runs = [coefficients[start:end] if part is None else part for start, end, part in runs]
    return runs[0] if len(runs) == 1 else ops.concatenate(runs)


def _expand_irreps(coefficients, basis, ends):
    """`expand`, irrep by irrep, with the changes of basis in the end."""
    between = {}
    for pair, shape in basis.shapes.items():
        flat = coefficients[ends[pair] - int(np.prod(shape)) : ends[pair]]
        between[pair] = _expand_pair(ops.reshape(flat, shape), basis.pairs[pair])
    pixels = _pixels(basis)
    columns = []
    for o, target in enumerate(basis.targets):
        rows = [
            between[i, o]
            if (i, o) in between
            else ops.zeros((pixels, source.dim, source.copies, target.dim, target.copies), coefficients.dtype)
            for i, source in enumerate(basis.sources)
        ]
        column = _assemble(rows, basis.in_blocks, axis=1)
        columns.append(ops.reshape(column, (pixels, -1, target.dim, target.copies)))
    return _assemble(columns, basis.out_blocks, axis=2)


def _expand_pair(coefficients, functions):
    """`(D, n, m)` coefficients and `(D, pixels, out, in)` functions to `(pixels, in, n, out, m)`."""
    size, pixels, dim_out, dim_in = functions.shape
    functions = functions.transpose(1, 3, 2, 0).reshape(-1, size)
    kernel = ops.convert_to_tensor(functions, dtype=coefficients.dtype) @ ops.reshape(coefficients, (size, -1))
    kernel = ops.reshape(kernel, (pixels, dim_in, dim_out, *coefficients.shape[1:]))
    return ops.transpose(kernel, (0, 1, 3, 2, 4))


def _assemble(irreps, blocks, axis):
    """Kernels per irrep, with axes (dim, copies) at `axis`, to one with the channels of the field type there."""
    assembled = []
    for block in blocks:
        parts = []
        for index, first, copies in block.parts:
            part = irreps[index]
            if copies * block.multiplicity != part.shape[axis + 1]:
                part = part[(slice(None),) * (axis + 1) + (slice(first, first + copies * block.multiplicity),)]
            head, dim, tail = part.shape[:axis], part.shape[axis], part.shape[axis + 2 :]
            if copies > 1:
                # To (copies, dim, multiplicity): copy after copy, as the change of basis has them.
                part = ops.reshape(part, (*head, dim, copies, block.multiplicity, *tail))
                part = ops.swapaxes(part, axis, axis + 1)
            parts.append(ops.reshape(part, (*head, copies * dim, block.multiplicity, *tail)))
        part = parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=axis)
        shape = part.shape
        if block.change_of_basis is not None:
            size = len(block.change_of_basis)
            change = ops.convert_to_tensor(block.change_of_basis, dtype=part.dtype)
            part = change @ ops.reshape(part, (int(np.prod(shape[:axis])), size, -1))
        assembled.append(ops.reshape(part, (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])))
    return assembled[0] if len(assembled) == 1 else ops.concatenate(assembled, axis=axis)
