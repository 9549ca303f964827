"""write_report(): the sections of report.html, in the order in which one reads them."""

import base64
import io
from html import escape

import numpy as np

from keras_equivariant.data import Rows
from keras_equivariant.data.stored import Stored
from keras_equivariant.training.report import figures
from keras_equivariant.training.report.certificate import sentences
from keras_equivariant.training.report.features import feature_maps
from keras_equivariant.training.report.template import PAGE
from keras_equivariant.training.served import TESTED_ROWS
from keras_equivariant.utils.drawing import literal_texts
from keras_equivariant.utils.files import write_text
from keras_equivariant.utils.text import number

WATCHED = 2000  # test rows whose answers are looked at
DPI = 125


@literal_texts()
def write_report(job, results, dataset, task, exported=None, served=()):
    """Writes report.html into the run's folder and returns its path.

    Args:
        job: of the network, with `network`, `folder`, `preprocess`, `settings`.
        results: a `TrainResult` of it, and one of the network that it is compared with, if any.
        dataset: `Dataset`.
        task: its `Task`, which says which pictures are shown of the data and of the answers.
        exported: an `ExportReport`, or None.
        served: what `served_scores` found of its files.
    """
    result, seed = results[0], job.settings["seed"]
    x, y = dataset.sample("test", WATCHED, seed)
    x = np.asarray(x) if isinstance(x, Stored) else x
    parts = {
        "Result": _result(job, results, task),
        "Data": paragraph(_data_text(dataset)) + "".join(map(picture, task.data_pictures(dataset, seed))),
        "Learning curves": image(figures.curves(result.history), "Learning curves"),
        "Rotated test inputs": _by_angle(job, result, task, x),
        "Answers": paragraph(f"Of {len(x):,} test examples, as they are.")
        + "".join(map(picture, task.answer_pictures(result.model, x, y, dataset, job.preprocess))),
        "Certificate": paragraph(" ".join(sentences(result.certificate))) + file_image(job.folder / "certificate.png"),
        "Exported files": _exported(exported, served, task),
        "Settings": _settings(job),
    }
    body = "\n".join(f"<section>\n<h2>{escape(name)}</h2>\n{content}\n</section>" for name, content in parts.items())
    path = job.folder / "report.html"
    write_text(path, PAGE.substitute(title=escape(f"{job.network.name} on {dataset.description}"), body=body))
    return path


def _result(job, results, task):
    lines = [f"<p class='result'>{escape(task.text(results[0].summary))}</p>"]
    for other in results[1:]:
        lines.append(paragraph(f"Beside it {other.summary['network']}: {task.text(other.summary)}"))
    return "\n".join(lines)


def _data_text(dataset):
    counts = {"training": dataset.x_train, "validation": dataset.x_val, "test": dataset.x_test}
    listed = ", ".join(f"{len(x):,} for {part}" for part, x in counts.items() if x is not None)
    shape = "x".join(map(str, dataset.image_shape))
    return f"{dataset.description}: {listed}; each of shape {shape}."


def _by_angle(job, result, task, x):
    key = f"chance_{task.score}{task.suffix}"
    chance = result.summary.get(key)
    said = (
        ""
        if chance is None
        else f" Chance, the best answer that is the same for all: {chance:.4g} {task.unit}".rstrip() + "."
    )
    if not result.score_by_angle:
        return paragraph("These inputs have no plane to rotate in." + said)
    maps = None if isinstance(x, Rows) else feature_maps(result.model, x[0], job.preprocess)
    text = f"{task.score_text[:1].upper()}{task.score_text[1:]} against the angle by which the test inputs are rotated."
    drawn = file_image(job.folder / f"{task.score}_by_angle.png")
    return paragraph(text + said) + drawn + (picture(maps) if maps else "")


def _exported(exported, served, task):
    if exported is None:
        return paragraph("Nothing was exported.")
    key, found = f"{task.score}{task.suffix}", {row["format"]: row for row in served}
    rows = []
    for a in exported.artifacts:
        row = found.get(a.format, {})
        score = f"{row[key]:.4g}" if key in row else "–"
        latency = f"{row['latency_ms']:.3g}" if "latency_ms" in row else "–"
        rows.append((a.format, a.path, f"{a.size:,}", latency, score, number(a.relative_error), _verdict(a)))
    head = ("format", "file", "bytes", "ms", f"{task.score_text} {task.unit}".rstrip(), "error", "verdict")
    return table(head, rows, (2, 3, 4, 5)) + paragraph(
        "Each file was run in its own runtime: milliseconds are the median for one example, on the machine of the run; "
        f"the {task.score_text} is that of at most {TESTED_ROWS} test examples; errors are the largest difference from "
        "the Keras model's output, relative to its largest one."
    )


def _verdict(artifact):
    if artifact.problems:
        return "failed: " + "; ".join(artifact.problems)
    return "verified" if artifact.relative_error is not None else "not verified"


def _settings(job):
    names = ("network", "parameters", "data", "epochs", "batch_size", "seed", "mixed_precision", "validation")
    rows = [(name.replace("_", " "), str(job.settings[name])) for name in names if job.settings.get(name) is not None]
    return table(("setting", "value"), rows)


def paragraph(text):
    return f"<p>{escape(text)}</p>\n"


def table(head, rows, numbers=()):
    """Rows of texts; the columns of `numbers` to the right."""

    def line(tag, row):
        cells = (f"<{tag}{' class=number' * (i in numbers)}>{escape(text)}</{tag}>" for i, text in enumerate(row))
        return f"<tr>{''.join(cells)}</tr>"

    return "\n".join(["<table>", line("th", head), *(line("td", row) for row in rows), "</table>\n"])


def picture(found):
    """A `Picture` with its title and text."""
    drawn = "" if found.figure is None else image(found.figure, found.title)
    return f"<h3>{escape(found.title)}</h3>\n{paragraph(found.text)}{drawn}"


def image(figure, title):
    """A figure of matplotlib as an image inside the page."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    return inline(file.getvalue(), title)


def file_image(path):
    """A PNG file as an image inside the page; nothing where it was not drawn."""
    return inline(path.read_bytes(), path.stem.replace("_", " ")) if path.is_file() else ""


def inline(png, title):
    return f'<img alt="{escape(title)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">\n'
