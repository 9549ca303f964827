"""1x1 group convolutions, block diagonal after the group's fast Fourier transform."""

import functools

from keras import ops

from keras_equivariant.ops.additions import add_up
from keras_equivariant.ops.compiled import compiled, fuses


def convolve_pointwise(x, kernel, fourier, training=False):
    """y(s') = sum_s w(s'^-1 s) x(s) for every pixel.

    Args:
        x: regular features (B, *space, S, C).
        kernel: w, `(S, C, F)`; transformed in its own precision, then cast to that of x.
        fourier: `kernels.FastFourier` of the group.
        training: whether the transforms may be compiled, each one pass over memory.

    Returns:
        (B, *space, S, F).
    """
    elements, fields, filters = kernel.shape
    forward, inverse = _transforms(fourier, bool(training) and fuses())
    rows = forward(ops.reshape(x, (-1, elements, fields)))
    mixed = [row @ ops.cast(_block(kernel, block), x.dtype) for block, row in zip(fourier.blocks, rows, strict=True)]
    return ops.reshape(inverse(*mixed), (*ops.shape(x)[:-2], elements, filters))


@functools.lru_cache(maxsize=64)
def _transforms(fourier, fused):
    """The transform of features (N, S, C) into `(rows N, dim C)` for each block, and of such back into features."""

    def forward(x):
        if fused:
            numbers = add_up([x[:, s] for s in range(fourier.order)], fourier.forward)
        else:
            planes = _product(fourier.matrix, ops.transpose(x, (1, 0, 2)))
            numbers = [planes[i] for i in range(fourier.coefficients)]
        return tuple(_stacked(block, numbers[block.start : block.start + block.rows * block.dim]) for block in blocks)

    def inverse(*mixed):
        numbers = []
        for block, y in zip(blocks, mixed, strict=True):
            for row in ops.split(y, block.rows, axis=0) if block.rows > 1 else [y]:
                numbers += ops.split(row, block.dim, axis=-1) if block.dim > 1 else [row]
        if fused:
            return ops.stack(add_up(numbers, fourier.inverse), axis=1)
        return ops.transpose(_product(fourier.matrix.T, ops.stack(numbers, axis=0)), (1, 0, 2))

    blocks = fourier.blocks
    return (compiled(forward), compiled(inverse)) if fused else (forward, inverse)


def _product(matrix, planes):
    """A matrix on the first axis of (S, N, C): one wide product, where additions would be as many passes."""
    flat = ops.reshape(planes, (planes.shape[0], -1))
    flat = ops.convert_to_tensor(matrix, dtype=planes.dtype) @ flat
    return ops.reshape(flat, (len(matrix), -1, planes.shape[-1]))


def _stacked(block, numbers):
    """The columns of a row side by side, rows one after the other."""
    starts = range(0, len(numbers), block.dim)
    rows = [ops.concatenate(numbers[i : i + block.dim], axis=-1) if block.dim > 1 else numbers[i] for i in starts]
    return rows[0] if len(rows) == 1 else ops.concatenate(rows, axis=0)


def _block(kernel, block):
    """The matrix of a block, `(dim C, dim F)`."""
    elements, fields, filters = kernel.shape
    weights = ops.convert_to_tensor(block.weights.reshape(elements, -1).T, dtype=kernel.dtype)
    matrix = weights @ ops.reshape(kernel, (elements, -1))  # @, for ops.matmul rounds float64 to float32 on torch
    matrix = ops.transpose(ops.reshape(matrix, (block.dim, block.dim, fields, filters)), (1, 2, 0, 3))
    return ops.reshape(matrix, (block.dim * fields, block.dim * filters))
