"""Train a network by its recipe and leave everything about it in one folder."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_equivariant import data as datasets
from keras_equivariant.compiler import load_spec
from keras_equivariant.data import Preprocess
from keras_equivariant.data.cuts import check_count
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.equivariance import certify
from keras_equivariant.training import reporting
from keras_equivariant.training.agreement import certified_group
from keras_equivariant.training.distribution import Distribution, make_distribution
from keras_equivariant.training.evaluation import angles_of
from keras_equivariant.training.finished import Finished
from keras_equivariant.training.fit import check_fit, fit_network
from keras_equivariant.training.network import Network, data_of, make_network, recipe_of
from keras_equivariant.training.origin import command_line, data_path, origin_of
from keras_equivariant.training.results import TrainResult, check_exportable, checked_formats, finish
from keras_equivariant.training.run_folder import RunFolder, write_json, write_text
from keras_equivariant.training.seeds import SeedResults, train_seeds
from keras_equivariant.training.tasks import task_of
from keras_equivariant.utils.files import room
from keras_equivariant.utils.optional import require

CERTIFIED_IMAGES, CERTIFIED_VOLUMES = 8, 2
SMALLEST_BATCH, FEWEST_STEPS = 8, 8  # of data that say nothing about batches
NO_CERTIFICATE = {"group": "none", "verdict": "none", "headline": "no group moves a flat list of numbers"}

log = logging.getLogger("keras_equivariant.training")


def train(
    spec: str | os.PathLike[str] | Mapping[str, Any] | keras.Model,
    data: str | os.PathLike[str] | Dataset | None = None,
    run_dir: str | os.PathLike[str] | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    seeds: int | None = None,
    mixed_precision: Literal["float16", "bfloat16"] | None = None,
    compare: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    validation: float = 0,
    limit: int | None = None,
    fraction: float | None = None,
    data_options: Mapping[str, Any] | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    angle_step: int = 15,
    angle_samples: int | None = 2000,
    export_formats: Sequence[str] = ("saved_model", "tflite"),
    inference_type: Literal["float32", "int8"] = "float32",
    verbose: int = 1,
    distribute: str | None = None,
) -> TrainResult | SeedResults | None:
    """Train a network on images, test it upright and at all angles, certify it and export it.

    Args:
        spec: Name, path or dict of a spec, or a built `keras.Model` that returns logits: one a class, or one a pixel.
        data: Name of a data set; path of a folder of pictures or of a .npz, .h5, .csv or .xyz file (`ke.data.load`); or
            a `Dataset`. It decides the task: labels make it classification, masks segmentation, numbers regression.
            Default: what comes with the package for the spec's kind, `"digits"` for images, else its recipe's.
        run_dir: Folder of the run; default `runs/<network>-<data>-seed<seed>`.
        params: Parameters of the spec, e.g. `{"filters": 23}`.
        recipe: Entries that replace those of the spec's `training` block.
        epochs, batch_size: Default: the recipe's; if it was written for other data, and `recipe` does not give them,
            at most what suits these.
        seed: Seed of the initial weights, the order of the images, their augmentation, and sets that are generated.
        seeds: Train so many networks, with the seeds `seed`, `seed + 1`, …, each in a folder of its own; the results
            are their mean and deviation. Default: the recipe's, 1.
        mixed_precision: None, `"float16"` or `"bfloat16"`.
        compare: Another spec, trained by its own recipe on the same data (but for `epochs` and `batch_size`, where
            they are given) and reported beside this one.
        validation: Hold out so many training images, or such a fraction of them, drawn with the seed, each class in its
            share, and report on them after each epoch.
        limit: Use at most this many training and test images, drawn likewise.
        fraction: Train on this part of the training images, drawn likewise, 0.1 for a tenth; validation images are held
            out of it, the test set stays whole.
        data_options: Options of the data set, see `ke.data.load`: `{"size": (96, 128), "fit": "resize"}`.
        resume: Continue an interrupted run. At most one epoch is done again, and the result is the same; that of a run
            which has ended, and is called as it was, is read from its folder.
        tensorboard: Also write TensorBoard logs.
        angle_step: Degrees between the angles of the test.
        angle_samples: Test images rotated to each angle (None: all).
        export_formats: See `ke.export`; empty for no export.
        inference_type: `"float32"` or `"int8"`: what a model in the format `tflite_int8` takes and returns.
        verbose: 0 silent, 1 progress bar, 2 one line an epoch.
        distribute: `"none"`; on all devices of this machine, `"mirrored"` (TensorFlow) or `"data_parallel"` (JAX); or
            `"multi_worker"` (TensorFlow), on all machines that the environment variable TF_CONFIG names, each of which
            runs the same call. Default: the recipe's. The result is that of one device; a run may go on on others.

    Returns:
        A `TrainResult`; of several seeds `SeedResults`; None in a process that is not the first of many workers, which
        writes no files.

    Raises:
        ValueError: Wrong names, data, parameters, a spec for another task or kind of data, or settings that differ
            from the run to resume.
        FileExistsError: `run_dir` holds a run and `resume` is false.
        FloatingPointError: The loss stopped being finite.

    Example:

    >>> import keras_equivariant as ke
    >>> import tempfile
    >>> options = {"epochs": 1, "limit": 64, "angle_step": 90, "export_formats": (), "verbose": 0}
    >>> result = ke.train("p4_cnn", data="digits", run_dir=tempfile.mkdtemp(), **options)
    >>> result.certificate.exact
    True
    """
    data = data_of(spec, params, recipe) if data is None else data
    arguments = dict(locals())
    if not isinstance(data, datasets.Dataset):
        datasets.registry.check_name(data)
    datasets.registry.check_options(data_options or {})
    check_count("angle_samples", angle_samples)
    declared = recipe_of(spec, params, recipe)
    seeds = declared.seeds if seeds is None else seeds
    if seeds != 1:
        there = run_dir or default_folder(_name_of(spec), data, f"{seed}x{seeds}")
        return train_seeds(train, seeds, {**arguments, "run_dir": there}, command_line(arguments))
    origin = {"command": command_line(arguments), "spec": spec if isinstance(spec, str) else None}
    origin["data_path"] = data_path(data)
    angles = angles_of(angle_step)
    require("matplotlib", "Plotting the results")
    if tensorboard:
        require("tensorboard", "Logging for TensorBoard")
    formats = checked_formats(export_formats, inference_type)
    distribution = make_distribution(distribute or declared.distribute)
    own_options = dict(data_options or {})
    loaded = data if isinstance(data, datasets.Dataset) else datasets.load(data, seed, **own_options)
    block = declared.shuffle_block
    loaded.log_untaught()
    dataset = loaded.limited(limit, seed).with_fraction(fraction, seed, block).with_validation(validation, seed, block)
    common = {
        "distribution": distribution,
        "seed": seed,
        "mixed_precision": mixed_precision,
        "validation": validation,
        "limit": limit,
        "fraction": fraction,
        "data_options": {**own_options, **loaded.reading},
    }
    own = {"params": params, "recipe": recipe, "epochs": epochs, "batch_size": batch_size}
    jobs = [_Job.prepare(spec, dataset, run_dir, **own, **common)]
    if compare is not None:
        shared = {"epochs": epochs, "batch_size": batch_size}
        jobs.append(_Job.prepare(compare, dataset, jobs[0].folder / "compare", **shared, **common))
    for job in jobs:
        job.check(dataset)
    check_exportable(task_of(dataset).served(jobs[0].network.model), formats)
    group = certified_group(jobs[0].network.model, dataset)
    found = origin_of(dataset)
    tests = {"angles": angles, "angle_samples": angle_samples, "formats": list(export_formats)}
    tests["inference_type"] = inference_type
    with room(jobs[0].folder.path, "Free some and continue with --resume"), contextlib.ExitStack() as stack:
        for job in jobs if distribution.is_chief else ():
            stack.callback(job.folder.close)
            job.open(resume, {**origin, **found})
        ended = Finished(jobs, found["data_sha256"], tests) if distribution.is_chief else None
        known = ended.results() if resume and ended and distribution.kind != "multi_worker" else None
        if known:
            return replace(known[0], comparison=known[1] if len(known) > 1 else None)
        if ended:
            ended.forget()
        jobs = [job.fitted(dataset, tensorboard, verbose) for job in jobs]
        if not distribution.is_chief:
            return None
        results = [job.test(dataset, angles, angle_samples, group) for job in jobs]
        result = finish(jobs[0], results, dataset, export_formats, inference_type)
        ended.note(results)
        return result


@dataclass(frozen=True)
class _Job:
    """One network, its folder, the settings it is trained with, and what of its recipe is not the spec's own."""

    network: Network
    folder: RunFolder
    settings: dict
    preprocess: Preprocess
    distribution: Distribution
    given: frozenset = frozenset()

    @classmethod
    def prepare(
        cls,
        spec,
        dataset,
        run_dir,
        distribution,
        seed,
        mixed_precision,
        validation,
        limit,
        fraction,
        data_options,
        **own,
    ):
        params, recipe = own.get("params"), own.get("recipe")
        if isinstance(spec, keras.Model) and distribution.kind != "none":
            raise ValueError(
                "A network for many devices is built on all of them. Received: a built model with "
                f'distribute="{distribution.kind}". Give a spec.'
            )
        with distribution.scope():
            network = make_network(spec, dataset, params, recipe, seed, mixed_precision)
        epochs, batch_size = suited(network.recipe, dataset, recipe)
        settings = {
            "network": network.name,
            "spec": sha256(network.spec_text.encode()).hexdigest()[:16],
            "parameters": sum(int(np.prod(w.shape)) for w in network.model.trainable_weights),
            "data": dataset.name,
            "training_images": len(dataset.x_train),
            "recipe": json.loads(json.dumps({**asdict(network.recipe), "distribute": None, "seeds": None})),
            "distribute": distribution.kind,
            "epochs": epochs if own.get("epochs") is None else own["epochs"],
            "batch_size": min(batch_size if own.get("batch_size") is None else own["batch_size"], len(dataset.x_train)),
            "seed": seed,
            "mixed_precision": mixed_precision,
            "validation": validation,
            "limit": limit,
            "fraction": fraction,
            "data_options": json.loads(json.dumps(data_options)),
            **({"classes": list(dataset.class_names)} if dataset.class_names else {}),
        }
        for key in ("epochs", "batch_size"):
            if settings[key] < 1:
                raise ValueError(
                    f"`{key}` must be at least 1. Received: {key}={settings[key]}. Use a positive integer."
                )
        folder = RunFolder(run_dir or default_folder(network.name, dataset, seed))
        preprocess = Preprocess(network.recipe.preprocess)
        return cls(network, folder, settings, preprocess, distribution, frozenset(recipe or ()))

    def check(self, dataset):
        """Raises what can be known to go wrong before the folder is opened."""
        own = self.settings
        check_fit(self.network, self.preprocess, dataset, own["epochs"], own["batch_size"], self.distribution)

    def open(self, resume, origin):
        self.folder.open(self.settings, resume, {**origin, "params": self.network.params})
        if self.network.spec_text:
            write_text(self.folder / "spec.yaml", self.network.spec_text)

    def fitted(self, dataset, tensorboard, verbose):
        """The job with its network trained."""
        own, recipe = self.settings, self.network.recipe
        log.info("%s", reporting.heading(own, dataset))
        written = {"epochs": f"{recipe.epochs} epochs", "batch_size": f"batches of {recipe.batch_size}"}
        written = ", ".join(text for key, text in written.items() if key not in self.given)
        if recipe.dataset != dataset.name and written:
            text = "The recipe was written for %s (%s); --epochs and --batch-size change this."
            log.info(text, recipe.dataset, written)
        model = fit_network(
            self.network,
            self.preprocess,
            dataset,
            self.folder,
            own["epochs"],
            own["batch_size"],
            own["seed"],
            tensorboard,
            verbose if self.distribution.is_chief else 0,
            self.distribution,
        )
        return replace(self, network=replace(self.network, model=model))

    def test(self, dataset, angles, angle_samples, group):
        model, task, preprocess = self.network.model, task_of(dataset), self.preprocess
        scores = task.scores(model, dataset.x_test, dataset.y_test, preprocess)
        rotated = dataset.sample("test", angle_samples, self.settings["seed"])
        scores |= task.scores_rotated(model, *rotated, preprocess)
        by_angle = task.score_by_angle(model, *rotated, angles, preprocess, scores)
        history = self.folder.history()
        results = {
            **task.summary(scores, by_angle),
            **task.against_references(model, dataset, preprocess, scores),
        }
        summary = reporting.summarize(self.settings, dataset, task, results, history)
        few, _ = dataset.sample("test", CERTIFIED_IMAGES, self.settings["seed"])
        report = self._certify(task.certified(model, preprocess(few)), group)
        keys = ("group", "verdict", "headline", "max_error", "grid_error", "between_error")
        certificate = NO_CERTIFICATE if report is None else report.to_dict()
        summary["certificate"] = {key: certificate.get(key) for key in keys}
        write_json(self.folder / "summary.json", summary)
        return TrainResult(self.folder.path, model, history, scores, by_angle, report, None, summary)

    def _certify(self, inputs, group):
        if inputs is None:
            return None
        if isinstance(inputs, list):  # points, which rotate by any angle without interpolation
            report = certify(self.network.model, group, inputs, angles=0)
        else:
            # Volumes are many pixels, and rotate about several axes.
            count, angles = (CERTIFIED_VOLUMES, 8) if inputs.ndim == 5 else (CERTIFIED_IMAGES, 24)
            report = certify(self.network.model, group, np.asarray(inputs[:count], "float32"), angles=angles)
        report.save(self.folder / "certificate.json")
        write_text(self.folder / "certificate.txt", f"{report}\n")
        report.plot(self.folder / "certificate.png")
        return report


def default_folder(network, data, seed):
    """`runs/<network>-<data>-seed<seed>`."""
    data = data.name if isinstance(data, datasets.Dataset) else data
    return Path("runs") / re.sub(r"[^\w.-]", "_", f"{network}-{Path(data).stem}-seed{seed}")


def _name_of(spec):
    return spec.name if isinstance(spec, keras.Model) else load_spec(spec).name


def suited(recipe, dataset, given=None):
    """(epochs, batch size) of a recipe; where it was written for other data at most the data's defaults, or batches of
    which an epoch has several. `given` are the entries that were given for these data: they stay as they are."""
    found = {"epochs": recipe.epochs, "batch_size": recipe.batch_size}
    if recipe.dataset == dataset.name:
        return tuple(found.values())
    few = max(SMALLEST_BATCH, len(dataset.x_train) // FEWEST_STEPS)
    limits = {"epochs": dataset.default_epochs, "batch_size": dataset.default_batch_size or few}
    own = {key for key, value in (given or {}).items() if value is not None}
    return tuple(n if limits[key] is None or key in own else min(n, limits[key]) for key, n in found.items())
