"""Presets in folders: the network as a .keras file and a model card beside it."""

import json
import pathlib

import keras
import numpy as np
import yaml

from keras_equivariant.training.normalization import normalization_layers
from keras_equivariant.training.run_folder import read_json, write_json
from keras_equivariant.utils.keras_files import load_model

MODEL, ABOUT, CARD = "model.keras", "preset.json", "README.md"


def write(folder, model, about):
    """Writes a folder.

    Raises:
        FileExistsError: there is a preset in it already.
    """
    folder = pathlib.Path(folder)
    if (folder / MODEL).exists():
        raise FileExistsError(f"A preset is written into a new folder. Received: {folder}, which holds one")
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / MODEL)
    write_json(folder / ABOUT, about)
    (folder / CARD).write_text(card(model, about, folder.name), encoding="utf-8")


def read(folder):
    """The model of a folder: a preset's, or that of a run."""
    return load_model(pathlib.Path(folder) / MODEL, compile=False)


def about(folder):
    """What is known of a folder's network; of a run its results."""
    folder = pathlib.Path(folder)
    for name in (ABOUT, "summary.json"):
        if (folder / name).is_file():
            return read_json(folder / name)
    return {}


def card(model, known, name):
    """The model card: what the network is, what it was trained on, how well it does, and its certificate."""
    rows = [(key, value) for key, value in known.items() if isinstance(value, int | float | str)]
    certificate, training = known.get("certificate"), known.get("training")
    lines = [
        f"# {model.name}",
        "",
        f"{model.count_params():,} parameters; input {_shape(model.input_shape)}, output {_shape(model.output_shape)}."
        + _scale(model),
        "",
        "| | |",
        "|---|---|",
        *(f"| {key.replace('_', ' ')} | {value} |" for key, value in rows),
        "",
    ]
    if training:
        lines += ["## Training", "", "```yaml", yaml.safe_dump(training, sort_keys=False).rstrip(), "```", ""]
    if certificate:
        lines += ["## Certificate", "", "```json", json.dumps(certificate, indent=1), "```", ""]
    use = [
        "import keras_equivariant as ke",
        "",
        f'model = ke.from_preset("{name}")  # its folder, or its name if packaged',
    ]
    lines += ["## Use", "", "```python", *use, "```", ""]
    return "\n".join(lines)


def _scale(model):
    """In which range the values of the input are, as far as a first layer knows the data's."""
    first = next((one for one in normalization_layers(model) if one.mean is not None), None)
    if first is None or np.size(first.mean) > 1:
        return ""
    mean, deviation = (float(np.ravel(keras.ops.convert_to_numpy(x))[0]) for x in (first.mean, first.variance**0.5))
    return f" The values of the input have a mean of {mean:.3g} and a deviation of {deviation:.3g}."


def _shape(shape):
    shapes = shape if isinstance(shape, list) else [shape]
    return " and ".join(
        "(" + ", ".join("B" if n is None and i == 0 else str(n) for i, n in enumerate(one)) + ")" for one in shapes
    )
