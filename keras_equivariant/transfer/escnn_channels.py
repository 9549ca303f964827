"""Fixed linear maps between the channels of two types: fields in another order, in other coordinates, on a subgroup."""

import numpy as np

from keras_equivariant import layers as L
from keras_equivariant.transfer.convolutions import fill
from keras_equivariant.transfer.escnn_step import NotHere, nothing
from keras_equivariant.transfer.restricted_layouts import change_matrix

LOST = 1e-5  # of a matrix, relative to its norm: what float32 leaves


def moved(step, before, after, matrix):
    """The layers that take features x of one type to M x of another: `[]` where nothing changes.

    Args:
        step: of whose name the layers are.
        before, after: FieldTypes of one group.
        matrix: the array M, `(channels after, channels before)`, which commutes with the group.
    """
    if before == after and np.allclose(matrix, np.eye(before.size), atol=1e-6):
        return []
    layer = _selected(step, before, after, matrix)
    if layer is None:
        layer = _constant(step, before, after, matrix)
    return [layer]


def _selected(step, before, after, matrix):
    """SelectFields where every field of the result is one of the input, unchanged; else None."""
    field_of = {int(channels[0]): i for i, (_, channels) in enumerate(before.places)}
    found = [field_of.get(int(np.argmax(np.abs(matrix[channels[0]]))), -1) for _, channels in after.places]
    if -1 in found or len(set(found)) < len(found):
        return None
    layer = L.SelectFields(before, found, name=f"{step.layer_name}_fields", strict=step.strict)
    same = layer.out_type == after and np.allclose(matrix, np.eye(before.size)[layer.channels], atol=1e-6)
    return layer if same else None


def _constant(step, before, after, matrix):
    """A SteerableDense that is not trained: the field types of two libraries differ by such a matrix only."""
    words = {"use_bias": False, "trainable": False, "name": f"{step.layer_name}_basis", "strict": step.strict}
    layer = L.SteerableDense(before, after, **words)
    layer.build((None, *[None] * (step.rank if step.space else 0), before.size))
    if fill(layer, matrix.T) > LOST:
        raise NotHere(
            f'maps fields by matrices that commute with the group. Received: the module "{step.name}" ({step.kind}) '
            f'from "{before}" to "{after}" on {before.group.name}, whose matrix does not; compare its types'
        )
    return layer


def fixed(step):
    """A module that is a matrix without weights: DisentangleModule, ReshuffleModule."""
    matrix = step.after[1] @ step.arrays["matrix"] @ step.before[1].T
    return moved(step, step.type, step.after[0], matrix), nothing


def select(step):
    channels = np.eye(step.type.size)[[int(i) for i in step.arrays["channels"]]]
    return moved(step, step.type, step.after[0], step.after[1] @ channels @ step.before[1].T), nothing


def restriction(step):
    """Their channels stay; ours become fields of the subgroup, which may lie otherwise than those of its type."""
    layer = L.Restrict(step.type, step.after[0].group, **step.given())
    change = step.after[1] @ step.before[1].T @ change_matrix(step.type, step.after[0].group).T
    return [layer, *moved(step, layer.out_type, step.after[0], change)], nothing


def concatenated(step):
    """Their channels are f(x), f(-x) one by one; ours lie in the order of the orbits of components up to sign."""
    layer = L.ConcatenatedReLU(step.type, activation=step.function, **step.given())
    signs = L.ConcatenatedReLU(step.type, activation="linear").compute(np.eye(step.type.size))
    ours = np.asarray(signs).T @ step.before[1]  # rows are unit vectors of their channels, or their negatives
    theirs = np.stack([np.eye(step.type.size), -np.eye(step.type.size)], axis=1).reshape(-1, step.type.size)
    order = np.rint(ours @ theirs.T).clip(0)
    if not np.allclose(order @ theirs, ours, atol=1e-6):
        raise NotHere(
            f'acts on components that are ours up to sign. Received: the module "{step.name}" on "{step.type}", in '
            "other coordinates; build it on fields of our kind, regular or quotient ones and irreps"
        )
    return [layer, *moved(step, layer.out_type, step.after[0], step.after[1] @ order.T)], nothing


STEPS = {
    "DisentangleModule": fixed,
    "ReshuffleModule": fixed,
    "RestrictionModule": restriction,
    "ConcatenatedNonLinearity": concatenated,
}
