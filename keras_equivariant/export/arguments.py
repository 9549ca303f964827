"""What `export` accepts: each argument checked before anything is written."""

import difflib
import re

import keras
import numpy as np

from keras_equivariant.export import representative
from keras_equivariant.export.verify import BATCHES
from keras_equivariant.graphs.reading import walk

PRECISIONS = {"tflite": "float32", "tflite_float16": "float16", "tflite_int8": "int8"}
FORMATS = ("keras", "saved_model", *PRECISIONS, "onnx", "openvino")


def checked_formats(formats):
    formats = (formats,) if isinstance(formats, str) else tuple(formats)
    unknown = [format for format in formats if format not in FORMATS]
    if unknown or not formats:
        near = difflib.get_close_matches(str(unknown[0]), FORMATS, 1) if unknown else []
        hint = f'. Did you mean "{near[0]}"?' if near else ""
        raise ValueError(f"`formats` must be one or more of {FORMATS}. Received: formats={list(formats)}{hint}")
    return tuple(dict.fromkeys(formats))


def checked_name(name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", str(name)):
        raise ValueError(
            "`name` becomes a file name: letters, digits, '_', '-' and '.', the first a letter or digit. "
            f"Received: name={name!r}"
        )
    return name


def check_version(version):
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"`version` must be a positive integer. Received: version={version!r}")


def checked_data(graph, data, formats, inference_type):
    if inference_type not in ("float32", "int8"):
        raise ValueError(f'`inference_type` must be "float32" or "int8". Received: {inference_type!r}')
    if "tflite_int8" in formats and data is None:
        raise ValueError(
            'The format "tflite_int8" needs `representative_data` to set the ranges of its integers. '
            "Received: None; pass about a hundred inputs, such as x_train[:100]."
        )
    if data is None:
        return None
    data = representative.arrays(data, graph)
    shapes = [np.shape(x) for x in keras.tree.flatten(data)]
    wanted = [tuple(tensor.shape) for tensor in graph.inputs]
    fits = len(shapes) == len(wanted) and all(
        len(s) == len(w) and all(n in (None, m) for n, m in zip(w[1:], s[1:], strict=True))
        for s, w in zip(shapes, wanted, strict=True)
    )
    if not fits or len({s[0] for s in shapes}) > 1 or shapes[0][0] < max(BATCHES):
        raise ValueError(
            f"`representative_data` must hold at least {max(BATCHES)} samples of the model's inputs, of "
            f"shapes {wanted}. Received: arrays of shapes {shapes}"
        )
    representative.check_finite(graph, data)
    return data


def check_integers(served, formats):
    """ValueError where int8 is wanted of a folded model that TFLite would leave in float."""
    convolutions = (keras.layers.Conv3D, keras.layers.Conv3DTranspose)
    volumes = [layer.name for layer in walk(served) if isinstance(layer, convolutions)]
    if "tflite_int8" in formats and volumes:
        raise ValueError(
            "TFLite has no convolution of volumes in integers: it would compute in float between two conversions. "
            f'Received: "tflite_int8" for a model with the Conv3D "{volumes[0]}"; use "tflite_float16" for '
            "weights of half the size"
        )


def checked_tolerance(tolerance):
    given = tolerance if isinstance(tolerance, dict) else {} if tolerance is None else dict.fromkeys(FORMATS, tolerance)
    if set(given) - set(FORMATS) or any(not value >= 0 for value in given.values()):
        raise ValueError(f"`tolerance` must be a number, or a dict of them by format. Received: {tolerance!r}")
    return given
