"""Where the numbers of a run come from: its command, its data, the machine and the commit."""

import glob
import json
import os
import shlex

from keras_equivariant.data import registry
from keras_equivariant.data.rows import Rows, parts_of
from keras_equivariant.data.scales import extent_of, scale_of
from keras_equivariant.data.stored import Stored
from keras_equivariant.utils.provenance import UNKNOWN, digest, provenance

# Arguments of `train` that do not change what is measured, or have no option of the command line.
_LEFT_OUT = ("spec", "data", "params", "recipe", "run_dir", "resume", "verbose", "tensorboard")


def command_line(arguments):
    """The command that does what a call of `train` does; "unknown" for what has no name, such as a built model.

    Args:
        arguments: dict of the call's arguments.

    Example:
        >>> command_line({"spec": "p4_cnn", "data": "digits", "params": {"filters": 8}, "seed": 0, "limit": None})
        'keras-equivariant train p4_cnn --data digits --set filters=8'
    """
    spec, data = arguments["spec"], arguments["data"]
    named = [spec, data] + ([arguments["compare"]] if arguments.get("compare") is not None else [])
    if not all(isinstance(name, str | os.PathLike) for name in named):
        return UNKNOWN
    words = ["keras-equivariant", "train", str(spec), "--data", str(data)]
    for option, pairs in (("--set", arguments.get("params")), ("--recipe", arguments.get("recipe"))):
        for key, value in (pairs or {}).items():
            words += [option, f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    for name, value in arguments.items():
        if name in _LEFT_OUT or value == DEFAULTS.get(name):
            continue
        if name == "data_options":
            words += _option_words(value or {})
            continue
        option = f"--{name.replace('_', '-')}"
        if name == "export_formats":
            words += ["--formats", *value] if value else ["--no-export"]
        elif isinstance(value, list | tuple):
            words += [option, *map(str, value)]
        else:
            words += [option, str(0 if name == "angle_samples" and value is None else value)]
    return shlex.join(words)


def _option_words(options):
    """Options of a data set as they are written on the command line."""
    words = []
    for key, value in options.items():
        if key == "size" and isinstance(value, list | tuple):
            words += ["--size", *map(str, value)]
        elif key in ("fit", "target", "size"):
            words += [f"--{key}", str(value)]
        else:
            words += ["--option", f"{key}={json.dumps(value)}"]
    return words


DEFAULTS = {"inference_type": "float32", "seed": 0, "validation": 0, "angle_step": 15, "angle_samples": 2000}
DEFAULTS["export_formats"] = ("saved_model", "tflite")


def data_path(data):
    """The absolute path of the file, the folder or the pattern that `data` names here; None for what is none."""
    if not isinstance(data, str | os.PathLike) or str(data) in registry.names():
        return None
    path = os.path.abspath(os.path.expanduser(data))
    return path if os.path.exists(path) or glob.glob(path) else None


def origin_of(dataset):
    """The data's hash, what is learned of them, and what is known of this process."""
    parts = (dataset.x_train, dataset.y_train, dataset.x_test, dataset.y_test)
    names = dataset.y_train.arrays if isinstance(dataset.y_train, Rows) else dataset.target_names
    learned = {"task": dataset.task, "targets": [*map(str, names)], "target_type": dataset.target_type}
    learned["target_names"] = [*map(str, dataset.target_names)]
    learned["inputs"] = _scale_of(dataset.x_train)
    return {"data_sha256": digest_of(*parts), **learned, **provenance()}


def _scale_of(inputs):
    """What is kept of the scale of images, or of clouds of points; nothing of other inputs."""
    if not isinstance(inputs, Rows):
        return scale_of(inputs)
    arrays = inputs.arrays
    return {"extent": extent_of(arrays["positions"], arrays["mask"])} if {"positions", "mask"} <= set(arrays) else {}


def digest_of(*parts):
    """The hash of parts of a data set; "unknown" where something of them stays on disk."""
    arrays = [array for part in parts for array in parts_of(part).values()]
    return UNKNOWN if any(isinstance(array, Stored) for array in arrays) else digest(*arrays)
