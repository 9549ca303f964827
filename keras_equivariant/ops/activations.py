"""Nonlinearities of fields: of norms, by gates, of samples, of products.

Features (..., D) are cut into planes: every component of every block is a slice of the channels, (..., multiplicity).
Slices and concatenations work on any rank and on unknown sizes, and every converter has them. `layout` is a tuple of
`(dim, multiplicity)`, one per block.
"""

import functools
import itertools
import operator

import keras
import numpy as np
from keras import ops

from keras_equivariant.ops.compiled import compiled_pointwise
from keras_equivariant.ops.precision import at_least_float32

LEAST_SQUARE = 1e-4  # of a norm that a field is divided by
EQUAL = 1e-5  # numbers that differ relatively by less count as equal
_TINY = 1e-30  # keeps the gradient of a norm finite: 0 at 0


def planes(x, layout):
    """The components of features `(..., D)`: for each block a list of `dim` tensors `(..., multiplicity)`."""
    widths = [multiplicity for dim, multiplicity in layout for _ in range(dim)]
    ends = list(itertools.accumulate(widths))
    parts = iter([x] if len(widths) == 1 else ops.split(x, ends[:-1], axis=-1))
    return [[next(parts) for _ in range(dim)] for dim, _ in layout]


def norm(components, epsilon=LEAST_SQUARE):
    """|v| = sqrt(max(sum of squares, epsilon)) of a list of planes; the gradient is 0 where epsilon counts.

    With an epsilon of 0 the norm itself, whatever the scale, with the gradient 0 at 0. In float32 at least: the squares
    of half precision overflow from 256 on.
    """
    found = square(components)
    if not epsilon:
        return ops.sqrt(found + _TINY)
    # The larger of the two: on torch ops.maximum with a number rounds float64 to float32.
    return ops.sqrt(found + ops.relu(epsilon - found))


def square(components):
    """|v|^2 of a list of planes, in float32 at least."""
    wide = [at_least_float32(component) for component in components]
    return functools.reduce(operator.add, [component * component for component in wide])


def norms(x, layout, scalars, epsilon):
    """The norm of every field, a scalar field itself: `(..., fields)`.

    Args:
        scalars: tuple of bools, which blocks are scalars.
    """
    return _cast(_joined([_size(*pair, epsilon) for pair in zip(planes(x, layout), scalars, strict=True)]), x)


def scale(x, factors, layout):
    """Each field times a number of its own: features `(..., D)`, factors `(..., fields)`."""
    fields = tuple((1, multiplicity) for _, multiplicity in layout)
    rows = zip(planes(x, layout), planes(factors, fields), strict=True)
    return _joined([component * factor for components, (factor,) in rows for component in components])


def norm_activate(x, bias, layout, scalars, epsilon, activation, training=False):
    """v activation(|v| + b) / |v| for each field v, activation(x + b) for scalars.

    Args:
        bias: `(fields,)`, or None for none.
    """
    if not training:
        return _norm_activate(x, bias, layout, scalars, epsilon, activation)
    tensors = (x,) if bias is None else (x, bias)
    return _compiled_norm_activate(layout, scalars, epsilon, activation)(*tensors)


def gate(x, bias, layout, kept, gating, activation, training=False):
    """gating(s) v for each field v that is no scalar, activation(s) for the scalars that are no gates.

    Without an activation, None, those scalars have gates, too: gating(s) x.

    Args:
        bias: `(scalars,)`, added to all scalars, gates included; without an activation `(gates,)`; None for none.
        kept: for each block None where its fields are gated; else it holds scalars, and the number of those, from its
            end, that are no gates. Gates and gated fields follow each other in the same order.
        gating, activation: functions of a tensor.
    """
    if not training:
        return _gate(x, bias, layout, kept, gating, activation)
    tensors = (x,) if bias is None else (x, bias)
    return _compiled_gate(layout, kept, gating, activation)(*tensors)


def activate_signed(x, layout, sources, activation):
    """activation(+-x) of the components in a new order: with relu the concatenated rectifier.

    Args:
        sources: list of `(block, component, sign)`, one for each plane of the result.
    """
    parts = planes(x, layout)
    signed = [parts[block][i] if sign > 0 else -parts[block][i] for block, i, sign in sources]
    return activation(_joined(signed))


def activate_samples(x, sampling, back, activation):
    """What linear maps make of the values of functions that are given by coefficients: R activation(S x).

    Args:
        x: `(..., coefficients n)`, n functions, fastest.
        sampling: `(samples, coefficients)` NumPy array S.
        back: `(samples, coefficients after)`, the transpose of R.

    Returns:
        `(..., coefficients after n)`
    """
    coefficients, after = sampling.shape[1], back.shape[1]
    functions = x.shape[-1] // coefficients
    matrix = ops.convert_to_tensor(sampling.T, dtype=x.dtype)
    back = ops.convert_to_tensor(back, dtype=x.dtype)
    # Two plain matrix products; compiled into one operation they are no faster.
    rows = ops.swapaxes(ops.reshape(x, (-1, coefficients, functions)), 1, 2)
    values = activation(ops.reshape(rows, (-1, coefficients)) @ matrix)
    rows = ops.reshape(values @ back, (-1, functions, after))
    return ops.reshape(ops.swapaxes(rows, 1, 2), (*ops.shape(x)[:-1], after * functions))


def multiply(x, layout, products, training=False):
    """Quadratic functions of the components, channel by channel.

    Args:
        products: tuple with one entry for each plane of the result: a tuple of `(coefficient, first, second)`, each
            of the two a `(block, component)`.
    """
    return _compiled_multiply(layout, products)(x) if training else _multiply(x, layout, products)


