"""Masks of boundaries: class-balanced cross-entropy, F1 of the pixels at one threshold, average precision."""

import keras
import numpy as np

from keras_equivariant.data import rotate_images
from keras_equivariant.training.losses import BalancedCrossentropy, BestF1
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.tasks.task import Task, bars
from keras_equivariant.utils.optional import require


class Segmentation(Task):
    """Logits `(B, H, W, 1)` against masks `(B, H, W, 1)`."""

    name = "segmentation"
    score, score_text = "f1", "F1 of the pixels"
    losses = ("balanced_crossentropy", "crossentropy")
    result = ("f1", "F1")

    def make_loss(self, name, targets):
        if name == "crossentropy":
            return keras.losses.BinaryCrossentropy(from_logits=True)
        return BalancedCrossentropy(0.5 if targets is None else float(np.mean(targets, dtype="float64")))

    def metrics(self):
        return [
            BestF1(from_logits=True, name="f1"),
            keras.metrics.AUC(curve="PR", from_logits=True, name="average_precision"),
        ]

    def check(self, network, dataset):
        super().check(network, dataset)
        if any(isinstance(step, dict) for step in network.recipe.preprocess):
            raise ValueError(
                "Images that have masks are not resized. Received: preprocess="
                f"{list(network.recipe.preprocess)}. Leave `resize` out and save images of the size wanted."
            )
        wanted, outputs = (*dataset.image_shape[:2], 1), tuple(network.model.output_shape[1:])
        if len(outputs) != 3 or any(size not in (None, n) for size, n in zip(outputs, wanted, strict=True)):
            raise ValueError(
                "A network for masks must answer with one logit for each pixel. Received: network "
                f'"{network.name}" with output shape {outputs}, data "{dataset.name}" with masks of {wanted}. '
                "Use a spec for segmentation, such as unet_segmentation."
            )

    def scores(self, model, images, targets, preprocess=None):
        return pixel_scores(predict(model, images, preprocess), targets)

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """F1 where images and masks are turned, within the disc that stays inside the image, at one threshold.

        The images are turned by cubic-spline interpolation (quarter turns exactly), the masks to the nearest pixel.
        The corners are filled by reflection: black ones would look like boundaries, into the disc.
        """
        threshold = (scores or self.scores(model, images, targets, preprocess))["threshold"]
        inside = disc(images.shape[1:3])
        found = {}
        for angle in angles:
            logits = predict(model, rotate_images(images, angle, outside="reflect"), preprocess)
            masks = rotate_images(targets, angle, order=0)
            found[float(angle)] = f1_at(threshold, logits[:, inside], masks[:, inside])
        return found

    def summary(self, scores, by_angle):
        """In percent, F1 and average precision on the images as they are, and F1 on images turned to each angle."""
        turned = {f"{angle:g}": round(100 * f1, 4) for angle, f1 in by_angle.items()}
        return {
            "test_f1_percent": round(100 * scores["f1"], 4),
            "test_average_precision_percent": round(100 * scores["average_precision"], 4),
            "threshold": round(scores["threshold"], 6),
            "mean_f1_over_angles_percent": round(float(np.mean(list(turned.values()))), 4),
            "worst_f1_over_angles_percent": min(turned.values()),
            "f1_percent_by_angle": turned,
        }

    def text(self, summary):
        by_angle = summary["f1_percent_by_angle"]
        worst = min(by_angle, key=by_angle.get)
        return (
            f"F1 of the pixels {summary['test_f1_percent']:.2f} % at the best threshold {summary['threshold']:.3f}, "
            f"average precision {summary['test_average_precision_percent']:.2f} %; on the disc inside images turned to "
            f"{len(by_angle)} angles F1 {summary['mean_f1_over_angles_percent']:.2f} % on average, "
            f"{by_angle[worst]:.2f} % at worst ({worst}°)."
        )

    def angle_table(self, summary):
        return bars(summary["f1_percent_by_angle"])


def pixel_scores(logits, masks):
    """F1 of the pixels at the threshold best for the whole set, that threshold, and the average precision.

    F1 = 2 TP / (2 TP + FP + FN), where a pixel counts as found if sigmoid(logit) is at least the threshold.

    Args:
        logits, masks: Arrays of one shape; a mask's pixel counts as boundary from 0.5 on.

    Returns:
        A dict of `f1`, `average_precision` and `threshold` (a probability).
    """
    metrics = require("sklearn.metrics", "Scoring masks")
    found, truth = _probability(logits).ravel(), np.asarray(masks).ravel() >= 0.5
    precision, recall, thresholds = metrics.precision_recall_curve(truth, found)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1[: len(thresholds)]))
    return {
        "f1": float(f1[best]),
        "average_precision": float(-np.sum(np.diff(recall) * precision[:-1])),
        "threshold": float(thresholds[best]),
    }


def f1_at(threshold, logits, masks):
    """F1 of the pixels at a given threshold (a probability)."""
    found, truth = _probability(logits) >= threshold, np.asarray(masks) >= 0.5
    return float(2 * np.sum(found & truth) / max(1, np.sum(found) + np.sum(truth)))


def disc(sizes):
    """Which pixels `(H, W)` lie within the largest disc inside the image, one pixel off its border."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in sizes)
    return np.hypot(rows[:, None], columns) <= min(sizes) / 2 - 1


def _probability(logits):
    return 0.5 * (1 + np.tanh(np.asarray(logits, "float64") / 2))
