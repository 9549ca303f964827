"""Trained networks in small files: `from_preset("hnet_rotated_mnist")`. Those of the package are in `presets/`."""

from __future__ import annotations

import json
import os
import pathlib

import keras
import numpy as np

from keras_equivariant.compiler import build_from_spec
from keras_equivariant.compiler.grammar.parser import parse_yaml
from keras_equivariant.graphs.weights import finalize
from keras_equivariant.training.normalization import normalization_layers
from keras_equivariant.training.run_folder import read_json
from keras_equivariant.training.saved import load_trained
from keras_equivariant.utils.arrays import read_arrays
from keras_equivariant.utils.text import nearest

FOLDER = pathlib.Path(__file__).parent / "files"
SUFFIX = ".npz"
TOLERANCE = 1e-4  # of the stored answers, relative to the largest
_ENTRIES = ("spec", "about", "question", "answer")


def list_presets() -> tuple[str, ...]:
    """Names of the packaged presets, as `from_preset` takes them."""
    return tuple(sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}")))


def from_preset(name: str | os.PathLike[str]) -> keras.Model:
    """A trained network.

    Args:
        name: a packaged preset (see `list_presets()`), or the path of an .npz file from `save_preset`.

    Returns:
        A functional `keras.Model`, not compiled; `preset_info(name)` says what it was trained on and how well.

    Raises:
        ValueError: no such preset, a damaged file, or weights that do not give the answers stored beside them.

    Example:
        >>> import keras_equivariant as ke
        >>> ke.from_preset("hnet_rotated_mnist").count_params()
        23050
    """
    arrays = _read(name)
    weights = [arrays[f"weight_{i}"] for i in range(len(arrays) - len(_ENTRIES))]
    model = _build(arrays["spec"].item(), name, weights)
    _check_answer(name, model, arrays)
    return model


def preset_info(name):
    """How a preset was trained, as a dict: the network, its parameters, data, seed, epochs and test results."""
    return json.loads(_read(name)["about"].item())


def save_preset(run, path):
    """Writes the trained network of a run folder as one small file for `from_preset`.

    Args:
        run: folder of a finished run of `train`.
        path: the .npz file to write.

    Raises:
        ValueError: the network needs preprocessing that the file cannot hold, or the path has another ending.
    """
    run, path = pathlib.Path(run), pathlib.Path(path)
    if path.suffix != SUFFIX:
        raise ValueError(f'The name of a preset must end with "{SUFFIX}". Received: {path}')
    trained = load_trained(run)
    if trained.preprocess.steps:
        raise ValueError(
            f"A preset is a network that takes the images as they are. Received: one with {trained.preprocess.steps} "
            "before it; put Normalization or Rescaling into the network instead"
        )
    summary = read_json(run / "summary.json")
    about = {key: value for key, value in summary.items() if isinstance(value, int | float | str)}
    question = np.random.default_rng(0).random((2, *trained.model.input_shape[1:]), dtype="float32")
    spec = (run / "spec.yaml").read_text(encoding="utf-8")
    weights = trained.model.get_weights()
    model = _build(spec, run, weights)  # in the precision of whoever loads it, not in that of its training
    np.savez_compressed(
        path,
        spec=spec,
        about=json.dumps({**about, "certificate": summary.get("certificate")}),
        question=question,
        answer=_answer(model, question),
        **{f"weight_{i}": weight for i, weight in enumerate(weights)},
    )


def _build(spec, name, weights):
    model = build_from_spec(parse_yaml(spec.encode(), f"{name}: spec").plain())
    if [w.shape for w in weights] != [tuple(v.shape) for v in model.weights]:
        raise ValueError(f"A preset must hold the weights of its network. Received: {name} with others; fetch it again")
    model.set_weights(weights)
    for layer in normalization_layers(model):
        finalize(layer)
    return model


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
            "A preset must be the name of a packaged one, or an .npz file. "
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
