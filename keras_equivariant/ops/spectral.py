"""1x1 group convolutions, block diagonal after the group's Fourier transform."""

from keras import ops


def convolve_pointwise(x, kernel, forward, inverse, blocks):
    """y(s') = sum_s w(s'^-1 s) x(s) for every pixel.

    Args:
        x: regular features (B, *space, S, C).
        kernel: w, `(S, C, F)`; transformed in its own precision, then cast to that of x.
        forward, inverse: `(S, S)` NumPy arrays, the Fourier transform of the group and back.
        blocks: `(rows, matrices)` per irreducible representation, as in `kernels.fourier`.

    Returns:
        (B, *space, S, F).
    """
    elements, fields, filters = kernel.shape
    planes = ops.transpose(ops.reshape(x, (-1, elements, fields)), (1, 0, 2))
    planes = _transform(planes, forward)
    mixed, start = [], 0
    for rows, matrices in blocks:
        size = matrices.shape[1]
        weight = ops.cast(_block(kernel, matrices), x.dtype)
        for _ in range(rows):
            mixed += _mix(planes, start, size, weight)
            start += size
    y = _transform(ops.stack(mixed, axis=0), inverse)
    return ops.reshape(ops.transpose(y, (1, 0, 2)), (*ops.shape(x)[:-2], elements, filters))


def _transform(planes, matrix):
    """A matrix on the first axis of (S, N, C): one wide product."""
    flat = ops.reshape(planes, (planes.shape[0], -1))
    # The operator @, for ops.matmul rounds float64 to float32 on torch.
    flat = ops.convert_to_tensor(matrix, dtype=planes.dtype) @ flat
    return ops.reshape(flat, (planes.shape[0], -1, planes.shape[-1]))


def _block(kernel, matrices):
    """w^(rho)_j'j = sum_t w(t) rho(t)_j'j, as `(dim, dim, C, F)`."""
    elements, size = matrices.shape[:2]
    rho = ops.convert_to_tensor(matrices.reshape(elements, -1).T, dtype=kernel.dtype)
    flat = rho @ ops.reshape(kernel, (elements, -1))
    return ops.reshape(flat, (size, size, *kernel.shape[1:]))


def _mix(planes, start, size, weight):
    """The columns j' of one row of coefficients, each `(N, F)`."""
    if size == 1:
        return [planes[start] @ weight[0, 0]]
    row = ops.concatenate([planes[start + j] for j in range(size)], axis=-1)
    fields, filters = weight.shape[2:]
    stacked = ops.reshape(ops.transpose(weight, (1, 2, 0, 3)), (size * fields, size * filters))
    return ops.split(row @ stacked, size, axis=-1)
