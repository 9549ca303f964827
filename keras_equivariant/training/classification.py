"""Classes of whole images: cross-entropy, accuracy, errors in percent."""

import keras
import numpy as np

from keras_equivariant.training import evaluation
from keras_equivariant.training.task import Task, bars


class Classification(Task):
    """Logits `(B, classes)` against labels `(B,)`."""

    name = "classification"
    score = score_text = "accuracy"
    losses = ("crossentropy",)

    def make_loss(self, name, targets):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return ["accuracy"]

    def check(self, network, dataset):
        super().check(network, dataset)
        outputs = tuple(network.model.output_shape[1:])
        if len(outputs) != 1 or outputs[0] < dataset.num_classes:
            raise ValueError(
                f'A classifier must have an output for each class. Received: network "{network.name}" with output '
                f'shape {outputs}, data "{dataset.name}" with {dataset.num_classes} classes. '
                f"Use --set classes={dataset.num_classes}."
            )

    def scores(self, model, images, targets, preprocess=None):
        return {"accuracy": evaluation.accuracy(model, images, targets, preprocess)}

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        return evaluation.accuracy_by_angle(model, images, targets, angles, preprocess)

    def summary(self, scores, by_angle):
        """Errors in percent: on the images as they are, and on images turned to each angle."""
        errors = {f"{angle:g}": _percent_error(a) for angle, a in by_angle.items()}
        return {
            "test_error_percent": _percent_error(scores["accuracy"]),
            "mean_error_over_angles_percent": round(float(np.mean(list(errors.values()))), 4),
            "worst_error_over_angles_percent": max(errors.values()),
            "error_percent_by_angle": errors,
        }

    def text(self, summary):
        by_angle = summary["error_percent_by_angle"]
        worst = max(by_angle, key=by_angle.get)
        return (
            f"Test error {summary['test_error_percent']:.2f} % on the images as they are; turned to {len(by_angle)} "
            f"angles {summary['mean_error_over_angles_percent']:.2f} % on average, {by_angle[worst]:.2f} % at worst "
            f"({worst}°)."
        )

    def angle_table(self, summary):
        return bars(summary["error_percent_by_angle"])


def _percent_error(accuracy):
    return round(100 * (1 - accuracy), 4)
