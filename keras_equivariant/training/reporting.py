"""What a run says at its end: a text, a summary, plots."""

import itertools

import numpy as np

from keras_equivariant.utils.files import replaced
from keras_equivariant.utils.optional import require

COLOURS = ("#1f5fa8", "#c8553d", "#3a7d44", "#8a5fa8", "#b8860b", "#4d4d4d")
LINES = ("-", "--", ":", "-.")


def heading(settings, dataset):
    """One line that says what is trained on what."""
    return (
        f"{settings['network']} on {dataset.description}: {settings['parameters']:,} parameters, "
        f"{len(dataset.x_train):,} training and {len(dataset.x_test):,} test images, "
        f"{settings['epochs']} epochs of batches of {settings['batch_size']}, seed {settings['seed']}."
    )


def summarise(settings, dataset, results, history):
    """What is known of one network as plain numbers; `results` is the task's own summary."""
    return {
        "network": settings["network"],
        "parameters": settings["parameters"],
        "data": settings["data"],
        "data_description": dataset.description,
        "training_images": len(dataset.x_train),
        "test_images": len(dataset.x_test),
        "epochs": settings["epochs"],
        "batch_size": settings["batch_size"],
        "seed": settings["seed"],
        "training_seconds": round(sum(history.get("seconds", [])), 1),
        "training_loss": history["loss"][-1],
        **results,
    }


def plot_by_angle(curves, title, score, path):
    """Draw a score against the angle the test images are turned by, one line a network.

    Args:
        curves: `{network name: {degrees: score}}`, scores from 0 to 1.
        title: Title of the plot.
        score: What the score is, in words.
        path: PNG file to write.
    """
    figure = require("matplotlib.figure", "Plotting the results").Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    styles = zip(itertools.cycle(COLOURS), itertools.cycle(LINES), strict=False)
    for (name, curve), (colour, line) in zip(curves.items(), styles, strict=False):
        angles = [*curve, 360.0]
        values = [100 * curve[angle % 360] for angle in angles]
        label = f"{name} (mean {100 * np.mean(list(curve.values())):.1f} %)"
        axes.plot(angles, values, line, color=colour, marker="o", markersize=3.5, linewidth=1.8, label=label)
    axes.set(title=title, xlabel="test images turned counter-clockwise by (degrees)", ylabel=f"{score} (%)")
    axes.set(xlim=(0, 360), ylim=(0, 101), xticks=range(0, 361, 45))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=min(len(curves), 3), frameon=False)
    with replaced(path) as temporary:
        figure.savefig(temporary, dpi=150)
