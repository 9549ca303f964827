"""Trained networks by name, `from_preset("hnet_rotated_mnist")`: small files and folders, the package's in `files/`."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_equivariant.compiler import build_from_spec
from keras_equivariant.compiler.grammar.parser import parse_yaml
from keras_equivariant.graphs.weights import finalize
from keras_equivariant.presets import folders
from keras_equivariant.presets.heads import adapted
from keras_equivariant.training.normalization import normalization_layers
from keras_equivariant.training.run_folder import CONFIG, read_json
from keras_equivariant.training.saved import load_trained
from keras_equivariant.utils.arrays import read_arrays
from keras_equivariant.utils.text import nearest

FOLDER = pathlib.Path(__file__).parent / "files"
SUFFIX = ".npz"
TOLERANCE = 1e-4  # of the stored answers, relative to the largest
_ENTRIES = ("spec", "about", "question", "answer")


def list_presets() -> tuple[str, ...]:
    """Names of the packaged presets, as `from_preset` takes them."""
    return tuple(sorted(path.stem for path in FOLDER.iterdir() if path.suffix == SUFFIX or path.is_dir()))


def from_preset(
    name: str | os.PathLike[str],
    classes: int | None = None,
    include_top: bool = True,
    input_shape: Sequence[int] | None = None,
) -> keras.Model:
    """A trained network, whole or as a backbone.

    Args:
        name: a packaged preset (see `list_presets()`), or a path: an .npz file or a folder from `save_preset`, the
            folder of a run of `train`, or a .keras file.
        classes: channels of a new head with random weights, the last dense layer or convolution; None keeps the
            trained one.
        include_top: False for the features that the head is given, without it and what comes behind.
        input_shape: shape of one image, of other sizes and the same channels; None for that of the training. Layers
            check that they keep their symmetry on it.

    Returns:
        A functional `keras.Model`, not compiled; `preset_info(name)` says what it was trained on and how well.

    Raises:
        ValueError: no such preset, a damaged file, weights that do not give the answers stored beside them, or a
            network that cannot have such a head or input.

    Example:
        >>> import keras_equivariant as ke
        >>> ke.from_preset("hnet_rotated_mnist").count_params()
        23050
        >>> ke.from_preset("p4_cnn_rotated_mnist", classes=3).output_shape
        (None, 3)
        >>> ke.from_preset("p4_cnn_rotated_mnist", include_top=False).output_shape
        (None, 4, 4, 4, 10)
    """
    model = _load(name)
    if classes is None and include_top and input_shape is None:
        return model
    return adapted(model, classes, include_top, input_shape)


def _load(name):
    path = _place(name)
    if path.is_dir() or path.suffix == ".keras":
        return load_trained(path).model if path.suffix == ".keras" else _from_folder(path)
    arrays = _read(name)
    weights = [arrays[f"weight_{i}"] for i in range(len(arrays) - len(_ENTRIES))]
    model = _build(arrays["spec"].item(), name)
    if not _fit(weights, model):
        raise ValueError(f"A preset must hold the weights of its network. Received: {name} with others; fetch it again")
    _fill(model, weights)
    _check_answer(name, model, arrays)
    return model


def _place(name):
    """The path of a preset: of the package where it has one of this name as a folder."""
    own = FOLDER / str(name)
    return own if str(name) in list_presets() and own.is_dir() else pathlib.Path(name).expanduser()


def _from_folder(path):
    if (path / CONFIG).is_file():
        trained = load_trained(path)
        _check_plain(trained)
        return trained.model
    if not (path / folders.MODEL).is_file():
        raise ValueError(
            f"The folder of a preset holds {folders.MODEL}. Received: {path} without it; write one with save_preset"
        )
    return folders.read(path)


def preset_info(name: str | os.PathLike[str]) -> dict[str, Any]:
    """How a preset was trained, as a dict: the network, its parameters, data, seed, epochs and test results."""
    if _place(name).is_dir():
        return folders.about(_place(name))
    return json.loads(_read(name)["about"].item())


def save_preset(
    run: str | os.PathLike[str] | keras.Model,
    path: str | os.PathLike[str],
    about: Mapping[str, str] | None = None,
) -> None:
    """Writes a trained network for `from_preset`: as one small file, or as a folder with a model card.

    Args:
        run: folder of a finished run of `train`; for a folder also any Keras model.
        path: the .npz file to write, or a folder, which then holds `model.keras`, `preset.json` and the model card
            `README.md`.
        about: what the card says besides, such as the license of the data.

    Raises:
        ValueError: the network needs preprocessing that the file cannot hold, or the path has another ending.
        FileExistsError: the folder holds a preset already.

    Example:
        >>> import tempfile, keras_equivariant as ke
        >>> folder = tempfile.mkdtemp()
        >>> ke.save_preset(ke.from_preset("p4_cnn_rotated_mnist", classes=3), folder)
        >>> ke.from_preset(folder).output_shape
        (None, 3)
    """
    if not isinstance(about or {}, Mapping):
        raise ValueError(
            f"`about` must be a dict of lines of the model card. Received: about={about!r}; write e.g. "
            'about={"license": "CC0"}'
        )
    path = pathlib.Path(path).expanduser()
    if path.suffix not in ("", SUFFIX) or (isinstance(run, keras.Model) and path.suffix):
        raise ValueError(f'A preset is a folder, or of a run a file with the ending "{SUFFIX}". Received: {path}')
    if isinstance(run, keras.Model):
        known = {"network": run.name, "parameters": run.count_params()}
        return folders.write(path, run, known | dict(about or {}))
    run = pathlib.Path(run).expanduser()
    trained = load_trained(run)
    _check_plain(trained)
    if path.suffix != SUFFIX:
        known = read_json(run / "summary.json") | {"training": _training(run)}
        return folders.write(path, folders.read(run), known | dict(about or {}))  # without the optimizer's state
    _write_file(run, path, trained, about or {})


def _check_plain(trained):
    if trained.preprocess.steps:
        raise ValueError(
            f"A preset is a network that takes the images as they are. Received: one with {trained.preprocess.steps} "
            "before it; put Normalization or Rescaling into the network instead"
        )


def _training(run):
    """How a run trained: its command where one is known, the data's digest and the recipe."""
    config = read_json(run / CONFIG)
    known = config.get("origin") or {}
    settings = config["settings"]
    recipe = settings["recipe"] | {key: settings[key] for key in ("epochs", "batch_size")}  # of this run, on its data
    recipe = {key: value for key, value in recipe.items() if value not in (None, [], False) and key != "dataset"}
    return {key: known[key] for key in ("command", "data_sha256") if known.get(key)} | {"recipe": recipe}


