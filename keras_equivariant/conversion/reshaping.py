"""Reshapes: channels on several axes and back, as a channel shuffle has them, and predictions on other axes.

The heads of detectors reshape the predictions of a map: (B, H, W, A C) becomes (B, H, W, A, C) or (B, H W A, C). In the
twin they are invariant at each pixel, too, so that what acts on each of them by itself stays as it is.
"""

import math

import keras

from keras_equivariant.conversion.kinds import HEAD, IMAGE, INVARIANT, REGULAR, SPLIT, Planned
from keras_equivariant.conversion.problems import SHUFFLED, NoCounterpart, unknown
from keras_equivariant.groups.layouts import BreaksSymmetry, Image, Invariant
from keras_equivariant.stock.laws import output_layout
from keras_equivariant.stock.operations import UnknownLaw
from keras_equivariant.stock.reshaping import order_of, reshaped
from keras_equivariant.stock.traits import traits

RESHAPES = ("Reshape", "ExpandDims", "Squeeze")
_WITHOUT = "convert the network without it, and reshape what that gives"
_SPLIT = ("works on several axes of channels, which are reshaped back or transposed only", _WITHOUT)
OUTPUT = ("Features with several axes of channels are no output", _WITHOUT)


def is_reshape(operation):
    """Whether an operation gives features another shape, or their axes another order."""
    return type(operation).__name__ in (*RESHAPES, "Permute", "Transpose")


def plan_reshape(plan, call, given):
    """The Planned of a map in another shape; None where it is neither."""
    if given.kind not in (IMAGE, REGULAR) or not plan.is_map(call.inputs[0]):
        return None
    before, after = (tuple(x.shape[1:]) for x in (call.inputs[0], call.outputs[0]))
    splits = (
        type(call.operation).__name__ in RESHAPES and len(after) > len(before) and after[: plan.rank] == before[:-1]
    )
    if splits and not given.channels.root.fixed:
        sizes = after[plan.rank :]
        _divide(given.channels, sizes)
        return Planned(SPLIT, given.channels, split=sizes, within=given.kind)
    try:
        found = _head(plan, call, [Planned(HEAD, given.channels, Image())])[0]
    except NoCounterpart:
        return None
    given.channels.fix()
    return found


def plan_other(plan, call, inputs):
    """The Planned of all outputs of what is called on split channels or on a head."""
    if any(one.kind == HEAD and one.layout is None for one in inputs):  # behind a problem that is named already
        return [Planned(HEAD, plan.fixed(tensor)) for tensor in call.outputs]
    if any(one.kind == HEAD for one in inputs):
        return _head(plan, call, [_as_head(one) for one in inputs])
    if len(inputs) > 1:
        raise NoCounterpart(*_SPLIT)
    (given,) = inputs
    row, shape = traits(call.operation), tuple(call.outputs[0].shape)
    if row is not None and row.kind in ("identity", "function"):
        return given
    if not is_reshape(call.operation):
        raise NoCounterpart(*_SPLIT)
    if type(call.operation).__name__ in RESHAPES:
        if shape[1:-1] == tuple(call.inputs[0].shape[1 : 1 + plan.rank]):
            return Planned(given.within, given.channels)
    elif order_of(call.operation, len(shape))[: plan.rank + 1] == tuple(range(plan.rank + 1)):
        return given
    raise NoCounterpart(*SHUFFLED)


def _divide(channels, sizes):
    """Lets channels be divisible by all sizes but the largest."""
    rest = math.prod(sizes) // max(sizes)
    channels.root.divisor = math.lcm(channels.root.divisor, rest)


def _as_head(planned):
    """What is predicted at each pixel as a head; None as its layout where that is not known."""
    if planned.kind == HEAD or planned.layout is not None:
        return planned
    layouts = {IMAGE: Image(), INVARIANT: Invariant()}
    layout = layouts.get(planned.kind) if planned.channels.root.fixed else None
    return Planned(HEAD, planned.channels, layout)


