"""Masks of boundaries: class-balanced cross-entropy, F1 of the pixels at one threshold, average precision."""

import logging

import keras
import numpy as np

from keras_equivariant.data import rotate_images
from keras_equivariant.training.losses import BalancedCrossentropy, BestF1, ClassCrossentropy, MeanF1
from keras_equivariant.training.prediction import batch_of, model_of_images, predict
from keras_equivariant.training.report.figures import Picture, bars, gallery
from keras_equivariant.training.report.images import fullest, overlay, plane, shown
from keras_equivariant.training.tasks.task import Task
from keras_equivariant.training.volumes import predict_volume
from keras_equivariant.utils.optional import require

OVERLAP = 0.25  # of the windows in which large images are answered
SAMPLES = 16  # pictures in a gallery of the report
RIGHT, MISSED, FALSE = (0.2, 0.7, 0.3), (0.9, 0.25, 0.15), (0.2, 0.4, 0.95)

log = logging.getLogger("keras_equivariant.training")


class Segmentation(Task):
    """Logits `(B, *space, 1)` against masks of 0 and 1, or `(B, *space, classes)` against class numbers.

    Of several classes F1 is the mean over the classes, of the largest logit; there is no threshold.
    """

    name = "segmentation"
    score, score_text = "f1", "F1 of the pixels"
    losses = ("balanced_crossentropy", "crossentropy")
    result = ("f1", "F1")
    further = {"test_ods_percent": "ODS %", "test_ois_percent": "OIS %", "test_count_error": "count error"}

    def __init__(self, classes=1):
        self.classes = classes

    def of(self, dataset):
        return Segmentation(dataset.num_classes)

    def parameters(self, dataset):
        return {"classes": self.classes}

    def make_loss(self, name, targets):
        if self.classes > 1:
            weights = None if name == "crossentropy" or targets is None else class_weights(targets, self.classes)
            return ClassCrossentropy(weights)
        if name == "crossentropy":
            return keras.losses.BinaryCrossentropy(from_logits=True)
        return BalancedCrossentropy(0.5 if targets is None else float(np.mean(targets, dtype="float64")))

    def metrics(self):
        if self.classes > 1:
            return [MeanF1(self.classes, name="f1"), keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
        return [
            BestF1(from_logits=True, name="f1"),
            keras.metrics.AUC(curve="PR", from_logits=True, name="average_precision"),
        ]

    def check(self, network, dataset):
        super().check(network, dataset)
        if any(isinstance(step, dict) for step in network.recipe.preprocess):
            raise ValueError(
                "Images that have masks are not resized. Received: preprocess="
                f"{list(network.recipe.preprocess)}. Leave `resize` out and give the size wanted: --size H W."
            )
        wanted, outputs = (*dataset.image_shape[:-1], self.classes), tuple(network.model.output_shape[1:])
        if len(outputs) != len(wanted) or any(size not in (None, n) for size, n in zip(outputs, wanted, strict=True)):
            spec = "unet_segmentation" if len(wanted) == 3 else "unet_volumes"
            raise ValueError(
                "A network for masks must answer with one logit for each pixel and class. Received: network "
                f'"{network.name}" with output shape {outputs}, data "{dataset.name}" with masks of {wanted}. '
                f"Use a spec for segmentation, such as {spec}."
            )
        _log_corners(network.recipe.augment, dataset)

    def scores(self, model, images, targets, preprocess=None):
        logits = predict(model, images, preprocess)
        if self.classes > 1:
            return class_scores(np.argmax(logits, axis=-1), targets[..., 0], self.classes)
        return pixel_scores(logits, targets)

    def against_references(self, model, dataset, preprocess=None, scores=None):
        """The scores of the references: of boundaries marked by several people, or of objects that are counted.

        Images that are larger than those of the training are answered in overlapping windows.
        """
        if dataset.references is None or self.classes > 1:
            return {}
        own, size = model_of_images(model, preprocess), batch_of(dataset.x_test)

        def answer(images):
            if all(image.shape == dataset.image_shape for image in images):
                yield from probability(predict(model, np.stack(images), preprocess)[..., 0])
                return
            for image in images:
                yield probability(predict_volume(own, image, dataset.image_shape[:-1], OVERLAP, size)[..., 0])

        return dataset.references.scores(answer, (scores or {}).get("threshold", 0.5))

    def map_of(self, outputs, trained):
        """The mask of the best threshold on the run's test images, 0 and 255, or of several classes; in the values of
        the masks that the run was trained on."""
        if outputs.shape[-1] > 1:
            values = trained.mask_values or range(outputs.shape[-1])
            numbers = np.argmax(outputs, axis=-1)
            shares = np.bincount(numbers.ravel(), minlength=outputs.shape[-1]) / numbers.size
            columns = {f"share of {value}": float(share) for value, share in zip(values, shares, strict=True)}
            return _valued(numbers, values), columns
        found = probability(outputs[..., 0]) >= trained.threshold
        return _valued(found.astype(int), trained.mask_values or (0, 255)), {"share found": float(found.mean())}

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """F1 where images and masks are rotated, within the disc that stays inside the image, at one threshold.

        The images are rotated by cubic-spline interpolation (quarter turns exactly), the masks to the nearest pixel;
        volumes about the last axis. The corners are filled by reflection: black ones would look like boundaries, into
        the disc.
        """
        scores = scores or self.scores(model, images, targets, preprocess)
        inside = disc(images.shape[1:3])
        found = {}
        for angle in angles:
            logits = predict(model, rotate_images(images, angle, outside="reflect"), preprocess)[:, inside]
            masks = rotate_images(targets, angle, order=0)[:, inside]
            if self.classes > 1:
                f1 = class_scores(np.argmax(logits, axis=-1), masks[..., 0], self.classes)["f1"]
            else:
                f1 = f1_at(scores["threshold"], logits, masks)
            found[float(angle)] = f1
        return found

    def summary(self, scores, by_angle):
        """In percent, F1 and average precision on the images as they are, and F1 on images rotated to each angle."""
        percents = {f"{angle:g}": round(100 * f1, 4) for angle, f1 in by_angle.items()}
        others = {f"test_{k}_percent": round(100 * v, 4) for k, v in scores.items() if k != "threshold"}
        return {
            **others,
            **({"threshold": round(scores["threshold"], 6)} if "threshold" in scores else {}),
            "mean_f1_over_angles_percent": round(float(np.mean(list(percents.values()))), 4),
            "worst_f1_over_angles_percent": min(percents.values()),
            "f1_percent_by_angle": percents,
        }

    def text(self, summary):
        by_angle = summary["f1_percent_by_angle"]
        worst = min(by_angle, key=by_angle.get)
        if self.classes > 1:
            upright = (
                f"F1 of the pixels, the mean over {self.classes} classes, {summary['test_f1_percent']:.2f} %, accuracy "
                f"{summary['test_accuracy_percent']:.2f} %"
            )
        else:
            upright = (
                f"F1 of the pixels {summary['test_f1_percent']:.2f} % at the best threshold "
                f"{summary['threshold']:.3f}, "
                f"average precision {summary['test_average_precision_percent']:.2f} %"
            )
        further = [
            f"{label.removesuffix(' %')} {summary[key]:.4g}" + " %" * label.endswith("%")
            for key, label in self.further.items()
            if key in summary
        ]
        return (
            f"{', '.join([upright, *further])}; on the disc inside images rotated to {len(by_angle)} angles F1 "
            f"{summary['mean_f1_over_angles_percent']:.2f} % on average, "
            f"{by_angle[worst]:.2f} % at worst ({worst}°)."
        )

    def data_pictures(self, dataset, seed=0):
        names = [*map(str, dataset.class_names)] or [*map(str, range(max(2, self.classes)))]
        parts = {"training": dataset.y_train, "validation": dataset.y_val, "test": dataset.y_test}
        counts = {
            p: np.bincount((y >= 0.5 if self.classes == 1 else y).ravel(), minlength=len(names))
            for p, y in parts.items()
            if y is not None
        }
        shares = {part: 100 * numbers / numbers.sum() for part, numbers in counts.items()}
        names = names if len(names) == len(shares["training"]) else [*map(str, range(len(shares["training"])))]
        images, masks = dataset.sample("train", SAMPLES, seed)
        marked = [_marked(image, mask[..., 0], mask[..., 0]) for image, mask in zip(images, masks, strict=True)]
        return [
            Picture("Class balance", "The share of the pixels of each class.", bars(shares, names, "% of the pixels")),
            Picture("Samples", "Training examples with their masks in green.", gallery(marked, [""] * len(marked))),
        ]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        logits, truth = predict(model, inputs, preprocess), targets[..., 0]
        if self.classes > 1:
            found, rule = np.argmax(logits, axis=-1), "the largest logit"
        else:
            threshold = pixel_scores(logits, targets)["threshold"]
            found, truth = (probability(logits[..., 0]) >= threshold).astype(int), (truth >= 0.5).astype(int)
            rule = f"the threshold {threshold:.3f}"
        space = tuple(range(1, truth.ndim))
        right = np.sum((truth > 0) & (found == truth), axis=space)
        f1 = 2 * right / np.maximum(1, np.sum(truth > 0, axis=space) + np.sum(found > 0, axis=space))
        f1[~(truth > 0).any(axis=space) & ~(found > 0).any(axis=space)] = 1  # nothing there, and nothing found
        order, pictures = np.argsort(f1, kind="stable"), []
        for title, rows in (("Worst mistakes", order[:SAMPLES]), ("Best answers", order[::-1][: SAMPLES // 2])):
            marked = [_marked(inputs[i], truth[i], found[i]) for i in rows]
            text = f"By {rule}: right in green, missed or another class in red, found where nothing is in blue."
            pictures.append(Picture(title, text, gallery(marked, [f"F1 {100 * f1[i]:.1f} %" for i in rows])))
        return pictures


def _marked(image, truth, found):
    """The image, or the slice of the volume that holds most of the mask, with the masks `(*space)` in colors."""
    where = fullest(truth[..., None])
    truth, found = (plane(mask[..., None], where)[..., 0] for mask in (truth, found))
    there = truth > 0
    marks = {RIGHT: there & (found == truth), MISSED: there & (found != truth), FALSE: ~there & (found > 0)}
    return overlay(shown(image, where), marks)


def _log_corners(augment, dataset):
    """Say that what an augmentation moves into an image from outside is of the first class, where that is no rest."""
    values = dataset.reading.get("mask_values")
    first = values[0] if isinstance(values, list | tuple) else 0
    if first and augment.fill == "constant" and (augment.rotate or augment.translate):
        log.warning(
            "What lies outside of a rotated or shifted image is black, and counts as the class of the masks' value %d, "
            "the first. Use augment: {fill: reflect}, which mirrors image and mask there.",
            first,
        )


def pixel_scores(logits, masks):
    """F1 of the pixels at the threshold best for the whole set, that threshold, and the average precision.

    F1 = 2 TP / (2 TP + FP + FN), where a pixel counts as found if sigmoid(logit) is at least the threshold.

    Args:
        logits, masks: Arrays of one shape; a mask's pixel counts as boundary from 0.5 on.

    Returns:
        A dict of `f1`, `average_precision` and `threshold` (a probability).
    """
    metrics = require("sklearn.metrics", "Scoring masks")
    found, truth = probability(logits).ravel(), np.asarray(masks).ravel() >= 0.5
    precision, recall, thresholds = metrics.precision_recall_curve(truth, found)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    best = int(np.argmax(f1[: len(thresholds)]))
    return {
        "f1": float(f1[best]),
        "average_precision": float(-np.sum(np.diff(recall) * precision[:-1])),
        "threshold": float(thresholds[best]),
    }


def class_scores(found, truth, classes):
    """F1 = 2 TP / (2 TP + FP + FN) of each class that occurs, its mean, and the share of right pixels.

    Args:
        found, truth: integer arrays of one shape, class numbers.
        classes: how many there are.
    """
    truth, found = np.asarray(truth).ravel().astype(int), np.asarray(found).ravel()
    table = np.bincount(classes * truth + found, minlength=classes**2).reshape(classes, classes)
    right, both = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    f1 = (2 * right[both > 0] / both[both > 0]).mean()
    return {"f1": float(f1), "accuracy": float(right.sum() / table.sum())}


def class_weights(masks, classes):
    """A weight for each class, with a mean of 1 over the pixels, such that all weigh the same, however rare one is."""
    counts = np.bincount(np.asarray(masks).ravel(), minlength=classes)
    return [float(counts.sum() / (np.sum(counts > 0) * max(count, 1))) for count in counts]


def f1_at(threshold, logits, masks):
    """F1 of the pixels at a given threshold (a probability)."""
    found, truth = probability(logits) >= threshold, np.asarray(masks) >= 0.5
    return float(2 * np.sum(found & truth) / max(1, np.sum(found) + np.sum(truth)))


def disc(sizes):
    """Which pixels `(H, W)` lie within the largest disc inside the image, one pixel off its border."""
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in sizes)
    return np.hypot(rows[:, None], columns) <= min(sizes) / 2 - 1


def _valued(numbers, values):
    """A mask with the values of the classes, in the smallest integers that hold them."""
    table = np.asarray([*values])
    return table.astype(np.result_type(*map(np.min_scalar_type, table.tolist())))[numbers]


def probability(logits):
    """The sigmoid of logits, in float64."""
    return 0.5 * (1 + np.tanh(np.asarray(logits, "float64") / 2))
