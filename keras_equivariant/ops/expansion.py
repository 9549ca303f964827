"""Coefficients -> dense convolution kernels: psi_s'(x, s) = sum_d c_d(s'^-1 s) B_s'^d(x).

Channels of an expanded kernel lie as (field group, group element, field), field fastest; with one field group that
is the regular layout (|G|, C) flattened.
"""

from keras import ops


def expand_exact(coefficients, pixels, relative, field_groups=1):
    """The dense kernel of a pixel-permuting group: one gather.

    Args:
        coefficients: `(D, S, C, F)`, D pixels, S group elements (1 for a lifting convolution), C input fields of a
            field group, F output fields.
        pixels: `(order, D)` integers, the pixel that each pixel of the moved kernel takes.
        relative: `(order, S)` integers, s'^-1 s.
        field_groups: number of groups of the F output fields.

    Returns:
        `(D, S C, field_groups order F / field_groups)`.
    """
    size, elements, fields_in, filters = coefficients.shape
    order = len(relative)
    # A reshape before the gather keeps the gradient dense: optimizers treat sparse ones with repeated rows wrongly.
    rows = ops.reshape(coefficients, (size * elements, fields_in * filters))
    index = pixels.T[:, None, :] * elements + relative.T[None, :, :]
    kernel = ops.take(rows, index.ravel().astype("int32"), axis=0)
    shape = (size, elements, order, fields_in, field_groups, filters // field_groups)
    kernel = ops.transpose(ops.reshape(kernel, shape), (0, 1, 3, 4, 2, 5))
    return ops.reshape(kernel, (size, elements * fields_in, order * filters))


def expand(coefficients, functions, relative, field_groups=1):
    """The dense kernel on any basis: coefficients of s'^-1 s, then a sum over the functions of s'.

    Args:
        coefficients: `(D, S, C, F)`.
        functions: `(order, D, pixels)` array or tensor, B_s'^d.
        relative: `(order, S)` integers, s'^-1 s; S where there is no such coefficient, which then is 0.
        field_groups: number of groups of the F output fields.

    Returns:
        `(pixels, S C, field_groups order F / field_groups)`.
    """
    size, elements, fields_in, filters = coefficients.shape
    order, pixels = len(relative), functions.shape[-1]
    rows = ops.reshape(coefficients, (size, elements, fields_in * filters))
    elements = relative.shape[1]
    if relative.max() == rows.shape[1]:
        rows = ops.pad(rows, ((0, 0), (0, 1), (0, 0)))
    rotated = ops.take(rows, relative.ravel().astype("int32"), axis=1)
    rotated = ops.reshape(rotated, (size, order, elements * fields_in * filters))
    functions = ops.transpose(ops.convert_to_tensor(functions, dtype=coefficients.dtype), (0, 2, 1))
    kernel = functions @ ops.transpose(rotated, (1, 0, 2))  # (order, pixels, S C F)
    shape = (order, pixels, elements * fields_in, field_groups, filters // field_groups)
    kernel = ops.transpose(ops.reshape(kernel, shape), (1, 2, 3, 0, 4))
    return ops.reshape(kernel, (pixels, elements * fields_in, order * filters))


def dense_over_groups(kernel, field_groups, elements_in, elements_out):
    """The same convolution without field groups: zeros between groups, channels in the regular layout.

    Args:
        kernel: `(*k, S C, field_groups order F)` as `expand` gives it.

    Returns:
        `(*k, S field_groups C, order field_groups F)`.
    """
    if field_groups == 1:
        return kernel
    space = kernel.shape[:-2]
    fields_in, filters = kernel.shape[-2] // elements_in, kernel.shape[-1] // (field_groups * elements_out)
    split = ops.reshape(kernel, (-1, elements_in, 1, fields_in, field_groups, elements_out, filters))
    same_group = ops.reshape(ops.eye(field_groups, dtype=kernel.dtype), (field_groups, 1, field_groups, 1, 1))
    dense = ops.transpose(split * same_group, (0, 1, 2, 3, 5, 4, 6))
    return ops.reshape(dense, (*space, elements_in * field_groups * fields_in, elements_out * field_groups * filters))


def dilate(kernel, rates):
    """A kernel (*k, I, O) with rate - 1 zeros between its taps along each axis."""
    for axis, rate in enumerate(rates):
        if rate == 1:
            continue
        taps = kernel.shape[axis]
        stuffed = ops.expand_dims(kernel, axis + 1)
        stuffed = ops.pad(stuffed, [(0, rate - 1 if a == axis + 1 else 0) for a in range(len(stuffed.shape))])
        shape = list(kernel.shape)
        shape[axis] = taps * rate
        kernel = ops.reshape(stuffed, shape)[(slice(None),) * axis + (slice(0, (taps - 1) * rate + 1),)]
    return kernel


def to_field_groups(x, elements, field_groups):
    """Channels (elements, field groups, fields) -> (field groups, elements, fields), flat on the last axis."""
    return _swap(x, elements, field_groups)


def from_field_groups(x, elements, field_groups):
    """The inverse of `to_field_groups`."""
    return _swap(x, field_groups, elements)


def _swap(x, slow, fast):
    if slow == 1 or fast == 1:
        return x
    shape = ops.shape(x)
    split = ops.reshape(x, (*shape[:-1], slow, fast, x.shape[-1] // (slow * fast)))
    axes = list(range(len(split.shape)))
    axes[-3], axes[-2] = axes[-2], axes[-3]
    return ops.reshape(ops.transpose(split, axes), (*shape[:-1], x.shape[-1]))