def _write_file(run, path, trained, more):
    summary = read_json(run / "summary.json")
    about = {key: value for key, value in summary.items() if isinstance(value, int | float | str)} | dict(more)
    spec = (run / "spec.yaml").read_text(encoding="utf-8")
    weights = trained.model.get_weights()
    model = _build(spec, run)  # in the precision of whoever loads it, not in that of its training
    if len(model.inputs) > 1 or not _fit(weights, model):
        raise ValueError(
            "A file holds a network of one input that its spec describes whole. Received: a run whose network has "
            "more, such as positions beside values, or what the atoms of a molecule have alone; write a folder, "
            f"save_preset({str(run)!r}, {str(path.with_suffix(''))!r})"
        )
    question = np.random.default_rng(0).random((2, *model.input_shape[1:]), dtype="float32")
    _fill(model, weights)
    np.savez_compressed(
        path,
        spec=spec,
        about=json.dumps({**about, "certificate": summary.get("certificate")}),
        question=question,
        answer=_answer(model, question),
        **{f"weight_{i}": weight for i, weight in enumerate(weights)},
    )


def _build(spec, name):
    return build_from_spec(parse_yaml(spec.encode(), f"{name}: spec").plain())


def _fit(weights, model):
    return [w.shape for w in weights] == [tuple(v.shape) for v in model.weights]


def _fill(model, weights):
    model.set_weights(weights)
    for layer in normalization_layers(model):
        finalize(layer)


def _answer(model, question):
    return np.asarray(model.predict_on_batch(question), dtype="float32")


def _check_answer(name, model, arrays):
    found, stored = _answer(model, arrays["question"]), arrays["answer"]
    error = np.abs(found - stored).max() / np.abs(stored).max()
    policy = model.layers[-1].dtype_policy
    if policy.compute_dtype in ("float32", "float64") and not error <= TOLERANCE:
        raise ValueError(
            f"A preset must answer as it did when it was saved. Received: {name}, off by {error:.2g} of the largest "
            "answer; use the version of the package that it came with"
        )


def _read(name):
    path = pathlib.Path(name).expanduser()
    if path.suffix != SUFFIX:
        path = FOLDER / f"{name}{SUFFIX}"
    if not path.is_file():
        raise ValueError(
            "A preset must be the name of a packaged one, an .npz or .keras file, or a folder. "
            f"Received: {str(name)!r}. {nearest(name, list_presets())}"
        )
    try:
        arrays = read_arrays(path)
    except ValueError as error:
        cause = error.__cause__ or error
        raise ValueError(f"A preset must be a whole file. Received: {path} ({cause}); fetch it again") from error
    missing = [key for key in _ENTRIES if key not in arrays]
    if missing:
        raise ValueError(f"A preset must be a file from save_preset. Received: {path} without {', '.join(missing)}")
    return arrays
