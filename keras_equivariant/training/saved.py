"""A trained network on disk: a run folder or a .keras file."""

from dataclasses import dataclass, field
from pathlib import Path

import keras

from keras_equivariant.data import Preprocess
from keras_equivariant.training.run_folder import CONFIG, read_json
from keras_equivariant.training.summaries import by_seed
from keras_equivariant.utils.arrays import read_arrays
from keras_equivariant.utils.keras_files import load_model


@dataclass(frozen=True)
class Trained:
    """A model with what its run knew: the preprocessing in front of it and the settings (empty for a bare file)."""

    model: keras.Model
    preprocess: Preprocess = field(default_factory=Preprocess)
    settings: dict = field(default_factory=dict)

    def check_images(self, images, name):
        """ValueError where images of a data set do not have the shape that the network takes."""
        shape = self.model.input_shape
        if not isinstance(shape, tuple):
            return  # several inputs
        found = self.preprocess(images[:1]).shape[1:]
        if len(found) != len(shape) - 1 or any(w not in (None, f) for w, f in zip(shape[1:], found, strict=True)):
            wanted = tuple(size if size is not None else "any" for size in shape[1:])
            raise ValueError(
                f"The images must have the shape that the network was trained on, {wanted}. Received: {name} with "
                f"images of {tuple(found)}. Resize them, or train on them."
            )


def load_trained(path):
    """Load the model of a run folder, or of a .keras file.

    Raises:
        FileNotFoundError: There is no such file, or the run has not ended yet.
        ValueError: The file is damaged or no Keras model.
    """
    path = Path(path).expanduser()
    if path.is_file():
        return Trained(load_model(path))
    if not (path / CONFIG).is_file() and (several := by_seed(path)):
        raise FileNotFoundError(
            f"A trained network is a run folder or a .keras file. Received: {path}, which holds {len(several)} "
            f"runs with other seeds. Name one of them, such as {several[0]}."
        )
    if not (path / CONFIG).is_file():
        raise FileNotFoundError(
            f"A trained network is a run folder or a .keras file. Received: {path}. "
            "Give the folder that `train` reported (--run-dir)."
        )
    if not (path / "model.keras").is_file():
        raise FileNotFoundError(
            f"A run must end before its network is used. Received: {path}, which has no model.keras. "
            "Repeat the train command with --resume."
        )
    settings = read_json(path / CONFIG, "settings")["settings"]
    try:
        preprocess = Preprocess(settings["recipe"]["preprocess"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"The settings of a run must hold its recipe. Received: {path / CONFIG} ({error!r}). Start a new run."
        ) from error
    if (path / "preprocess.npz").is_file():
        preprocess.state.update(read_arrays(path / "preprocess.npz", what="The state of the preprocessing"))
    return Trained(load_model(path / "model.keras"), preprocess, settings)
