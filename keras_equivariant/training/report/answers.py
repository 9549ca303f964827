"""Answers against the truth: confusion matrix, parity plots, wheel of errors, errors of a roll-out."""

import math

import numpy as np

from keras_equivariant.training.report.figures import BLUE, GRAY, WIDTH, blank, plain, short

POINTS = 3000  # of a parity plot: more make the file large and look the same
NUMBERED = 20  # classes of a confusion matrix with readable numbers


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


def wheel(directions, errors, period=360):
    """The error in degrees (radius) by the true direction in degrees, counter-clockwise; once around is a period."""
    figure = blank(WIDTH / 2, WIDTH / 2)
    axes = figure.subplots(subplot_kw={"projection": "polar"})
    axes.plot(2 * np.pi / period * directions[:POINTS], errors[:POINTS], ".", color=BLUE, markersize=4, alpha=0.6)
    axes.set_ylim(0, max(1.0, float(np.max(errors[:POINTS], initial=0))))
    axes.set_thetagrids(range(0, 360, 45), [f"{period * angle / 360:g}°" for angle in range(0, 360, 45)])
    axes.set_rlabel_position(112)
    axes.tick_params(labelsize=7)
    return figure


def by_step(errors, label):
    """The mean of errors `(samples, steps)` at each step, and the range of nine in ten."""
    figure = blank(2.6, WIDTH / 2)
    axes, steps = figure.subplots(), range(1, errors.shape[1] + 1)
    axes.fill_between(steps, *np.quantile(errors, (0.05, 0.95), axis=0), color=BLUE, alpha=0.2)
    axes.plot(steps, errors.mean(axis=0), color=BLUE, marker=".")
    axes.set(xlabel="step", ylabel=label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    plain(axes)
    return figure
