"""The way back from dense kernels to coefficients: orthogonal projections onto spaces of equivariant kernels."""

import numpy as np


def rotated_coefficients(kernel, functions, relative, count, field_groups=1):
    """The coefficients on a rotated basis whose expanded kernel is nearest to a dense one.

    Nearest in the sum of squares over all pixels and channels, but those between different field groups.

    Args:
        kernel: `(pixels, S groups C, order groups F)`, channels in the regular layout.
        functions: `(order, D, pixels)`, B_s^d.
        relative: `(order, S)` integers, s'^-1 s; `count` where there is no coefficient.
        count: number of relative orientations; 1 for a lifting convolution.
        field_groups: number of groups of the fields.

    Returns:
        `(D, count, C, groups F)`.
    """
    order, size, pixels = functions.shape
    elements = relative.shape[1]
    fields, filters = kernel.shape[1] // (elements * field_groups), kernel.shape[2] // (order * field_groups)
    split = kernel.reshape(pixels, elements, field_groups, fields, order, field_groups, filters)
    by_group = np.einsum("psqcoqf->ospcqf", split)
    source = np.stack([np.argmax(relative == r, axis=1) for r in range(count)], axis=1)
    wanted = by_group[np.arange(order)[:, None], source].transpose(0, 2, 1, 3, 4, 5)
    rows = functions.transpose(0, 2, 1).reshape(order * pixels, size)
    found = np.linalg.lstsq(rows, wanted.reshape(order * pixels, -1), rcond=None)[0]
    return found.reshape(size, count, fields, field_groups * filters)


def steerable_coefficients(kernel, basis):
    """The coefficients on a basis of steerable kernels whose expanded kernel is nearest to a dense one.

    Args:
        kernel: `(pixels, channels in, channels out)`.
        basis: a SteerableBasis; its functions may be scaled, as long as they are orthogonal.

    Returns:
        `(basis.size,)`, in the order of `ops.steerable.expand`.
    """
    rows = _disassembled(kernel, basis.in_blocks, basis.sources, axis=1)
    found = []
    for (i, o), functions in basis.pairs.items():
        part = _disassembled(rows[i], basis.out_blocks, basis.targets, axis=3)[o]
        weights = np.einsum("dpoi,pinom->dnm", functions, part)
        found.append((weights / np.sum(functions**2, axis=(1, 2, 3))[:, None, None]).ravel())
    return np.concatenate(found)


def _disassembled(kernel, blocks, irreps, axis):
    """A kernel with the channels of a field type at `axis` as one for each irrep, with axes (dim, copies) there."""
    head, tail = kernel.shape[:axis], kernel.shape[axis + 1 :]
    found = [np.zeros((*head, irrep.dim, irrep.copies, *tail)) for irrep in irreps]
    start = 0
    for block in blocks:
        size = sum(irreps[index].dim * copies for index, _, copies in block.parts)
        stop = start + size * block.multiplicity
        channels = np.take(kernel, np.arange(start, stop), axis=axis)
        channels = channels.reshape(*head, size, block.multiplicity, *tail)
        if block.change_of_basis is not None:
            channels = np.moveaxis(np.tensordot(block.change_of_basis, channels, axes=(0, axis)), 0, axis)
        first = 0
        for index, at, copies in block.parts:
            dim = irreps[index].dim
            part = np.take(channels, np.arange(first, first + copies * dim), axis=axis)
            part = part.reshape(*head, copies, dim, block.multiplicity, *tail).swapaxes(axis, axis + 1)
            where = (slice(None),) * (axis + 1) + (slice(at, at + copies * block.multiplicity),)
            found[index][where] = part.reshape(*head, dim, copies * block.multiplicity, *tail)
            first += copies * dim
        start = stop
    return found
