"""Several examples made of each, one batch after the other, as a network that is averaged over a group makes them."""

import dataclasses
import itertools
import math

import numpy as np

from keras_equivariant.export.proof.field import INDEX, SAMPLES, Field, resolved
from keras_equivariant.export.proof.graph import BATCH, NotCovered

_EXAMPLES = ((SAMPLES, BATCH),)
_BESIDE = ("pointwise", "along")  # do the same to a tensor whose copies have an axis of their own


class Copies:
    """A tensor that holds what a network computes of several copies of its input.

    Args:
        parts: Fields, one for each copy.
        apart: whether the copies have an axis of their own, before that of the examples.
    """

    def __init__(self, parts, apart=False):
        self.parts, self.apart = list(parts), apart

    @property
    def axis(self):
        """The axis along which the batches lie one after the other, or each copy by itself."""
        return 0 if self.apart else next(i for i, axis in enumerate(self.parts[0].axes) if axis[:1] == _EXAMPLES)

    @property
    def shape(self):
        count, shape = len(self.parts), list(self.parts[0].shape)
        if self.apart:
            return (count, *shape)
        shape[self.axis] *= count
        return tuple(shape)


def makes_copies(node, values):
    """Whether the operation puts batches one after the other."""
    if node.kind != "concatenate" or not all(isinstance(value, Field | Copies) for value in values):
        return False
    axis = node.options["axis"] % len(values[0].shape)
    return all(
        (not value.apart and value.axis == axis) if isinstance(value, Copies) else value.axes[axis] == _EXAMPLES
        for value in values
    )


def made(values):
    """Batches one after the other."""
    return Copies([part for value in values for part in (value.parts if isinstance(value, Copies) else [value])])


def applied(walk, node, values):
    """The results of an operation on copies, one of which acts on each of them."""
    copies = next(value for value in values if isinstance(value, Copies))
    if node.kind == "reshape":
        return [_reshaped(walk, node, copies, values)]
    if _first_axis(node, copies):
        return _taken(walk, node, copies, values)
    if copies.apart and node.kind not in _BESIDE:
        raise NotCovered("it mixes copies of an example")
    return _each(walk, node, copies, values)


def _first_axis(node, copies):
    axis = node.options.get("axis")
    if node.kind == "split":
        return axis % len(copies.shape) == copies.axis
    return copies.apart and (node.kind == "slice" or (node.kind in ("gather", "unstack") and axis == 0))


def _each(walk, node, copies, values, apart=None):
    apart = copies.apart if apart is None else apart
    alike = [v for v in values if isinstance(v, Copies)]
    if any((len(v.parts), v.apart) != (len(copies.parts), copies.apart) for v in alike):
        raise NotCovered("it joins different numbers of copies")
    found, known = [], {}
    for i in range(len(copies.parts)):
        given = [v.parts[i] if isinstance(v, Copies) else v for v in values]
        fields, frame = [v for v in given if isinstance(v, Field)], copies.parts[i].frame
        key = tuple((field.axes, field.ids.tobytes()) for field in fields)
        if node.kind == "flip" or any(field.frame != frame for field in fields):
            found.append(walk.applied(node, given))
        elif key in known:  # as of another copy, in the frame of this one
            found.append([Field(field.axes, field.ids, frame) for field in known[key]])
        else:
            known[key] = walk.applied(node, given)
            found.append(known[key])
    return [_joined(walk, Copies(parts, apart)) for parts in zip(*found, strict=True)]


def _joined(walk, copies):
    """One field with an axis for the copies, where they have one and all stand in one frame."""
    if not copies.apart:
        return copies
    parts = copies.parts
    if not any(part.space for part in parts):
        parts = [walk.frames.settled(part) for part in parts]
    first = parts[0]
    if any((part.axes, part.frame) != (first.axes, first.frame) for part in parts):
        return Copies(parts, apart=True)
    ids = np.stack([part.ids for part in parts], axis=1)
    return Field([((INDEX, len(parts)),), *first.axes], ids, first.frame)


def _reshaped(walk, node, copies, values):
    shape = node.options["shape"](copies.shape) if values[1] is None else np.ravel(values[1])
    shape = [copies.shape[axis] if size == 0 else int(size) for axis, size in enumerate(shape)]
    shape = resolved(shape, math.prod(copies.shape))
    count = len(copies.parts)
    if copies.axis == 0 and shape[:2] == [count, BATCH]:
        apart, rest = True, shape[1:]
    elif copies.axis == 0 and shape[0] % (count * BATCH) == 0:
        apart, rest = False, [shape[0] // count, *shape[1:]]
    else:
        raise NotCovered("it mixes copies of an example")
    one = dataclasses.replace(node, options={**node.options, "shape": lambda _: rest})
    return _each(walk, one, copies, [copies, None], apart)[0]


def _taken(walk, node, copies, values):
    """Some of the copies."""
    count = len(copies.parts)
    if node.kind == "split":
        sizes = node.options["sizes"]
        sizes = sizes(copies.shape[copies.axis]) if callable(sizes) else sizes
        unit = copies.shape[copies.axis] // count
        if any(size % unit for size in sizes):
            raise NotCovered("it mixes copies of an example")
        starts = np.cumsum([0, *sizes]) // unit
        return [_some(walk, copies, range(a, b)) for a, b in itertools.pairwise(starts)]
    if node.kind == "unstack":
        return copies.parts
    if node.kind == "gather":
        indices = np.asarray(values[1])
        chosen = int(indices) if indices.ndim == 0 else [int(i) for i in indices.ravel()]
        return [_some(walk, copies, chosen)]
    first, *rest = node.options["index"](copies.shape, *values[1:])
    if any(not isinstance(p, slice) or p.indices(n) != (0, n, 1) for p, n in zip(rest, copies.shape[1:], strict=False)):
        raise NotCovered("it cuts maps of several copies at once")
    return [_some(walk, copies, first if isinstance(first, int) else range(count)[first])]


def _some(walk, copies, chosen):
    if isinstance(chosen, int):
        return copies.parts[chosen]
    parts = [copies.parts[i] for i in chosen]
    if not copies.apart and len(parts) == 1:
        return parts[0]
    return _joined(walk, Copies(parts, copies.apart))
