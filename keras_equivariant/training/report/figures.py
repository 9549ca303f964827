"""The drawings of a report as figures of matplotlib, each from plain arrays."""

import math
from dataclasses import dataclass

import numpy as np

from keras_equivariant.utils.optional import require

BLUE, RED, GREEN, GRAY = "#1f5fa8", "#c8553d", "#3a7d44", "#888888"
WIDTH, CELL = 7.2, 0.92  # inches, of a page and of one small picture in a gallery
POINTS = 3000  # of a parity plot: more make the file large and look the same
NUMBERED = 20  # classes of a confusion matrix with readable numbers


@dataclass(frozen=True)
class Picture:
    """A figure with its title and a sentence on it; the figure may be None where the sentence says it all."""

    title: str
    text: str
    figure: object = None


def blank(height, width=WIDTH, **options):
    """An empty figure, in inches."""
    module = require("matplotlib.figure", "Drawing the report")
    return module.Figure(figsize=(width, height), layout="constrained", **options)


def plain(axes):
    """Axes without a frame on the right and above, on a light grid."""
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def gallery(images, captions, decorate=None, columns=8):
    """Small pictures in rows, each with a caption above; `decorate(axes, i)` draws on the i-th."""
    columns = max(1, min(columns, len(images)))
    rows = math.ceil(len(images) / columns)
    lines = 1 + max(caption.count("\n") for caption in captions)
    figure = blank(rows * (WIDTH / 8 + 0.02 + 0.14 * lines), WIDTH * max(columns, 4) / 8)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in cells:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#bbbbbb")
    for axes in cells[len(images) :]:
        axes.axis("off")
    for i, (axes, image, caption) in enumerate(zip(cells, images, captions, strict=False)):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes.set_title(caption, fontsize=7, pad=2)
        if decorate:
            decorate(axes, i)
    return figure


def bars(counts, names, label):
    """How many there are of each name: `counts` is `{part: numbers}`, one color a part."""
    figure = blank(min(6.0, 1.2 + 0.2 * len(names) * len(counts)))
    axes, height = figure.subplots(), 0.8 / len(counts)
    for i, ((part, numbers), color) in enumerate(zip(counts.items(), (BLUE, RED, GREEN), strict=False)):
        axes.barh(
            np.arange(len(names)) + (i - (len(counts) - 1) / 2) * height, numbers, height, color=color, label=part
        )
    step = max(1, math.ceil(len(names) / 40))
    axes.set(xlabel=label, yticks=range(0, len(names), step), yticklabels=[short(n) for n in names][::step])
    axes.invert_yaxis()
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    plain(axes)
    return figure


def histograms(columns, labels, rows="count"):
    """The distribution of each of a few columns of numbers."""
    figure = blank(2.4)
    for axes, values, label in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, labels, strict=True):
        axes.hist(np.ravel(values), bins=40, color=BLUE)
        axes.set(xlabel=label, ylabel=rows)
        plain(axes)
    return figure


def curves(history):
    """The columns of the log by epoch, training and validation in one plot."""
    names = [n for n in history if not n.startswith("val_") and n not in ("epoch", "seconds", "learning_rate")][:3]
    figure = blank(2.7)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for key, label, color in ((name, "training", BLUE), (f"val_{name}", "validation", RED)):
            if key in history:
                axes.plot(range(1, len(history[key]) + 1), history[key], color=color, marker=".", label=label)
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=8)
        plain(axes)
    return figure


def confusion(table, names):
    """Counts by true class (rows) and answered class (columns), colored by their share of the row."""
    count = len(names)
    side = min(WIDTH, 2.4 + 0.32 * count)
    figure = blank(side * 0.92, side)
    axes = figure.subplots()
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if count <= NUMBERED:
        for (row, column), number in np.ndenumerate(table):
            if number:
                color = "white" if share[row, column] > 0.5 else "#222222"
                axes.text(column, row, number, ha="center", va="center", fontsize=7, color=color)
    step = max(1, math.ceil(count / 30))
    ticks, labels = range(0, count, step), [short(n) for n in names][::step]
    axes.set(xlabel="answer", ylabel="truth", yticks=ticks, yticklabels=labels)
    axes.set_xticks(ticks, labels, rotation=90 if max(map(len, labels)) > 2 else 0)
    return figure


def parity(pairs):
    """Answers against the truth: `pairs` is `{label: (truth, answers)}`, one plot each."""
    figure = blank(WIDTH / max(2, len(pairs)), WIDTH if len(pairs) > 1 else WIDTH / 2)
    for axes, (label, found) in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs.items(), strict=True):
        truth, answers = (np.ravel(values) for values in found)
        step = math.ceil(len(truth) / POINTS)
        ends = [min(truth.min(), answers.min()), max(truth.max(), answers.max())]
        axes.plot(ends, ends, color=GRAY, linewidth=1)
        axes.plot(truth[::step], answers[::step], ".", color=BLUE, markersize=3, alpha=0.5)
        axes.set(xlabel=f"{label}, truth", ylabel="answer")
        plain(axes)
    return figure


def wheel(directions, errors):
    """The error in degrees (radius) by the true direction in degrees, counter-clockwise from the right."""
    figure = blank(WIDTH / 2, WIDTH / 2)
    axes = figure.subplots(subplot_kw={"projection": "polar"})
    axes.plot(np.deg2rad(directions[:POINTS]), errors[:POINTS], ".", color=BLUE, markersize=4, alpha=0.6)
    axes.set_ylim(0, max(1.0, float(np.max(errors[:POINTS], initial=0))))
    axes.set_rlabel_position(112)
    axes.tick_params(labelsize=7)
    return figure


def short(name, most=18):
    """A name cut to what fits beside a plot."""
    return name if len(name) <= most else name[: most - 1] + "…"
