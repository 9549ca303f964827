"""What `export` accepts: each argument checked before anything is written."""

import keyword
import pathlib
import re
from collections.abc import Iterable, Mapping
from numbers import Real

import keras
import numpy as np

from keras_equivariant.export import representative
from keras_equivariant.export.formats import backend, registry
from keras_equivariant.export.verify import BATCHES
from keras_equivariant.utils.text import closest

_SAFE = re.compile(r"[^A-Za-z0-9_.-]")


def checked_formats(formats):
    """The `Format` of each name, each once."""
    several = isinstance(formats, Iterable) and not isinstance(formats, str)
    formats = tuple(formats) if several else (formats,)
    known = registry.format_names()
    unknown = [format for format in formats if format not in known]
    if unknown or not formats:
        near = closest(unknown[0], known) if unknown else None
        hint = f'. Did you mean "{near}"?' if near else ""
        raise ValueError(f"`formats` must be one or more of {known}. Received: formats={list(formats)}{hint}")
    return tuple(registry.get(format) for format in dict.fromkeys(formats))


def check_writable(formats, verify):
    """Raises where a format's backend or a module that it needs is not there."""
    for format in formats:
        if format.backend == "tensorflow":
            backend.tensorflow([format.name for format in formats])
        elif format.backend not in (None, keras.backend.backend()):
            raise ValueError(
                f'The format "{format.name}" is written on the {format.backend} backend. Received: the '
                f'"{keras.backend.backend()}" backend. Set the environment variable KERAS_BACKEND={format.backend}'
            )
        format.check_installed(verify)


def checked_name(name):
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", name):
        raise ValueError(
            "`name` becomes a file name: letters, digits, '_', '-' and '.', the first a letter or digit. "
            f"Received: name={name!r}"
        )
    return name


def check_input_names(graph):
    """ValueError where an input has a name that no signature can have; those of layers are made safe in `fold`."""
    names = [tensor.name for tensor in graph.inputs]
    bad = [name for name in names if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.\\/>-]*", name) or _is_taken(name)]
    if bad:
        raise ValueError(
            "An input's name becomes a name of the served signature: letters, digits, '_', '-' and '.', the first a "
            f"letter, and no word of Python's own. Received: {bad[0]!r}. Build the model on keras.Input(..., "
            f"name={'x' + _SAFE.sub('_', bad[0])!r})"
        )


def _is_taken(name):
    """Whether the function of a signature, whose arguments are the inputs, can have none of this name."""
    return keyword.iskeyword(name) or name == "self"


def check_inference_type(formats, inference_type):
    """ValueError for what is no type, or one that none of the formats takes and returns."""
    if inference_type not in ("float32", "int8"):
        raise ValueError(f'`inference_type` must be "float32" or "int8". Received: {inference_type!r}')
    names = [format.name for format in formats]
    if inference_type == "int8" and not any(format.needs_data for format in formats):
        raise ValueError(
            '`inference_type` is what the format "tflite_int8" takes and returns. Received: inference_type="int8" with '
            f"the formats {names}. Add tflite_int8 to the formats, or leave `inference_type` out."
        )


def checked_folder(path):
    """The folder to write to; ValueError for the name of a file."""
    folder = pathlib.Path(path)
    endings = {pathlib.PurePath(registry.get(name).path("x", 1)).suffix: name for name in registry.format_names()[::-1]}
    if folder.suffix and folder.suffix in endings and not folder.is_dir():
        raise ValueError(
            f"`path` is the folder that the files are written to. Received: path={str(path)!r}; for a file of this "
            f"name use export(model, {str(folder.parent)!r}, {endings[folder.suffix]!r}, name={folder.stem!r})"
        )
    return folder


def check_version(version):
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ValueError(f"`version` must be a positive integer. Received: version={version!r}")


def checked_data(graph, data, formats, inference_type):
    check_inference_type(formats, inference_type)
    needing = [format.name for format in formats if format.needs_data]
    if needing and data is None:
        raise ValueError(
            f'The format "{needing[0]}" needs `representative_data` to set the ranges of its integers. '
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


def checked_tolerance(tolerance):
    known = registry.format_names()
    given = {} if tolerance is None else tolerance
    given = given if isinstance(given, Mapping) else dict.fromkeys(known, given)
    if set(given) - set(known) or not all(isinstance(value, Real) and value >= 0 for value in given.values()):
        raise ValueError(
            '`tolerance` must be a number from 0, or a dict of them by format, such as {"tflite_int8": 0.3}. '
            f"Received: {tolerance!r}"
        )
    return given
