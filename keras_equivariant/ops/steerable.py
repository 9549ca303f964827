"""Coefficients -> dense kernels between field types."""

import itertools

import numpy as np
from keras import ops


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
    ends = list(itertools.accumulate(sizes))
    between = {}
    for (pair, shape), end, size in zip(basis.shapes.items(), ends, sizes, strict=True):
        between[pair] = _expand_pair(ops.reshape(coefficients[end - size : end], shape), basis.pairs[pair])
    pixels = next(iter(basis.pairs.values())).shape[1]
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
