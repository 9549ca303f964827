"""Whether a folded model answers as the model does, on random inputs."""

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.equivariance.twin import random_inputs

SAMPLES, SIZE = 2, 16
# Largest difference, relative to the largest output, by the lowest precision of the two. Keras interpolates in float32.
TOLERANCES = {"float64": 1e-6, "float32": 1e-3, "float16": 3e-2, "bfloat16": 2e-1}


def check_same(model, folded):
    """ValueError where the answers differ by more than rounding explains."""
    inputs = _partly_masked(folded, _inputs(folded))
    try:
        expected = _answers(model, inputs)
    except Exception:
        return  # open sizes may be any but these; the folded model has nothing to be compared with
    limit = max(TOLERANCES[dtype] for dtype in _precisions(model) | _precisions(folded))
    for i, (ours, theirs) in enumerate(zip(_answers(folded, inputs), expected, strict=True)):
        difference = _relative(ours, theirs)
        if not difference <= limit:
            raise ValueError(
                f'A folded model must answer as the model does. Received: "{model.name}", whose output {i} differs by '
                f"{difference:.2g} of its size once folded, on random inputs. Fold parts of it to find the layer, and "
                "report it; verify=False returns the folded model all the same"
            )


def _inputs(model):
    """A few random inputs; whole numbers are 0 and 1, which every vocabulary holds."""
    samples = next((tensor.shape[0] for tensor in model.inputs if tensor.shape[0]), SAMPLES)
    try:
        return random_inputs(model, groups.get("C1"), samples, SIZE, seed=0)
    except ValueError:
        generator = np.random.default_rng(0)

    def draw(tensor):
        shape = (samples, *(SIZE if n is None else n for n in tensor.shape[1:]))
        numbers = keras.backend.is_float_dtype(tensor.dtype)
        return (generator.normal(size=shape) if numbers else generator.integers(0, 2, shape)).astype(tensor.dtype)

    return keras.tree.map_structure(draw, model.input)


def _partly_masked(model, inputs):
    """The inputs with what a layer masks along half of the last sample's first axis, if there is such a layer."""
    masking = next((layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Masking)), None)

    def mask(x):
        if masking is None or x.ndim < 3 or x.dtype.kind != "f":
            return x
        x = np.array(x)
        x[-1, x.shape[1] // 2 :] = masking.mask_value
        return x

    return keras.tree.map_structure(mask, inputs)


def _precisions(model):
    return {dtype for layer in model._flatten_layers() if (dtype := layer.compute_dtype) in TOLERANCES} or {"float32"}


def _answers(model, inputs):
    outputs = model(inputs, training=False)
    return [keras.ops.convert_to_numpy(y).astype("float64") for y in keras.tree.flatten(outputs)]


def _relative(ours, theirs):
    if ours.shape != theirs.shape:
        return np.inf
    finite = np.isfinite(theirs)
    if not (np.isfinite(ours) == finite).all():
        return np.inf
    largest = np.abs(theirs[finite]).max(initial=0.0)
    difference = np.abs(ours - theirs)[finite].max(initial=0.0)
    return difference / largest if largest else difference
