"""Windows and edges: pooling, padding, cropping, resizing; and reductions over axes."""

import numpy as np

from keras_equivariant.export.proof.field import INDEX, SAMPLES, Field
from keras_equivariant.export.proof.graph import NotCovered, Weights
from keras_equivariant.export.proof.linear import windows_of
from keras_equivariant.export.proof.table import digest


def pool(proof, node, x):
    """A maximum or mean over windows."""
    x, windows = windows_of(proof, node, x, node.options["sizes"])
    windows = tuple(None if w is None or w.trivial else w for w in windows)
    mode = node.options["mode"]
    merge = node.scales is None or mode == "max"
    mark = mode if merge else (mode, node.scales)

    def one(move, number):
        return proof.table.over_windows(mark, move.windows(windows), number, merge)

    sizes = {role: w.new for role, w in enumerate(windows) if w}
    return _with_sizes(x.like(proof.each(one, x.ids)), sizes)


def pad(proof, node, x, pads):
    """Entries added around, of one value or repeated from the edge."""
    pads = np.asarray(pads).reshape(len(x.axes), 2)
    edges, x = _edges(x, pads)
    mode, value = node.options.get("mode", "constant"), node.options.get("value", 0)

    def one(move, number):
        take = proof.table.number if value else proof.table.linear
        return take("padded", mode, value, _moved_edges(move, edges), number)

    sizes = {role: x.space[role] + sum(edge) for role, edge in enumerate(edges) if edge}
    return _with_sizes(x.like(proof.each(one, x.ids)), sizes) if any(edges) else x


def crop(proof, x, edges, steps):
    """Entries cut off at both ends of axes of space, and every n-th of the rest.

    Args:
        edges: pairs by axis of space, None where nothing happens; the last entry that is kept is one of the n-th.
        steps: n by axis of space.
    """

    def one(move, number):
        stepped = tuple(steps[axis] for axis in move.source)
        name = ("cropped",) if max(stepped) == 1 else ("cropped", stepped)
        return proof.table.linear(*name, _moved_edges(move, edges), number)

    sizes = {role: (x.space[role] - sum(edge) - 1) // steps[role] + 1 for role, edge in enumerate(edges) if edge}
    return _with_sizes(x.like(proof.each(one, x.ids)), sizes) if any(edges) else x


def taken(proof, x, axis, pixels):
    """The pixels along an axis of space in a list, which reads the same from the other end."""
    name, role = digest(pixels), x.role(axis)
    windows = [None] * proof.dimension
    windows[role] = Weights(name, name)

    def one(move, number):
        return proof.table.over_windows("taken", move.windows(windows), number, merge=True)

    return _with_sizes(x.like(proof.each(one, x.ids)), {role: len(pixels)})


def resize(proof, node, x):
    """Maps of another size by interpolation."""
    options = node.options
    ends, grown = [None] * proof.dimension, dict(zip(options["axes"], options["sizes"](x.shape), strict=True))
    if len(grown) == proof.dimension and not x.space and all(x.shape[axis] == 1 for axis in grown):
        return _spread(proof, node, x, {axis: int(size) for axis, size in grown.items()})
    for axis, size in grown.items():
        role = x.role(axis)
        if role is None:
            raise NotCovered("it resizes an axis that is not one of space")
        ends[role] = (x.shape[axis], int(size))
    mode = options["mode"]
    rounds = options.get("rounds", lambda _: False)
    for end, *flips in zip(ends, *(move.flips for move in proof.moves), strict=True):
        if end and any(flips) and rounds([end]):
            raise NotCovered(
                f"it rounds the places between pixels, {end[1]} of {end[0]}, to parts of a pixel, in some runtimes not "
                "alike at both ends; use ke.layers.Resizing2D, which does"
            )
    symmetric = options["symmetric"]
    if callable(symmetric):
        symmetric = symmetric([end for end in ends if end])

    def one(move, number):
        flips = not symmetric and tuple(bool(end and f) for end, f in zip(ends, move.flips, strict=True))
        there = tuple(ends[a] for a in move.source)
        return proof.table.linear("resized", mode, there, any(flips or ()) and flips, node.scales, number)

    return _with_sizes(x.like(proof.each(one, x.ids)), {role: end[1] for role, end in enumerate(ends) if end})


def _spread(proof, node, x, sizes):
    """Maps of one number everywhere, made of one pixel."""

    def one(move, number):
        there = tuple([*sizes.values()][a] for a in move.source)
        return proof.table.linear("spread", there, node.scales, number)

    axes = list(x.axes)
    for role, (axis, size) in enumerate(sizes.items()):
        axes[axis] = ((role, size),)
    return Field(axes, proof.each(one, x.ids))


def reduce(proof, node, x, axes=None):
    """A maximum, mean, sum, ... over whole axes."""
    rank = len(x.axes)
    axes = range(node.options.get("from", 0), rank) if axes is None else axes
    axes = sorted({int(a) % rank for a in np.ravel(axes)})
    mode, scales = node.options["mode"], node.scales
    rows = x
    roles = {role for a in axes for role, _ in x.axes[a]}
    if SAMPLES in roles:
        raise NotCovered("it mixes examples")
    space = roles - {INDEX}
    if space:
        sums = {role: size for role, size in x.space.items() if role in space}

        def over_space(move, number):
            sign, there = 1, move.axes(sums)
            if scales is None and mode in ("mean", "sum"):
                sign, number = (1 if number > 0 else -1), abs(number)
            key = proof.table.key(number)
            if (scales is None or mode == "max") and key[:2] == ("over space", mode) and number > 0:
                there, number = there | key[2], key[4]
            return sign * proof.table.number("over space", mode, there, scales, number)

        rows = rows.like(proof.each(over_space, rows.ids))
    left = [i for i, axis in enumerate(x.axes) for _ in axis]
    gone = [1 + i for i, (axis, (role, _)) in enumerate(zip(left, x.atoms, strict=True)) if axis in axes]
    ids = np.moveaxis(rows.ids, gone, range(-len(gone), 0))
    kept = ids.shape[: ids.ndim - len(gone)]
    ids = ids.reshape(*kept, -1)
    if ids.shape[-1] > 1:
        ids = proof.table.rows(lambda row: _over_entries(proof.table, mode, scales, row), ids)
    keep = node.options.get("keepdims", False)
    new = [((INDEX, 1),) if a in axes else axis for a, axis in enumerate(x.axes) if keep or a not in axes]
    return Field(new, ids.reshape(kept))


def _over_entries(table, mode, scales, row):
    if mode in ("max", "min"):
        return table.extreme("maximum" if mode == "max" else "minimum", row)
    if mode == "sum" and scales is None:
        return table.sum(row)
    if mode == "mean" and scales is None:
        return table.linear("divided", len(row), table.sum(row))
    return table.number("over entries", mode, scales, tuple(sorted(row)))


def _edges(x, pads):
    """The pairs by axis of space; whole axes of another kind must be left alone."""
    edges = [None] * (1 + max(x.space, default=-1))
    for axis, pair in enumerate(pads):
        if pair.any():
            role = x.role(axis)
            if role is None:
                raise NotCovered("it pads an axis that is not one of space")
            edges[role] = tuple(int(n) for n in pair)
    return edges, x


def _moved_edges(move, edges):
    edges = [*edges, *([None] * (len(move.source) - len(edges)))]
    found = (edges[a] for a in move.source)
    return tuple(e[::-1] if e and flip else e for e, flip in zip(found, move.flips, strict=True))


def _with_sizes(field, sizes):
    axes = [[(role, sizes.get(role, size)) for role, size in axis] for axis in field.axes]
    return Field(axes, field.ids)
