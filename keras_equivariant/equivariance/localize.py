"""Where a model stops being equivariant: the law at every layer's output."""

import dataclasses
import math

import keras
import numpy as np

from keras_equivariant.equivariance.layouts import candidates
from keras_equivariant.equivariance.lie_derivative import lie_derivatives, moves_freely
from keras_equivariant.equivariance.measure import OnArrays, batches, evaluate, measure, square
from keras_equivariant.equivariance.report import (
    APPROXIMATE,
    BROKEN,
    EXACT,
    UNKNOWN,
    VACUOUS,
    LayerError,
)
from keras_equivariant.equivariance.verdict import LARGEST_APPROXIMATE, is_approximated
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import as_functional
from keras_equivariant.graphs.symmetry import layout_of, summed_up

PORTION = 2**28  # bytes of features held at a time


def localize(network, setting, tolerance):
    """A LayerError per layer and operation of a functional model, in order; models inside it are opened if broken.

    The group's generators are measured, which suffices for their products. Each output is measured in the layout in
    which it fits best. A layer that fits none, although the law holds again behind it, is not called broken: a
    Reshape may well leave the known layouts for a while.
    """
    if setting.group.order == 1:
        return ()
    listing = calls(network)
    measured = _measure(network, setting, _tensors(listing), tolerance)
    source = {id(tensor): call for call in listing for tensor in call.outputs}
    holds_behind, found, rates = set(), [], _rates(network, listing, setting, measured)
    for call in reversed(listing):
        row = _row(call.operation, [measured[id(tensor)] for tensor in call.outputs], tolerance)
        own, part = rates.get(id(call), (None, None))
        row = dataclasses.replace(row, lie_derivative=own, lie_part=part)
        if row.verdict == EXACT or call in holds_behind:
            holds_behind.update(source[id(tensor)] for tensor in call.inputs if id(tensor) in source)
        if row.verdict == BROKEN and call in holds_behind:
            row = dataclasses.replace(row, layout="?", verdict=UNKNOWN)
        inner = ()
        if row.verdict == BROKEN and isinstance(call.operation, keras.Model):
            inner = _inside(call.operation, network, call.inputs, measured, setting, tolerance)
        found.append(inner or (row,))
    return tuple(row for part in reversed(found) for row in part)


def _rates(network, listing, setting, measured):
    """The Lie derivatives of the calls, where all that the layers tell of their features moves by any angle."""
    if not setting.lie or not all(moves_freely(x) for x in map(layout_of, _tensors(listing)) if x is not None):
        return {}
    layouts = {id(tensor): _best_layout(measured[id(tensor)]) for tensor in _tensors(listing)}
    layouts |= dict(zip(map(id, network.inputs), setting.layouts, strict=True))
    return lie_derivatives(network, listing, setting, layouts)


def _tensors(listing):
    return [tensor for call in listing for tensor in call.outputs]


def _inside(model, network, reads, measured, setting, tolerance):
    """The rows of a model inside the network, on the features that it gets there; empty if they have no layout."""
    graph = as_functional(model)
    given = dict(zip(map(id, network.inputs), setting.layouts, strict=True))
    layouts = [given.get(id(t)) or _best_layout(measured[id(t)]) for t in reads]
    if None in layouts:
        return ()
    features = OnArrays(keras.Model(network.input, reads), setting.inputs)
    parts = [evaluate(features, batch, rows) for batch, rows in batches(setting.arrays, setting.batch_size)]
    arrays = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
    inputs = keras.tree.pack_sequence_as(graph.input, arrays)
    setting = dataclasses.replace(setting, inputs=inputs, arrays=arrays, layouts=layouts, sizes=None, lie=False)
    return tuple(
        dataclasses.replace(row, name=f"{model.name}/{row.name}") for row in localize(graph, setting, tolerance)
    )


def _best_layout(outputs):
    main = outputs.get(False) or outputs[True]
    return None if main.best is None else main.layouts[main.best]