def strongest(x, layout, vectors):
    """relu(x_g) vectors_g of each field with g its largest component; the mean where several are, within rounding.

    Args:
        vectors: `(dim, size)`, one for each component of a field.

    Returns:
        `(..., size * fields)`, component after component.
    """
    found = []
    for components in planes(x, layout):
        top = functools.reduce(ops.maximum, components)
        least = ops.stop_gradient(top - EQUAL * ops.abs(top))
        chosen = [ops.cast(component >= least, x.dtype) for component in components]
        share = ops.relu(top) / functools.reduce(operator.add, chosen)
        found.append([_combined(chosen, column) * share for column in vectors.T])
    return _joined([_joined(parts) for parts in zip(*found, strict=True)])


def _combined(parts, weights):
    terms = [part * float(weight) for part, weight in zip(parts, weights, strict=True) if weight]
    return functools.reduce(operator.add, terms)


def pool_components(x, layout, mode):
    """Maximum or mean over the components of each field: `(..., fields)`."""
    pooled = []
    for components in planes(x, layout):
        combine = ops.maximum if mode == "max" else operator.add
        total = functools.reduce(combine, components)
        pooled.append(total if mode == "max" else total / len(components))
    return _joined(pooled)


def _norm_activate(x, bias, layout, scalars, epsilon, activation):
    parts = planes(x, layout)
    sizes = _joined([_size(*pair, epsilon) for pair in zip(parts, scalars, strict=True)])
    shifted = sizes if bias is None else sizes + like(bias, sizes)
    fields = tuple((1, multiplicity) for _, multiplicity in layout)
    found = []
    rows = zip(parts, scalars, planes(sizes, fields), planes(activation(shifted), fields), strict=True)
    for components, scalar, (old,), (new,) in rows:
        if scalar:
            found.append(new)
        else:
            factor = new / old
            found += [at_least_float32(component) * factor for component in components]
    return _cast(_joined(found), x)


def _gate(x, bias, layout, kept, gating, activation):
    if activation is None:
        return _gate_all(x, bias, layout, kept, gating)
    parts = planes(x, layout)
    gated = [pair for pair in zip(parts, layout, kept, strict=True) if pair[2] is None]
    gates = sum(multiplicity for _, (_, multiplicity), _ in gated)
    joined = _joined([components[0] for components, left in zip(parts, kept, strict=True) if left is not None])
    values = at_least_float32(joined)
    values = values if bias is None else values + like(bias, values)
    factors = _cut(gating(values[..., :gates]), [multiplicity for _, (_, multiplicity), _ in gated]) if gates else None
    widths = [left for left in kept if left]
    rest = _cut(activation(values[..., gates:]), widths) if widths else None
    found = []
    for components, left in zip(parts, kept, strict=True):
        if left is None:
            factor = next(factors)
            found += [at_least_float32(component) * factor for component in components]
        elif left:
            found.append(next(rest))
    return _cast(_joined(found), x)


def _gate_all(x, bias, layout, kept, gating):
    """gating(s) v for each field v, scalars that are no gates included."""
    parts, gates, gated = planes(x, layout), [], []
    for components, (_, multiplicity), left in zip(parts, layout, kept, strict=True):
        used = 0 if left is None else multiplicity - left
        gates += [components[0][..., :used]] if used else []
        if used < multiplicity:
            gated.append([component[..., used:] for component in components] if used else components)
    values = at_least_float32(_joined(gates))
    values = gating(values if bias is None else values + like(bias, values))
    factors = _cut(values, [components[0].shape[-1] for components in gated])
    rows = zip(gated, factors, strict=True)
    return _cast(
        _joined([at_least_float32(component) * factor for components, factor in rows for component in components]), x
    )


def _multiply(x, layout, products):
    parts = planes(x, layout)
    known, found = {}, []
    for terms in products:
        summands = []
        for coefficient, first, second in terms:
            if (first, second) not in known:
                a, b = (at_least_float32(parts[block][component]) for block, component in (first, second))
                known[first, second] = a * b
            summands.append(coefficient * known[first, second])
        found.append(functools.reduce(operator.add, summands))
    return _cast(_joined(found), x)


@functools.lru_cache(maxsize=64)
def _compiled_norm_activate(layout, scalars, epsilon, activation):
    return compiled_pointwise(lambda x, bias=None: _norm_activate(x, bias, layout, scalars, epsilon, activation))


@functools.lru_cache(maxsize=64)
def _compiled_gate(layout, kept, gating, activation):
    return compiled_pointwise(lambda x, bias=None: _gate(x, bias, layout, kept, gating, activation))


@functools.lru_cache(maxsize=64)
def _compiled_multiply(layout, products):
    return compiled_pointwise(lambda x: _multiply(x, layout, products))


def _size(components, scalar, epsilon):
    return at_least_float32(components[0]) if scalar else norm(components, epsilon)


def _cut(x, widths):
    """An iterator over slices of these widths along the last axis."""
    return (components[0] for components in planes(x, tuple((1, width) for width in widths)))


def _joined(parts):
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def like(values, x):
    """A vector in the type of x; an array stays one, so that it can stand in a graph that is built symbolically."""
    if isinstance(values, np.ndarray):
        return values.astype(keras.backend.standardize_dtype(x.dtype))
    return ops.cast(values, x.dtype)


def _cast(y, x):
    return y if y.dtype == x.dtype else ops.cast(y, x.dtype)
