"""What a run says at its end: a text, a summary, plots."""

import itertools

import numpy as np

from keras_equivariant.training.origin import digest_of
from keras_equivariant.utils.drawing import literal_texts
from keras_equivariant.utils.files import replaced
from keras_equivariant.utils.optional import require

COLORS = ("#1f5fa8", "#c8553d", "#3a7d44", "#8a5fa8", "#b8860b", "#4d4d4d")
LINES = ("-", "--", ":", "-.")
THINGS = {"images": "images", "volumes": "volumes", "points": "sets of points", "states": "systems"}


def heading(settings, dataset):
    """One line that says what is trained on what, and in how many steps."""
    steps = settings["epochs"] * max(1, len(dataset.x_train) // settings["batch_size"])
    return (
        f"{settings['network']} on {dataset.description}: {settings['parameters']:,} parameters, "
        f"{len(dataset.x_train):,} training and {len(dataset.x_test):,} test {THINGS[dataset.layout]}, "
        f"{settings['epochs']} epochs of batches of {settings['batch_size']} ({steps:,} steps), "
        f"seed {settings['seed']}."
    )


def summarize(settings, dataset, task, results, history):
    """What is known of one network as plain numbers; `results` is the task's own summary."""
    chance = task.chance(dataset.y_test)
    return {
        "network": settings["network"],
        "parameters": settings["parameters"],
        "data": settings["data"],
        "data_description": dataset.description,
        "training_images": len(dataset.x_train),
        **({"fraction": settings["fraction"]} if settings.get("fraction") else {}),
        "test_images": len(dataset.x_test),
        "sha256_of_test": digest_of(dataset.x_test, dataset.y_test),
        "epochs": settings["epochs"],
        "batch_size": settings["batch_size"],
        "seed": settings["seed"],
        "training_seconds": round(sum(history.get("seconds", [])), 1),
        "training_loss": history["loss"][-1],
        **results,
        **({} if chance is None else {f"chance_{task.score}{task.suffix}": round(task.scale * chance, 4)}),
    }


@literal_texts()
def plot_by_angle(curves, title, score, path, unit="%", scale=100, chance=None, deviations=None):
    """Draw a score against the angle the test images are rotated by, one line a network.

    Args:
        curves: `{network name: {degrees: score}}`.
        title: Title of the plot.
        score: What the score is, in words.
        path: PNG file to write.
        unit: Of the axis.
        scale: What scores are multiplied by to have that unit; 100 where they go from 0 to 1.
        chance: The score of a guess, in the unit of `curves`, drawn as a dotted line; None for none.
        deviations: `{network name: {degrees: deviation}}` of scores that are means, drawn as bands.
    """
    figure = require("matplotlib.figure", "Plotting the results").Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    styles = zip(itertools.cycle(COLORS), itertools.cycle(LINES), strict=False)
    label_unit = f" {unit}".rstrip()
    for (name, curve), (color, line) in zip(curves.items(), styles, strict=False):
        angles = [*curve, 360.0]
        values = scale * np.array([curve[angle % 360] for angle in angles])
        mean = scale * np.mean(list(curve.values()))
        label = f"{name} (mean {f'{mean:.1f}' if scale == 100 else f'{mean:.4g}'}{label_unit})"
        if name in (deviations or {}):
            band = scale * np.array([deviations[name][angle % 360] for angle in angles])
            axes.fill_between(angles, values - band, values + band, color=color, alpha=0.15, linewidth=0)
        axes.plot(angles, values, line, color=color, marker="o", markersize=3.5, linewidth=1.8, label=label)
    if chance is not None:
        axes.axhline(scale * chance, color="#888888", linestyle=":", linewidth=1.4)
        axes.text(358, scale * chance, "chance", color="#666666", ha="right", va="bottom", fontsize=9)
    axes.set(title=title, xlabel="test inputs rotated counter-clockwise by (degrees)")
    axes.set(ylabel=f"{score} ({unit})" if unit else score, xlim=(0, 360), xticks=range(0, 361, 45))
    axes.set_ylim(0, 101 if scale == 100 else None)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(curves), 3), frameon=False)
    with replaced(path) as temporary:
        figure.savefig(temporary, dpi=150)
