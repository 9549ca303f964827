"""The formats by name: the one list that `export`, its checks, the command line and the documentation read."""

import re

from keras_equivariant.export.formats import keras_file, onnx, openvino, saved_model, tflite
from keras_equivariant.export.formats.format import Format
from keras_equivariant.utils.text import nearest

DEFAULT = ("saved_model", "tflite")
_PACKAGED = (saved_model.FORMAT, *tflite.FORMATS, onnx.FORMAT, openvino.FORMAT, keras_file.FORMAT)
_formats = {format.name: format for format in _PACKAGED}


def format_names():
    """The formats that `export` knows, as a tuple of names: those of the package, then the registered ones."""
    return tuple(_formats)


def get(name):
    """The `Format` of this name; ValueError names the nearest one."""
    if name not in _formats:
        raise ValueError(f"Unknown export format. Received: {name!r}. {nearest(name, _formats)}")
    return _formats[name]


def register_format(format):
    """Makes a `Format` known by its name, for `export(formats=...)`, `train` and the command line.

    A format registered again takes the place of the former one.

    Args:
        format: `keras_equivariant.export.Format`.

    Returns:
        The format.

    Raises:
        TypeError: it is something else.
        ValueError: its name is that of a packaged format, or has other characters than letters, digits, `_` and `-`.
    """
    if not isinstance(format, Format):
        raise TypeError(f"`format` must be a keras_equivariant.export.Format. Received: {format!r}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", str(format.name)):
        raise ValueError(f"A format's `name` must consist of letters, digits, '_' and '-'. Received: {format.name!r}")
    packaged = [known.name for known in _PACKAGED]
    if format.name in packaged:
        raise ValueError(
            f"A format's `name` must differ from those of the package, {packaged}. Received: {format.name!r}"
        )
    _formats[format.name] = format
    return format