def _head(plan, call, inputs):
    """The Planned of each output of what acts on heads."""
    if any(one.layout is None for one in inputs):
        raise NoCounterpart("joins predictions on other axes with features", "join them before the Reshape")
    layouts = _layouts(call, [one.layout for one in inputs])
    layouts = layouts if isinstance(layouts, tuple) else (layouts,) * len(call.outputs)
    plan.heads.add(id(call.outputs[0]))
    found = []
    for tensor, layout in zip(call.outputs, layouts, strict=True):
        kind = IMAGE if isinstance(layout, Image) else INVARIANT if isinstance(layout, Invariant) else HEAD
        found.append(Planned(kind, plan.fixed(tensor), layout if kind == HEAD else None))
    return found


def _layouts(call, given):
    """The layouts of what a call makes of heads."""
    operation, shapes = call.operation, [tuple(x.shape) for x in call.inputs]
    if type(operation).__name__ in RESHAPES:
        found = reshaped(given[0], shapes[0], call.outputs[0].shape)
        if found is None:
            raise NoCounterpart(
                "mixes positions and channels", "let the last axis hold channels of one pixel, a part of them or all"
            )
        return found
    try:
        return output_layout(operation, given, shapes, arguments=(call.args, call.kwargs))
    except UnknownLaw:
        if is_reshape(operation):
            raise NoCounterpart(*SHUFFLED) from None
        raise unknown(operation) from None
    except BreaksSymmetry as error:
        raise NoCounterpart(error.reason, error.remedy) from None


def as_it_is(walk, call, args, kwargs):
    """An operation on predictions as they are in the original."""
    operation, pooled = call.operation, {}
    given = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
    for x in given:
        pooled[id(x)] = walk.pool(x, "max", operation.name) if walk.kind(x) == REGULAR else x
    args, kwargs = keras.tree.map_structure(lambda x: pooled.get(id(x), x), (args, kwargs))
    given = [pooled[id(x)] for x in given]
    for x, old in zip(given, call.inputs, strict=True):
        if tuple(x.shape) != tuple(old.shape):
            raise NoCounterpart(
                f"reshapes a map that symmetric windows left with another size, {tuple(x.shape[1:])} where it was "
                f"{tuple(old.shape[1:])}",
                'use padding="same" before it',
            )
    if isinstance(operation, keras.layers.Layer):
        results = walk.copy(operation)(*args, **kwargs)
    else:
        results = walk.again(operation, *args, **kwargs)
    for result, old in zip(keras.tree.flatten(results), call.outputs, strict=True):
        walk.mark(result, walk.plan[old].kind)
    return results


def split(walk, call, args, kwargs):
    """What splits channels, and what is called on split ones."""
    operation, x, planned = call.operation, args[0], walk.plan[call.outputs[0]]
    if walk.kind(x) != SPLIT:
        sizes = _sizes(planned.split, x.shape[-1])
        if sizes != planned.split:
            walk.because(f"{' x '.join(map(str, sizes))} of {x.shape[-1]} channels")
        return _reshape(walk, call, x, (None, *sizes), SPLIT)  # few axes: TFLite has no Transpose of seven
    if planned.kind != SPLIT:
        axes = (walk.group.order,) if planned.kind == REGULAR else ()
        return _reshape(walk, call, x, (*call.outputs[0].shape[1:-1], *axes, math.prod(x.shape[2:])), planned.kind)
    if not is_reshape(operation):
        return walk.mark(walk.copy(operation)(*args, **kwargs), SPLIT)
    order = order_of(operation, len(call.inputs[0].shape))
    dims = (1, *(axis - walk.rank + 1 for axis in order[walk.rank + 1 :]))
    new = walk.make(operation, "", lambda name: keras.layers.Permute(dims, name=name, dtype=x.dtype))
    return walk.mark(new(x), SPLIT)


def _reshape(walk, call, x, shape, kind):
    shape = tuple(-1 if size is None else size for size in shape)
    new = walk.make(call.operation, "", lambda name: keras.layers.Reshape(shape, name=name, dtype=x.dtype))
    return walk.mark(new(x), kind)


def _sizes(sizes, channels):
    """So many channels on as many axes: all but the largest as they were where they divide them."""
    largest, found, left = sizes.index(max(sizes)), list(sizes), channels
    for i, size in enumerate(sizes):
        if i != largest:
            found[i] = math.gcd(size, left)
            left //= found[i]
    found[largest] = left
    return tuple(found)
