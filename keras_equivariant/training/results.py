"""What a run found, and how it ends: plots, the exported model, the summary."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from keras_equivariant.export import ExportError, arguments, export, exporter
from keras_equivariant.training import reporting
from keras_equivariant.training.report.page import write_report
from keras_equivariant.training.run_folder import write_json
from keras_equivariant.training.served import served_scores
from keras_equivariant.training.tasks import task_of

REPRESENTATIVE_IMAGES = 128

log = logging.getLogger("keras_equivariant.training")


@dataclass(frozen=True)
class TrainResult:
    """What a run found.

    Attributes:
        run_dir: The folder with everything.
        model: The trained model.
        history: Columns of the log (`loss`, `accuracy` or `f1`, `seconds`, …), one entry an epoch.
        scores: On all test images as they are, from 0 to 1: `accuracy`; or, for masks, `f1` of the pixels at the
            best `threshold`, and `average_precision`.
        score_by_angle: `{degrees: accuracy or f1}` on rotated test images.
        certificate: The report of `certify` on test images.
        comparison: The `TrainResult` of the network it was compared with, or None.
        summary: What summary.json holds.
    """

    run_dir: Path
    model: keras.Model
    history: dict
    scores: dict
    score_by_angle: dict
    certificate: object
    comparison: "TrainResult | None"
    summary: dict

    @property
    def test_accuracy(self):
        """The accuracy of a classifier on all test images as they are, from 0 to 1."""
        return self.scores["accuracy"]

    @property
    def accuracy_by_angle(self):
        """`{degrees: accuracy}` of a classifier on rotated test images."""
        return self.score_by_angle


def checked_formats(formats, inference_type="float32"):
    """The `Format`s of these names; raises before the training what would stop the export after it."""
    found, backend = arguments.checked_formats(formats) if formats else (), keras.backend.backend()
    arguments.check_inference_type(found, inference_type)
    if not found:
        return ()
    other = [format.backend for format in found if format.backend not in (None, backend)]
    if other:
        raise ValueError(
            f"Export needs the {other[0]} backend. Received: the backend {backend} and the formats {list(formats)}. "
            f"Train with --no-export, then run `keras-equivariant export` with KERAS_BACKEND={other[0]}."
        )
    arguments.check_writable(found, verify=True)
    return found


def check_exportable(model, formats):
    """ValueError where a format cannot hold the network, which is known before it is trained."""
    if any(format.refuses for format in formats):
        served = exporter.folded(model)
        for format in formats:
            format.check_model(served)


def finish(job, results, dataset, export_formats, inference_type="float32"):
    """The plots, the exported model, the summary and the report: what is left of a run whose networks are trained.

    Args:
        job: of the network, with `network`, `folder`, `preprocess`.
        results: a `TrainResult` of it, and one of the network that it is compared with, if any.
        dataset: `Dataset`.
        export_formats: names of formats; none for no export.
        inference_type: what an int8 model takes and returns.

    Returns:
        The first `TrainResult`, completed.

    Raises:
        ExportError: an exported file does not compute what the model computes; all the rest is written before.
    """
    inputs, _ = dataset.sample("train", REPRESENTATIVE_IMAGES, job.settings["seed"])
    result, comparison = results[0], results[1] if len(results) > 1 else None
    task, names = task_of(dataset), names_of(results)
    curves = {name: found.score_by_angle for name, found in zip(names, results, strict=True)}
    if any(curves.values()):
        title = f"Test {task.score_text}, rotated ({dataset.description})"
        plot = job.folder / f"{task.score}_by_angle.png"
        reporting.plot_by_angle(
            curves, title, task.score_text, plot, task.unit, task.scale, task.chance(dataset.y_test)
        )
    summary, exported, served, failure = dict(result.summary), None, (), None
    if comparison:
        summary["compared_with"] = comparison.summary
    if export_formats:
        try:
            inputs, served_model = task.certified(result.model, job.preprocess(inputs)), task.served(result.model)
            exported = _export(job, served_model, inputs, export_formats, inference_type)
        except ExportError as error:  # raised again when the report is written, which tells more
            exported, failure = error.report, error
        else:
            summary["export"] = [artifact.path for artifact in exported.artifacts]
            served = served_scores(exported, served_model, dataset, task, job.preprocess, job.settings["seed"])
            summary["served"] = served
    write_json(job.folder / "summary.json", summary)
    report = write_report(job, results, dataset, task, exported, served)
    log.info("Everything about the run is in %s; open %s in a browser.", job.folder.path, report)
    for name, found in zip(names, results, strict=True):
        report = found.certificate
        log.info(
            "%s: %s", name, "no certificate: no group moves its inputs." if report is None else f"{report.headline}."
        )
    for name, found in zip(names, results, strict=True):
        log.info("%s: %s", name, task.text(found.summary))
    if failure:
        raise failure
    return replace(result, comparison=comparison, summary=summary)


def names_of(results):
    """The names of the network and of the one that it is compared with, which may be the same spec's."""
    first, *others = (result.summary["network"] for result in results)
    return [first, *(f"{name} (compared)" if name == first else name for name in others)]


def _as_float(images):
    """What an export takes as examples: images as float32, the arrays of points as they are."""
    return images if isinstance(images, list) else np.asarray(images, "float32")


def _export(job, model, images, formats, inference_type):
    if job.network.recipe.preprocess:
        log.info("The exported model takes images after the steps %s.", list(job.network.recipe.preprocess))
    written = export(
        model,
        job.folder / "export",
        formats,
        name=job.network.name,
        representative_data=_as_float(images),
        inference_type=inference_type,
        overwrite=True,
    )
    log.info("%s\n", written)
    return written