def _measure(network, setting, tensors, tolerance):
    """The Measurements of each tensor by id: `{interpolated: Measurement}`."""
    found = {}
    for portion in _portions(tensors, setting):
        call, misfits = OnArrays(keras.Model(network.input, portion), setting.inputs), set()

        def per_sample(batch, call=call, misfits=misfits):
            # An operation inside a model may merge the batch axis with others; then there is nothing to compare.
            outputs = call(batch)
            misfits.update(i for i, y in enumerate(outputs) if not y.ndim or len(y) != len(batch[0]))
            return [np.zeros(len(batch[0])) if i in misfits else y for i, y in enumerate(outputs)]

        def layouts(shapes, misfits=misfits, portion=portion):
            return [
                [] if i in misfits else _candidates(tensor, shape, setting)
                for i, (tensor, shape) in enumerate(zip(portion, shapes, strict=True))
            ]

        first, _ = next(batches(setting.arrays, setting.batch_size))
        arguments = setting.layouts, layouts, setting.batch_size, sizes(network, portion, setting.inputs, first)
        for part in measure(per_sample, setting.elements, setting.arrays, _generators(setting.elements), *arguments):
            for tensor, output in zip(portion, part.outputs, strict=True):
                beyond = [i for i, element in enumerate(part.elements) if element in setting.elements.beyond]
                found.setdefault(id(tensor), {}).update(_kinds(output, part.interpolated, beyond, tolerance))
    return found


def _kinds(output, interpolated, beyond, tolerance):
    """A Measurement by whether elements are interpolated; the law may be approximated for those `beyond` as if."""
    if not beyond or output.best is None or not is_approximated(output.errors[output.best, beyond], tolerance):
        return {interpolated: output}
    finite = np.setdiff1d(np.arange(output.errors.shape[1]), beyond)
    return {interpolated: output.of(finite), True: output.of(beyond)}


def _candidates(tensor, shape, setting):
    """The layouts that features may have, the one that the layers before them tell first."""
    told = layout_of(tensor)
    found = candidates(shape, setting.group, setting.subgroups, setting.types)
    acts = told is not None and told.knows(setting.elements)
    found = [layout for layout in found if layout.knows(setting.elements)]
    return [told, *(x for x in found if x != told)] if acts else found


def sizes(network, tensors, structure, batch):
    """For each tensor the largest root mean square of those of which it is a mean; 0 where it is none of others."""
    sources = [[x for x in summed_up(tensor) if x is not tensor] for tensor in tensors]
    flat = list({id(x): x for some in sources for x in some}.values())
    if not flat:
        return [0.0] * len(tensors)
    values = OnArrays(keras.Model(network.input, flat), structure)(batch)
    found = {id(x): math.sqrt(square(y) / max(y.size, 1)) for x, y in zip(flat, values, strict=True)}
    return [max((found[id(x)] for x in some), default=0.0) for some in sources]


def _generators(group):
    """Elements that suffice: the law for them gives it for their products. Exact ones for the exact subgroup first."""
    chosen, first = [], [element for element in group.grid_elements if element not in group.beyond]
    for element in (*first, *range(group.order)):
        if element not in group.generated_by(chosen):
            chosen.append(element)
    return chosen


def _portions(tensors, setting):
    """The tensors in runs that fit into memory together."""
    largest = max(max(x.shape[1:], default=1) for x in setting.arrays)
    portion, size = [], 0
    for tensor in tensors:
        entries = math.prod(largest if n is None else n for n in tensor.shape[1:])
        bytes_needed = 8 * entries * min(setting.batch_size, len(setting.arrays[0]))
        if portion and size + bytes_needed > PORTION:
            yield portion
            portion, size = [], 0
        portion.append(tensor)
        size += bytes_needed
    if portion:
        yield portion


def _row(operation, outputs, tolerance):
    """One layer's line; of several outputs the worst counts."""
    lines = [_line(output, tolerance) for output in outputs]
    order = (EXACT, APPROXIMATE, UNKNOWN, VACUOUS, BROKEN)
    shape, layout, error, interpolated, verdict = max(
        lines, key=lambda line: order.index(line[-1]), default=((), "?", None, None, UNKNOWN)
    )
    return LayerError(operation.name, type(operation).__name__, shape, layout, error, interpolated, verdict)


def _line(output, tolerance):
    main = output.get(False) or output[True]
    if main.best is None:
        return main.shape[1:], "?", None, None, UNKNOWN
    errors = {kind: float(m.errors[main.best].max()) for kind, m in output.items()}
    error, interpolated = errors.get(False), errors.get(True)
    if not main.finite or main.norm == 0:
        verdict = VACUOUS
    elif error is not None:
        verdict = EXACT if error <= tolerance else BROKEN
    else:
        verdict = APPROXIMATE if interpolated <= LARGEST_APPROXIMATE else BROKEN
    return main.shape[1:], str(main.layouts[main.best]), error, interpolated, verdict
