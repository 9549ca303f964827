"""The drawings of a report as figures of matplotlib, each from plain arrays."""

import math
from dataclasses import dataclass

import numpy as np

from keras_equivariant.utils.optional import require

BLUE, RED, GREEN, GRAY = "#1f5fa8", "#c8553d", "#3a7d44", "#888888"
COLORS = (GRAY, BLUE, RED, GREEN, "#8a5fa8", "#b8860b", "#4d4d4d")
WIDTH = 7.2  # inches, of the page


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


def cells(count, columns, ratio=1.0, lines=1):
    """A figure with `count` small axes in rows, each with room for so many lines above it.

    Args:
        ratio: height of a cell divided by its width.
    """
    rows, side, gap = math.ceil(count / columns), WIDTH / columns, 0.05
    line = 0.05 + 0.12 * lines
    height = rows * (side * ratio + line)
    # Not laid out by matplotlib, which takes seconds for many axes.
    figure = require("matplotlib.figure", "Drawing the report").Figure(figsize=(WIDTH, height))
    made = []
    for i in range(count):
        row, column = divmod(i, columns)
        bottom = height - (row + 1) * (side * ratio + line)
        box = (column * side + gap, bottom + gap, side - 2 * gap, side * ratio - gap)
        axes = figure.add_axes([value / size for value, size in zip(box, (WIDTH, height) * 2, strict=True)])
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#bbbbbb")
        made.append(axes)
    return made, figure


def gallery(images, captions, decorate=None, columns=8):
    """Small pictures in rows, each with a caption above; `decorate(axes, i)` draws on the i-th."""
    lines = 1 + max(caption.count("\n") for caption in captions)
    height, width = np.shape(images[0])[:2]
    made, figure = cells(len(images), columns, min(2.0, height / width), lines if any(captions) else 0)
    for i, (axes, image, caption) in enumerate(zip(made, images, captions, strict=True)):
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
        axes.set(xlabel="epoch", ylabel=name.replace("_", " "), xlim=(0.5, len(history[name]) + 0.5))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, fontsize=8)
        plain(axes)
    return figure


def short(name, most=18):
    """A name cut to what fits beside a plot."""
    return name if len(name) <= most else name[: most - 1] + "…"
