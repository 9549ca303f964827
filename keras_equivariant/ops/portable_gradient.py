"""Gradients in TensorFlow made of operations that TFLite and ONNX have, for files that answer with a gradient.

TensorFlow's own sum over broadcast axes by shapes that are read when it runs (`BroadcastGradientArgs`), and slices have
an operation for their gradient alone; neither is in other runtimes. Here shapes are those known when the graph is
made: a size that is not known then, that of the batch, is the same in all tensors.
"""

import contextlib
import contextvars
import functools

import numpy as np

_wanted = contextvars.ContextVar("portable_gradient", default=False)


@contextlib.contextmanager
def portable_gradients():
    """A context in which `ops.gradient` makes graphs of operations that other runtimes have, where it can."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


def wanted():
    return _wanted.get()


def gradients(function, xs):
    """The gradients of sum(function(xs)) with respect to tensors of a graph that is being made; 0 where there is none.

    Args:
        function: of the list of tensors.
        xs: list of tensors of TensorFlow.
    """
    import tensorflow as tf

    xs, graph = [tf.identity(x) for x in xs], tf.compat.v1.get_default_graph()
    before = set(graph.get_operations())
    with graph.gradient_override_map(_registered()):
        y = function(xs)
    slopes = tf.gradients(y, xs, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    for operation in set(graph.get_operations()) - before:
        if operation.type in _RULES:
            operation._clear_attr("_gradient_op_type")  # which a SavedModel would write as a function
    return slopes


@functools.cache
def _registered():
    """`{operation: name of its gradient}`, registered with TensorFlow."""
    import tensorflow as tf

    found = {}
    for operation, function in _RULES.items():
        found[operation] = f"KerasEquivariant{operation}"
        tf.RegisterGradient(found[operation])(functools.partial(function, tf))
    return found


def _summed(tf, slope, like):
    """The sum of a slope over the axes along which `like` was broadcast."""
    shape, own = slope.shape.as_list(), like.shape.as_list()
    own = [1] * (len(shape) - len(own)) + own
    axes = [i for i, (n, m) in enumerate(zip(shape, own, strict=True)) if m == 1 and n != 1]
    if axes:
        slope = tf.reduce_sum(slope, axis=axes, keepdims=True)
    extra = list(range(len(shape) - len(like.shape)))
    return tf.squeeze(slope, axis=extra) if extra else slope


def _of_two(slopes):
    """The rule of an operation of two broadcast tensors, by what the slopes with respect to each are."""

    def rule(tf, op, slope):
        x, y = op.inputs
        return tuple(_summed(tf, s, z) for s, z in zip(slopes(tf, x, y, slope, op), (x, y), strict=True))

    return rule


def _larger(tf, x, y, slope, op):
    from_x = tf.cast(x >= y if op.type == "Maximum" else x <= y, slope.dtype)
    return slope * from_x, slope * (1 - from_x)


def _power(tf, x, y, slope, op):
    positive = tf.where(x > 0, x, tf.ones_like(x))
    return slope * y * tf.pow(x, y - 1), slope * op.outputs[0] * tf.where(x > 0, tf.math.log(positive), 0.0)


def _product(tf, op, slope):
    """Of a product of matrices, of which either may be transposed."""
    (x, y), (of_x, of_y) = op.inputs, (op.get_attr("adj_x"), op.get_attr("adj_y"))
    if of_x:
        slope_x = tf.matmul(y, slope, transpose_a=of_y, transpose_b=True)
    else:
        slope_x = tf.matmul(slope, y, transpose_b=not of_y)
    if of_y:
        slope_y = tf.matmul(slope, x, transpose_a=True, transpose_b=of_x)
    else:
        slope_y = tf.matmul(x, slope, transpose_a=not of_x)
    return _summed(tf, slope_x, x), _summed(tf, slope_y, y)


def _choice(tf, op, slope):
    chosen, x, y = op.inputs
    zero = tf.zeros((), slope.dtype)
    return None, _summed(tf, tf.where(chosen, slope, zero), x), _summed(tf, tf.where(chosen, zero, slope), y)


def _sum(tf, op, slope):
    x, axes = op.inputs
    if not op.get_attr("keep_dims"):
        axes = np.atleast_1d(tf.get_static_value(axes))
        for axis in sorted(axis % len(x.shape) for axis in axes):
            slope = tf.expand_dims(slope, axis)
    return slope + tf.zeros_like(x), None


def _mean(tf, op, slope):
    slope, _ = _sum(tf, op, slope)
    axes = np.atleast_1d(tf.get_static_value(op.inputs[1]))
    sizes = [op.inputs[0].shape[int(axis)] for axis in axes]
    count = np.prod(sizes) if None not in sizes else tf.size(op.inputs[0]) / tf.size(op.outputs[0])
    return slope / tf.cast(count, slope.dtype), None


def _concatenation(tf, op, slope):
    *parts, axis = op.inputs
    axis = int(tf.get_static_value(axis))
    return (*tf.split(slope, [part.shape[axis] for part in parts], axis=axis), None)


def _broadcast(tf, op, slope):
    return _summed(tf, slope, op.inputs[0]), None


def _slice(tf, op, slope):
    """A slope padded with zeros to what it is a slice of."""
    x, *bounds = op.inputs
    begin, end, strides = map(tf.get_static_value, bounds)
    masks = {name: op.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    rank, axis, pads, shrunk, added = len(x.shape), 0, [], [], []
    explicit = sum(1 for i in range(len(begin)) if not (masks["new_axis"] | masks["ellipsis"]) >> i & 1)
    place = 0  # of the axis in the slope
    for i in range(len(begin)):
        has = {name: mask >> i & 1 for name, mask in masks.items()}
        if has["ellipsis"]:
            width = rank - explicit
            pads += [(0, 0)] * width
            axis, place = axis + width, place + width
        elif has["new_axis"]:
            added.append(place)
            place += 1
        else:
            size = x.shape[axis]
            if has["shrink_axis"]:
                first = int(begin[i]) + (size if begin[i] < 0 else 0)
                pads.append((first, size - first - 1))
                shrunk.append(axis)
            elif has["begin"] and has["end"] and strides[i] == 1:
                pads.append((0, 0))
                place += 1
            else:
                start, stop, step = slice(
                    None if has["begin"] else int(begin[i]), None if has["end"] else int(end[i]), int(strides[i])
                ).indices(size)
                if step != 1:
                    return _own_slice(tf, op, slope)
                pads.append((start, size - max(start, stop)))
                place += 1
            axis += 1
    slope = tf.squeeze(slope, axis=added) if added else slope
    for axis in shrunk:
        slope = tf.expand_dims(slope, axis)
    pads += [(0, 0)] * (rank - len(pads))
    return tf.pad(slope, pads) if any(map(any, pads)) else slope, None, None, None


def _own_slice(tf, op, slope):
    """What TensorFlow itself does, for slices with steps."""
    names = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    masks = {name: op.get_attr(name) for name in names}
    x, begin, end, strides = op.inputs
    given = {"shape": tf.shape(x), "begin": begin, "end": end, "strides": strides, "dy": slope}
    return tf.raw_ops.StridedSliceGrad(**given, **masks), None, None, None


_RULES = {
    "AddV2": _of_two(lambda tf, x, y, s, op: (s, s)),
    "Sub": _of_two(lambda tf, x, y, s, op: (s, -s)),
    "Mul": _of_two(lambda tf, x, y, s, op: (s * y, s * x)),
    "RealDiv": _of_two(lambda tf, x, y, s, op: (s / y, -s * op.outputs[0] / y)),
    "SquaredDifference": _of_two(lambda tf, x, y, s, op: (2 * s * (x - y), -2 * s * (x - y))),
    "Atan2": _of_two(lambda tf, x, y, s, op: (s * y / (x * x + y * y), -s * x / (x * x + y * y))),
    "Maximum": _of_two(_larger),
    "Minimum": _of_two(_larger),
    "Pow": _of_two(_power),
    "SelectV2": _choice,
    "BatchMatMulV2": _product,
    "Sum": _sum,
    "Mean": _mean,
    "ConcatV2": _concatenation,
    "BroadcastTo": _broadcast,
    "StridedSlice": _slice,
    "Relu": lambda tf, op, s: s * tf.cast(op.outputs[0] > 0, s.dtype),
    "Sigmoid": lambda tf, op, s: s * op.outputs[0] * (1 - op.outputs[0]),
    "Tanh": lambda tf, op, s: s * (1 - op.outputs[0] * op.outputs[0]),
    "Softplus": lambda tf, op, s: s * tf.sigmoid(op.inputs[0]),
    "Sqrt": lambda tf, op, s: 0.5 * s / op.outputs[0],
    "Rsqrt": lambda tf, op, s: -0.5 * s * op.outputs[0] * op.outputs[0] * op.outputs[0],
}
