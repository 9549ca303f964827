"""Classes of whole images: cross-entropy, accuracy, errors in percent."""

import keras
import numpy as np

from keras_equivariant.data import Rows
from keras_equivariant.training import evaluation
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.report.answers import confusion
from keras_equivariant.training.report.figures import Picture, bars, short
from keras_equivariant.training.tasks.points import drawn_inputs, rotated_about_last_axis
from keras_equivariant.training.tasks.task import Task

SPACE = {
    "error_over_cube_rotations_percent": "the 24 rotations of the cube",
    "error_over_random_rotations_percent": "random rotations",
}
ROTATED = {  # scores of volumes rotated in space, and what they are called as errors
    "accuracy_over_cube_rotations": "error_over_cube_rotations_percent",
    "worst_accuracy_of_cube_rotations": "worst_error_of_cube_rotations_percent",
    "accuracy_over_random_rotations": "error_over_random_rotations_percent",
}
SAMPLES = 24  # pictures in a gallery of the report


class Classification(Task):
    """Logits `(B, classes)` against labels `(B,)`."""

    name = "classification"
    score = score_text = "accuracy"
    losses = ("crossentropy",)
    of_numbers = True
    result = ("error", "test error")

    def parameters(self, dataset):
        return {"classes": dataset.num_classes, "outputs": dataset.num_classes}

    def make_loss(self, name, targets):
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def metrics(self):
        return ["accuracy"]

    def check(self, network, dataset):
        super().check(network, dataset)
        if dataset.num_classes < 2:
            alone = dataset.class_names[0] if dataset.class_names else 0
            raise ValueError(
                f"Classes are two or more. Received: {dataset.name} with the class {alone} alone. Add images of another"
                f"{'' if dataset.class_names else ', or say --target number if these are no classes'}."
            )
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
        if isinstance(images, Rows):  # about the last axis
            moved = ((angle, rotated_about_last_axis(images, angle)) for angle in angles)
            return {float(angle): evaluation.accuracy(model, rows, targets, preprocess) for angle, rows in moved}
        return evaluation.accuracy_by_angle(model, images, targets, angles, preprocess)

    def scores_rotated(self, model, images, targets, preprocess=None):
        if images.ndim != 5:
            return {}
        found = {"accuracy_over_random_rotations": evaluation.accuracy_at_random(model, images, targets, preprocess)}
        if len(set(images.shape[1:4])) == 1:  # the rotations of the cube move cubes only
            by_rotation = list(evaluation.accuracy_by_rotation(model, images, targets, preprocess).values())
            found["accuracy_over_cube_rotations"] = float(np.mean(by_rotation))
            found["worst_accuracy_of_cube_rotations"] = min(by_rotation)
        return found

    def summary(self, scores, by_angle):
        """Errors in percent: on the images as they are, and on images rotated to each angle (volumes, about the
        vertical axis), of volumes also over the 24 rotations of the cube and over random ones."""
        errors = {f"{angle:g}": _percent_error(a) for angle, a in by_angle.items()}
        return {
            "test_error_percent": _percent_error(scores["accuracy"]),
            "mean_error_over_angles_percent": round(float(np.mean(list(errors.values()))), 4),
            "worst_error_over_angles_percent": max(errors.values()),
            "error_percent_by_angle": errors,
            **{ROTATED[key]: _percent_error(value) for key, value in scores.items() if key in ROTATED},
        }

    def text(self, summary):
        by_angle = summary["error_percent_by_angle"]
        worst = max(by_angle, key=by_angle.get)
        text = (
            f"Test error {summary['test_error_percent']:.2f} % on the images as they are; rotated to {len(by_angle)} "
            f"angles {summary['mean_error_over_angles_percent']:.2f} % on average, {by_angle[worst]:.2f} % at worst "
            f"({worst}°)."
        )
        for key, what in SPACE.items():
            text += f" Over {what} {summary[key]:.2f} %." if key in summary else ""
        return text

    def answers(self, outputs, trained):
        names = [*(trained.settings.get("classes") or ()), *range(outputs.shape[-1])][: outputs.shape[-1]]
        logits = np.asarray(outputs, "float64")
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        chosen = np.argmax(logits, axis=-1)
        return {"class": [str(names[i]) for i in chosen], "probability": shares.max(axis=-1).tolist()}

    def chance(self, targets):
        """The share of the most frequent class."""
        return float(np.bincount(targets).max() / len(targets))

    def data_pictures(self, dataset, seed=0):
        names = class_names(dataset)
        parts = {"training": dataset.y_train, "validation": dataset.y_val, "test": dataset.y_test}
        counts = {part: np.bincount(y, minlength=len(names)) for part, y in parts.items() if y is not None}
        most, least = counts["training"].max(), counts["training"].min()
        images, labels = dataset.sample("train", SAMPLES, seed)
        order = np.argsort(labels, kind="stable")
        captions = [short(names[labels[i]]) for i in order]
        return [
            Picture(
                "Class balance",
                f"{len(names)} classes; the largest has {most:,} training examples, the smallest {least:,}.",
                bars(counts, names, "examples"),
            ),
            Picture(
                "Samples",
                "Training examples, drawn with the seed, each class in its share.",
                drawn_inputs(images, order, captions),
            ),
        ]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        logits = predict(model, inputs, preprocess).astype("float64")
        names, answers = class_names(dataset, logits.shape[-1]), np.argmax(logits, axis=-1)
        table = np.zeros((len(names), len(names)), int)
        np.add.at(table, (targets, answers), 1)
        wrong = np.flatnonzero(answers != targets)
        matrix = Picture("Confusion matrix", "Truth in rows, answers in columns.", confusion(table, names))
        if not len(wrong):
            return [matrix, Picture("Worst mistakes", "There are none.")]
        logits -= logits.max(axis=-1, keepdims=True)
        sure = 1 / np.exp(logits).sum(axis=-1)  # the probability of the largest logit
        worst = wrong[np.argsort(-sure[wrong], kind="stable")][:SAMPLES]
        captions = [
            f"{short(names[answers[i]], 12)} ({100 * sure[i]:.0f} %)\nis {short(names[targets[i]])}" for i in worst
        ]
        text = f"Of {len(wrong):,} mistakes those of which the network was most certain: its answer, and the truth."
        return [matrix, Picture("Worst mistakes", text, drawn_inputs(inputs, worst, captions))]


def class_names(dataset, count=0):
    """The names of the classes as texts, at least `count`; numbers where there are none."""
    count = max(count, dataset.num_classes)
    return [*map(str, dataset.class_names), *map(str, range(len(dataset.class_names), count))]


def _percent_error(accuracy):
    return round(100 * (1 - accuracy), 4)
