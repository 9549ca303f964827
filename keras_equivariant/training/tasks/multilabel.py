"""Several labels an image, each there or not: cross-entropy of each, area under the ROC curve, in percent."""

import keras
import numpy as np

from keras_equivariant.training.losses import BalancedCrossentropy
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.report.figures import Picture, bars, short
from keras_equivariant.training.tasks.points import drawn_inputs, rotated_inputs
from keras_equivariant.training.tasks.regression import number_names
from keras_equivariant.training.tasks.segmentation import probability
from keras_equivariant.training.tasks.task import Task
from keras_equivariant.utils.optional import require

FOUND = 0.5  # the probability from which on a label counts as found
SAMPLES = 16  # pictures in a gallery of the report


class Multilabel(Task):
    """Logits `(B, labels)` against labels `(B, labels)` of 0 and 1, any number of them 1 in a row."""

    name = "multilabel"
    score, score_text = "auc", "mean ROC AUC of the labels"
    losses = ("crossentropy", "balanced_crossentropy")
    result = ("auc", "AUC")
    specs, of_numbers = ("classification",), True
    further = {"test_label_f1_percent": "F1 of the labels %"}

    def parameters(self, dataset):
        count = dataset.y_train.shape[-1]
        return {"classes": count, "outputs": count}

    def make_loss(self, name, targets):
        if name == "crossentropy":
            return keras.losses.BinaryCrossentropy(from_logits=True)
        shares = np.full(1, 0.5) if targets is None else np.mean(targets, axis=0, dtype="float64")
        return BalancedCrossentropy(np.where((shares > 0) & (shares < 1), shares, 0.5).tolist())

    def metrics(self):
        return [keras.metrics.AUC(multi_label=True, from_logits=True, name="auc")]

    def check(self, network, dataset):
        super().check(network, dataset)
        wanted, outputs = dataset.y_train.shape[1:], tuple(network.model.output_shape[1:])
        if not np.ptp(dataset.y_train, axis=0).any():
            raise ValueError(
                f"Labels to learn differ between images. Received: {dataset.name}, in which all "
                f"{len(dataset.y_train)} images to train on have the same. Add images of others."
            )
        if outputs != wanted:
            raise ValueError(
                f"A network for several labels must have an output for each. Received: network "
                f'"{network.name}" with output shape {outputs}, data "{dataset.name}" with {wanted[0]} labels a row. '
                f"Use a spec for classification with --set classes={wanted[0]}."
            )

    def scores(self, model, images, targets, preprocess=None):
        return label_scores(predict(model, images, preprocess), targets)

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        return {
            float(angle): self.scores(model, rotated_inputs(images, angle), targets, preprocess)["auc"]
            for angle in angles
        }

    def summary(self, scores, by_angle):
        """In percent, the scores on the images as they are, and the area on images rotated to each angle."""
        percents = {f"{angle:g}": round(100 * value, 4) for angle, value in by_angle.items()}
        return {
            **{f"test_{key}_percent": round(100 * value, 4) for key, value in scores.items()},
            "mean_auc_over_angles_percent": round(float(np.mean(list(percents.values()))), 4),
            "worst_auc_over_angles_percent": min(percents.values()),
            "auc_percent_by_angle": percents,
        }

    def text(self, summary):
        by_angle = summary["auc_percent_by_angle"]
        worst = min(by_angle, key=by_angle.get)
        return (
            f"Area under the ROC curve, the mean over the labels, {summary['test_auc_percent']:.2f} %, F1 of the "
            f"labels {summary['test_label_f1_percent']:.2f} %, {summary['test_label_accuracy_percent']:.2f} % of them "
            f"right; rotated to {len(by_angle)} angles the area is {summary['mean_auc_over_angles_percent']:.2f} % on "
            f"average, {by_angle[worst]:.2f} % at worst ({worst}°)."
        )

    def answers(self, outputs, trained):
        """The labels that are found, and the probability of each."""
        chances = super().answers(probability(outputs), trained)
        found = [
            "; ".join(name for name, value in zip(chances, row, strict=True) if value >= FOUND)
            for row in zip(*chances.values(), strict=True)
        ]
        return {"labels": found, **chances}

    def chance(self, targets):
        """The area of a guess."""
        return 0.5

    def data_pictures(self, dataset, seed=0):
        names = number_names(dataset)
        parts = {"training": dataset.y_train, "validation": dataset.y_val, "test": dataset.y_test}
        shares = {part: 100 * y.mean(axis=0) for part, y in parts.items() if y is not None}
        images, labels = dataset.sample("train", SAMPLES, seed)
        samples = drawn_inputs(images, range(len(labels)), _listed(labels, names))
        return [
            Picture("Balance of the labels", "How many images have each.", bars(shares, names, "% of the images")),
            Picture("Samples", "Training examples with their labels.", samples),
        ]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        logits, names = predict(model, inputs, preprocess).astype("float64"), number_names(dataset)
        areas = label_areas(logits, targets)
        measured = [i for i, area in enumerate(areas) if area is not None]
        pictures = [
            Picture(
                "Area under the ROC curve",
                "Of each label that some test images have and others have not; 50 % is a guess.",
                bars({"test": [100 * areas[i] for i in measured]}, [names[i] for i in measured], "%"),
            )
        ] * bool(measured)
        surprise = np.logaddexp(0, np.where(targets > 0.5, -logits, logits))
        worst = np.argsort(-surprise.max(axis=1), kind="stable")[:SAMPLES]
        which = surprise.argmax(axis=1)
        captions = [
            f"{short(names[which[i]], 12)} ({100 * probability(logits[i, which[i]]):.0f} %)\n"
            f"is {'there' if targets[i, which[i]] > 0.5 else 'not there'}"
            for i in worst
        ]
        text = "The label of which the network was most certain in error: its probability, and the truth."
        return [*pictures, Picture("Worst mistakes", text, drawn_inputs(inputs, worst, captions))]


def label_areas(logits, labels):
    """The area under the ROC curve of each column, None where all its labels are alike."""
    metrics = require("sklearn.metrics", "Scoring labels")
    pairs = zip(np.asarray(labels).T > 0.5, np.asarray(logits, "float64").T, strict=True)
    return [
        float(metrics.roc_auc_score(truth, answer)) if 0 < truth.sum() < len(truth) else None for truth, answer in pairs
    ]


def label_scores(logits, labels):
    """The mean area under the ROC curve, the F1 of all labels together and the share of right ones, a label found from
    a probability of one half on.

    Where no label is there in some rows and missing in others, the area is one half.
    """
    areas = [area for area in label_areas(logits, labels) if area is not None]
    found, truth = np.asarray(logits) >= 0, np.asarray(labels) > 0.5
    return {
        "auc": float(np.mean(areas)) if areas else 0.5,
        "label_f1": float(2 * np.sum(found & truth) / max(1, np.sum(found) + np.sum(truth))),
        "label_accuracy": float(np.mean(found == truth)),
    }


def _listed(labels, names):
    """The labels of each row, as captions."""
    listed = [[short(name, 12) for name, there in zip(names, row, strict=True) if there > 0.5] for row in labels]
    return ["\n".join(found[:2]) + " …" * (len(found) > 2) if found else "none" for found in listed]
