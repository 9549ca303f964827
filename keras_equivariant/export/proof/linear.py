"""Convolutions and dense layers: an output is known by its kernel, its bias and what it acts on."""

import dataclasses

import numpy as np

from keras_equivariant.export.proof.field import INDEX, Field
from keras_equivariant.export.proof.graph import NotCovered, Weights, window
from keras_equivariant.export.proof.table import digest


def convolution(proof, node, x, kernel, bias=None):
    """A convolution over some of the axes of space; the others it leaves alone."""
    _constant(kernel, bias)
    options = node.options
    if options.get("lanes") and node.scales:
        raise NotCovered(
            f"its {kernel.shape[-1]} channels are no multiple of eight, and some runtimes round those behind the last "
            "eight otherwise; ke.export fills them up, else use a multiple of eight"
        )
    x, windows = windows_of(proof, node, x, kernel.shape[:-2])
    roles = [x.role(axis) for axis in options["axes"]]
    kernel = _by_role(kernel, roles, len(windows))
    channels = options["channels"] % len(x.axes)
    rows, field = x.with_index_last(channels, proof.table, proof.moves)
    groups = options.get("groups", 1)
    inputs, outputs = rows.shape[-1], kernel.shape[-1]
    if kernel.shape[-2] * groups != inputs or outputs % groups:
        raise NotCovered(f"its kernel of {kernel.shape[-2]} x {groups} channels meets {inputs}")
    parts = []
    for group in range(groups):
        taken = slice(group * inputs // groups, (group + 1) * inputs // groups)
        given = slice(group * outputs // groups, (group + 1) * outputs // groups)
        some = None if bias is None else bias[given]
        parts.append(_linear(proof, node, rows[..., taken], kernel[..., given], some, windows, given))
    ids = np.concatenate(parts, axis=-1)
    sizes = {role: w.new for role, w in enumerate(windows) if w}
    axes = [[(role, sizes.get(role, size)) for role, size in axis] for axis in field.axes[:-1]]
    result = Field([*axes, ((INDEX, outputs),)], ids)
    order = list(range(len(axes)))
    order.insert(channels, len(axes))
    return result.transposed(order)


def dense(proof, node, x, kernel, bias=None):
    """A matrix on one axis."""
    _constant(kernel, bias)
    if node.options.get("flat"):
        x = x.reshaped((-1, x.shape[-1]), proof.table, proof.moves)
    axis = node.options["axis"] % len(x.axes)
    rows, field = x.with_index_last(axis, proof.table, proof.moves)
    if rows.shape[-1] != len(kernel):
        raise NotCovered(f"its kernel of {len(kernel)} channels meets {rows.shape[-1]}")
    ids = _linear(proof, node, rows, kernel, bias, None, slice(None))
    result = Field([*field.axes[:-1], ((INDEX, kernel.shape[-1]),)], ids)
    order = list(range(len(field.axes) - 1))
    order.insert(axis, len(order))
    return result.transposed(order)


def matrix(proof, node, x, kernel):
    """A matrix on an axis of space, from the left: each output is a sum of pixels along the axis."""
    _constant(kernel)
    axis = node.options["axis"] % len(x.axes)
    role = x.role(axis)
    if role is None:
        if np.ndim(kernel) != 2 or node.scales is not None:
            raise NotCovered("its matrix meets an axis that is not one of space")
        return dense(proof, dataclasses.replace(node, options={"axis": axis}), x, np.asarray(kernel).T)
    kernel = np.asarray(kernel).reshape(np.shape(kernel)[-2:])
    if kernel.shape[1] != x.shape[axis]:
        raise NotCovered(f"its matrix of {kernel.shape[1]} columns meets {x.shape[axis]} pixels")
    windows = [None] * proof.dimension
    windows[role] = Weights(digest(kernel), digest(kernel[::-1, ::-1]))
    mode = "matrix" if node.scales is None else ("matrix", node.scales)

    def one(move, number):
        return proof.table.over_windows(mode, move.windows(windows), number, merge=node.scales is None)

    axes = list(x.axes)
    axes[axis] = ((role, len(kernel)),)
    return x.like(proof.each(one, x.ids), axes)


def windows_of(proof, node, x, sizes):
    """The Windows by axis of space, None where nothing happens; a window of one pixel may lie along any axis."""
    options = node.options
    found = [None] * proof.dimension
    transposed = options.get("transposed", False)
    for i, axis in enumerate(options["axes"]):
        role, old = x.role(axis), x.shape[axis]
        padding = options["padding"]
        padding = padding if isinstance(padding, str) else padding[i]
        padding = padding(old) if callable(padding) else padding  # what follows from the size alone
        if transposed and padding in ("same", "valid"):
            padding = _backwards(old, sizes[i], options["strides"][i], options["dilations"][i], padding)
        one = window(old, int(sizes[i]), options["strides"][i], options["dilations"][i], padding, transposed)
        if role is None and not one.trivial:
            if all(kind == INDEX and size == 1 for kind, size in x.axes[axis]) and one.new == 1:
                raise NotCovered("its window lies on an axis that is no longer one of space")
            raise NotCovered("its window moves along an axis that is not one of space")
        if role is not None and not one.trivial:
            found[role] = one
    return x, tuple(found)


def _backwards(old, size, stride, dilation, padding):
    """`(before, size of the output)` of a transposed convolution in Keras and TensorFlow."""
    extent = (size - 1) * dilation + 1
    if padding == "valid":
        return 0, old * stride + max(extent - stride, 0)
    return max(extent - stride, 0) // 2, old * stride


def _by_role(kernel, roles, dimension):
    """The kernel with one axis per axis of space, in their order."""
    if None in roles and any(size > 1 for size, role in zip(kernel.shape[:-2], roles, strict=True) if role is None):
        raise NotCovered("its kernel lies on an axis that is not one of space")
    present = [(role, axis) for axis, role in enumerate(roles) if role is not None]
    order = [axis for _, axis in sorted(present)]
    rest = [axis for axis, role in enumerate(roles) if role is None]
    sizes = dict((role, kernel.shape[axis]) for role, axis in present)
    kernel = kernel.transpose(*order, *rest, kernel.ndim - 2, kernel.ndim - 1)
    return kernel.reshape(*(sizes.get(role, 1) for role in range(dimension)), *kernel.shape[-2:])


def _constant(*arrays):
    if any(isinstance(array, Field) for array in arrays):
        raise NotCovered("its kernel is not a constant")


def _linear(proof, node, rows, kernel, bias, windows, given):
    """Ids `(moves, others, outputs)` of linear maps of ids `(moves, others, inputs)`.

    Inputs of one number are one input with the sum of their kernels, inputs without weight are none, and of floats the
    kernel's sign is put in front.
    """
    integers = node.scales is not None
    if kernel.dtype.kind != "f" and not integers:
        raise NotCovered("its weights are integers beside activations of floats")
    wide = np.int64 if integers else np.float64
    kernel = kernel.astype(wide)
    outputs = kernel.shape[-1]
    bias = np.zeros(outputs, wide) if bias is None else bias.astype(wide)
    scales = node.options.get("kernel_scales")
    marks = [None] * outputs if scales is None else [row.tobytes() for row in scales[given]]
    found = np.empty((*rows.shape[:2], outputs), np.int64)
    for i, move in enumerate(proof.moves):
        moved = kernel if windows is None else move.array(kernel)
        there = None if windows is None else move.windows(windows)
        known = {}
        for j, ids in enumerate(rows[i]):
            if ids.tobytes() not in known:
                signs = _signed_kernels(ids, moved, integers)
                known[ids.tobytes()] = [
                    sign * proof.table.number("linear", name, there, (sign * b + 0).item(), mark, node.scales)
                    for (sign, name), b, mark in zip(signs, bias, marks, strict=True)
                ]
            found[i, j] = known[ids.tobytes()]
    return found


def _signed_kernels(ids, kernel, integers):
    """For each output the sign, and the name of what is left: inputs and their kernels."""
    inputs, where = np.unique(np.abs(ids), return_inverse=True)
    kernel = kernel.reshape(-1, *kernel.shape[-2:])
    kernel = kernel * np.sign(ids)[:, None]
    if len(inputs) == len(ids):
        kernel = kernel[:, np.argsort(where)]
    else:
        merged = np.zeros((len(kernel), len(inputs), kernel.shape[-1]), kernel.dtype)
        np.add.at(merged, (slice(None), where), kernel)
        kernel = merged
    kernel = np.ascontiguousarray(np.moveaxis(kernel, -1, 0)).transpose(0, 2, 1) + 0  # outputs, inputs, space
    for one in kernel:
        weighted = (one != 0).any(axis=-1)
        one = np.ascontiguousarray(one[weighted])
        sign = 1
        if not integers and one.size:
            sign = int(np.sign(one.flat[np.flatnonzero(one)[0]]))
        yield sign, digest(inputs[weighted], sign * one + 0)
