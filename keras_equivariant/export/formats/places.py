"""Linear resizing as products with matrices, while the SavedModel is written that a file of integers is made from.

TFLite's own kernels round the places between pixels to parts of a pixel, in some runtimes not alike at both ends.
"""

import contextlib
import functools

from keras_equivariant.export.proof.graph import whole_steps
from keras_equivariant.graphs.calls import calls
from keras_equivariant.ops import resizing


@contextlib.contextmanager
def by_matrices(model):
    """Layers that resize planes linearly to places which would be rounded multiply by their weights in here."""
    found = _layers(model)
    for layer in found:
        layer.call = functools.partial(_by_matrices, layer, layer.call)
    try:
        yield
    finally:
        for layer in found:
            del layer.call


def rounds_places(model):
    """Whether `by_matrices` changes anything."""
    return bool(_layers(model))


def _layers(model):
    made = {id(call.operation): call for call in calls(model) if _is_linear(call.operation)}
    return [call.operation for call in made.values() if _rounds(call.inputs[0].shape, call.outputs[0].shape)]


def _is_linear(layer):
    keeps = getattr(layer, "crop_to_aspect_ratio", False) or getattr(layer, "pad_to_aspect_ratio", False)
    plane = getattr(layer, "data_format", None) == "channels_last" and len(layer.output.shape) == 4
    return plane and getattr(layer, "interpolation", None) == "bilinear" and not keeps


def _rounds(before, after):
    ends = list(zip(before[1:3], after[1:3], strict=True))
    return None not in (*before[1:3], *after[1:3]) and not whole_steps(ends, corners=False)


def _by_matrices(layer, call, inputs, **options):
    after = layer.compute_output_shape(tuple(inputs.shape))
    if not _rounds(inputs.shape, after):
        return call(inputs, **options)
    matrices = [resizing.interpolation_matrix(*end) for end in zip(inputs.shape[1:3], after[1:3], strict=True)]
    if inputs.shape[1] == inputs.shape[2] and after[1] == after[2]:
        return resizing.resample_alike(inputs, matrices[0])
    return resizing.resample(inputs, matrices)
