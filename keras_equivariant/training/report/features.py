"""Feature maps of one image and of the same image rotated: they rotate with it."""

import keras
import numpy as np

from keras_equivariant.data import Preprocess, rotate_images
from keras_equivariant.graphs.calls import calls
from keras_equivariant.graphs.reading import functional
from keras_equivariant.training.report.figures import Picture, gallery
from keras_equivariant.training.report.images import shown

ANGLES = (0, 30, 60, 90, 180, 270)
SMALLEST = 5  # pixels along each side, of a map that shows anything


def feature_maps(model, image, preprocess=None):
    """A `Picture` of an image rotated and of the length |f| of the features at each pixel of two layers.

    The length does not depend on how fields rotate, so that its map rotates with the image where the layer is
    equivariant.

    Args:
        model: a model of images.
        image: `(H, W, C)`.
        preprocess: a fitted `Preprocess`.

    Returns:
        None where there is nothing of the kind to see: no image, or no layer with a map large enough.
    """
    if image.ndim != 3 or len(model.inputs) != 1:
        return None
    graph = functional(model)
    maps = [call for call in calls(graph) if _is_map(call)]
    if not maps:
        return None
    chosen = list(dict.fromkeys([maps[len(maps) // 3], maps[-1]]))
    inputs = np.concatenate([rotate_images(image[None], angle) for angle in ANGLES])
    given = (preprocess or Preprocess())(inputs).astype("float32")
    outputs = keras.Model(graph.inputs, [call.outputs[0] for call in chosen]).predict(given, verbose=0)
    outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
    rows = [[shown(x) for x in inputs]]
    for output in outputs:
        length = np.sqrt(np.square(output, dtype="float64").sum(axis=tuple(range(3, output.ndim))))
        rows.append(list((length - length.min()) / (np.ptp(length) or 1.0)))
    captions = [f"{angle}°" for angle in ANGLES] + [""] * (len(ANGLES) * len(outputs))
    names = " and ".join(f'"{call.operation.name}"' for call in chosen)
    text = (
        f"One test image rotated, and under it how large the features are at each pixel in {names}: the maps rotate "
        "with the image where the network keeps the law."
    )
    return Picture("Feature maps", text, gallery([x for row in rows for x in row], captions, columns=len(ANGLES)))


def _is_map(call):
    shape = call.outputs[0].shape
    weights = getattr(call.operation, "trainable_weights", None)
    changes = shape != call.inputs[0].shape or weights
    return len(shape) >= 4 and None not in shape[1:] and min(shape[1:3]) >= SMALLEST and bool(changes)
