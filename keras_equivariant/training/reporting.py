"""What a run says at its end: a text, a summary, plots."""

import numpy as np

from keras_equivariant.data.extras import require

COLOURS = ("#1f5fa8", "#c8553d", "#3a7d44")


def heading(settings, dataset):
    """One line that says what is trained on what."""
    return (
        f"{settings['network']} on {dataset.description}: {settings['parameters']:,} parameters, "
        f"{len(dataset.x_train):,} training and {len(dataset.x_test):,} test images, "
        f"{settings['epochs']} epochs of batches of {settings['batch_size']}, seed {settings['seed']}."
    )


def summarise(settings, dataset, accuracy, by_angle, history):
    """The results of one network as plain numbers; errors in percent."""
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
        **error_summary(accuracy, by_angle),
    }


def error_summary(accuracy, by_angle):
    """Errors in percent: on the images as they are, and on images turned to each angle."""
    errors = {f"{angle:g}": _percent_error(a) for angle, a in by_angle.items()}
    return {
        "test_error_percent": _percent_error(accuracy),
        "mean_error_over_angles_percent": round(float(np.mean(list(errors.values()))), 4),
        "worst_error_over_angles_percent": max(errors.values()),
        "error_percent_by_angle": errors,
    }


def _percent_error(accuracy):
    return round(100 * (1 - accuracy), 4)


def errors_text(errors):
    """One line on an `error_summary`."""
    by_angle = errors["error_percent_by_angle"]
    worst = max(by_angle, key=by_angle.get)
    return (
        f"Test error {errors['test_error_percent']:.2f} % on the images as they are; turned to {len(by_angle)} angles "
        f"{errors['mean_error_over_angles_percent']:.2f} % on average, {by_angle[worst]:.2f} % at worst ({worst}°)."
    )


def angle_table(errors):
    """An `error_summary`'s errors by angle, one angle a line, with a bar of one mark for every 2 %."""
    by_angle = errors["error_percent_by_angle"].items()
    return "\n".join(f"{angle:>6}°  {error:6.2f} %  {'#' * round(error / 2)}" for angle, error in by_angle)


def plot_accuracy_by_angle(curves, title, path):
    """Draw test accuracy against the angle the test images are turned by, one line a network.

    Args:
        curves: `{network name: {degrees: accuracy}}`.
        title: Title of the plot.
        path: PNG file to write.
    """
    figure = require("matplotlib.figure", "Plotting the results").Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    styles = zip(COLOURS, ("-", "--", ":"), strict=True)
    for (name, curve), (colour, line) in zip(curves.items(), styles, strict=False):
        angles = [*curve, 360.0]
        values = [100 * curve[angle % 360] for angle in angles]
        label = f"{name} (mean {100 * np.mean(list(curve.values())):.1f} %)"
        axes.plot(angles, values, line, color=colour, marker="o", markersize=3.5, linewidth=1.8, label=label)
    axes.set(title=title, xlabel="test images turned counter-clockwise by (degrees)", ylabel="accuracy (%)")
    axes.set(xlim=(0, 360), ylim=(0, 101), xticks=range(0, 361, 45))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=len(curves), frameon=False)
    figure.savefig(path, dpi=150)
