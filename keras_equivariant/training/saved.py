"""A trained network on disk: a run folder or a .keras file."""

import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras

from keras_equivariant import data as datasets
from keras_equivariant.data import Preprocess, Rows
from keras_equivariant.data.masks import OBJECTS
from keras_equivariant.data.scales import UNITS, are_apart, are_of_kinds, extent_of, scale_of
from keras_equivariant.training.origin import data_path
from keras_equivariant.training.run_folder import CONFIG, read_json
from keras_equivariant.training.summaries import by_seed
from keras_equivariant.training.tasks import TASKS
from keras_equivariant.training.terms import in_terms_of
from keras_equivariant.utils.arrays import read_arrays
from keras_equivariant.utils.keras_files import load_model

log = logging.getLogger("keras_equivariant.training")


@dataclass(frozen=True)
class Trained:
    """A model with what its run knew: the preprocessing in front of it, the settings (empty for a bare file), the
    absolute path of its data, where they had one, its task, the names of what was learned, what the data call it, how
    vectors among it rotate, the probability from which on a pixel counts as found, and the scale of its images."""

    model: keras.Model
    preprocess: Preprocess = field(default_factory=Preprocess)
    settings: dict = field(default_factory=dict)
    data_path: str | None = None
    task: str | None = None
    targets: tuple = ()
    target_type: str = ""
    threshold: float = 0.5
    target_names: tuple = ()
    inputs: dict = field(default_factory=dict)

    @property
    def served(self):
        """The model as it is exported: with all that was learned, such as the forces beside an energy."""
        return TASKS[self.task].learning(self.targets).served(self.model) if self.task else self.model

    def load_data(self, name=None, options=None, seed=None):
        """The run's own data, divided by the seed of the run into what it was trained on and the rest; or other data.

        Args:
            name: of other data. Default: None, the run's own.
            options: of the data set. Those of the run hold for its own data, and for others that take them.
            seed: of other data that are generated or divided. Default: that of the run.
        """
        kept, own = dict(self.settings.get("data_options") or {}), self.settings.get("data")
        at_first = self.settings.get("seed", 0)
        datasets.registry.check_options(options or {})
        if name is None or (data_path(name) == self.data_path if self.data_path else str(name) == own):
            dataset = datasets.load(data_path(self.data_path) or own, at_first, **{**kept, **(options or {})})
            return dataset if dataset.name == own else replace(dataset, name=own)
        kept.pop("test", None)  # a file of the run's own data
        known = datasets.registry.options_of(name)
        left = {} if known is None else {key: kept.pop(key) for key in [*kept] if key not in known}
        if left:
            log.info("Options of the run's data that %s does not take are left out: %s.", name, left)
        return datasets.load(name, at_first if seed is None else seed, **{**kept, **(options or {})})

    @property
    def mask_values(self):
        """What its classes have in the masks that it was trained on; None where these were black and white."""
        values = (self.settings.get("data_options") or {}).get("mask_values")
        return None if values == OBJECTS else values

    def in_own_terms(self, dataset):
        """The data set with what its images show in the numbers and the order that the network learned.

        Raises:
            ValueError: classes, masks, numbers or vectors of another kind than it learned.
        """
        return in_terms_of(self, dataset)

    def check_task(self, dataset):
        """ValueError where a data set asks for something else than the run learned."""
        if self.task not in (None, dataset.task):
            raise ValueError(
                f"A network is tested on what it learned, {self.task}. Received: {dataset.name}, data for "
                f"{dataset.task}. Give data of the same kind, or train on these."
            )

    def check_images(self, images, name):
        """ValueError where images, or points, of a data set do not have the shape that the network takes."""
        shape = self.model.input_shape
        if not isinstance(shape, tuple):
            arrays = images.arrays if isinstance(images, Rows) else {}
            wanted, found = [s[1:] for s in shape], [array.shape[1:] for array in arrays.values()]
            fits = len(found) == len(wanted) and all(map(_fits, found, wanted))
            if "positions" in arrays and not fits:
                raise ValueError(
                    f"Points must have the shapes that the network was trained on, {wanted}. Received: {name} with "
                    f"{found}. Give the run's folder, which knows its elements and places, leave out cells that it has "
                    "not seen, --option periodic=false, or train on such data."
                )
            self.check_extent(images, name)
            return
        self.check_scale(images, name)
        found = self.preprocess(images[:1]).shape[1:]
        if not _fits(found, shape[1:]):
            wanted = tuple(size if size is not None else "any" for size in shape[1:])
            gray = shape[-1] == 1 and found[-1] == 3
            channels = (
                "" if shape[-1] in (None, found[-1]) else f"; save them {'in gray' if gray else 'with its channels'}"
            )
            raise ValueError(
                f"The images must have the shape that the network was trained on, {wanted}. Received: {name} with "
                f"images of {tuple(found)}. Resize them, or train on them{channels}."
            )

    def check_extent(self, rows, name):
        """A warning where clouds of points are far larger or smaller than those of the run, as in another unit."""
        own, arrays = self.inputs.get("extent"), rows.arrays if isinstance(rows, Rows) else {}
        if not own or not {"positions", "mask"} <= set(arrays):
            return
        found = extent_of(arrays["positions"], arrays["mask"])
        if found and not 1 / UNITS < found / own < UNITS:
            log.warning(
                "The points that the network was trained on lie %.3g from the middle of their cloud on average, those "
                "of %s %.3g. If their coordinates are in another unit, its answers are wrong.",
                own,
                name,
                found,
            )

    def check_scale(self, images, name):
        """ValueError where images are bytes and those of the run were fractions of them, or the other way round; a
        warning where they are of the same kind, but far larger or smaller."""
        if "dtype" not in self.inputs:
            return
        own, found = self.inputs, scale_of(images)
        if not found["largest"] or not are_apart([own, found]) or {own["dtype"], found["dtype"]} == {"uint8"}:
            return
        if not are_of_kinds([own, found]):
            log.warning(
                "The network was trained on numbers up to %g; those of %s are up to %g. If they are of another scale, "
                "its answers are wrong.",
                own["largest"],
                name,
                found["largest"],
            )
            return
        bytes_ = own["dtype"] == "uint8"
        remedy = "(255 * x).astype('uint8')" if bytes_ else "(x / 255).astype('float32')"
        raise ValueError(
            f"Images have the scale of those that the network was trained on, {own['dtype']} up to "
            f"{own['largest']:g}. Received: {name} with {found['dtype']} up to {found['largest']:g}. Save them in it, "
            f"such as numpy.save(name, {remedy}), or train on such images."
        )


def _fits(found, wanted):
    """Whether a shape is the wanted one, in which None is any size."""
    return len(found) == len(wanted) and all(w in (None, f) for w, f in zip(wanted, found, strict=True))


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
    config = read_json(path / CONFIG, "settings")
    settings, origin = config["settings"], config.get("origin") or {}
    try:
        preprocess = Preprocess(settings["recipe"]["preprocess"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"The settings of a run must hold its recipe. Received: {path / CONFIG} ({error!r}). Start a new run."
        ) from error
    if (path / "preprocess.npz").is_file():
        preprocess.state.update(read_arrays(path / "preprocess.npz", what="The state of the preprocessing"))
    learned = origin.get("task"), tuple(origin.get("targets") or ()), origin.get("target_type") or ""
    summary = read_json(path / "summary.json") if (path / "summary.json").is_file() else {}
    return Trained(
        load_model(path / "model.keras"),
        preprocess,
        settings,
        origin.get("data_path"),
        *learned,
        threshold=summary.get("threshold", 0.5),
        target_names=tuple(origin.get("target_names") or ()),
        inputs=origin.get("inputs") or {},
    )
