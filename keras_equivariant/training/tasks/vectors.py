"""Vectors that rotate with the image: angles, axes and directions, one an image or one a pixel; errors in degrees."""

import numpy as np

from keras_equivariant.data import rotate_images, vectors
from keras_equivariant.training.losses import AngularError, ScaledError
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.report.answers import wheel
from keras_equivariant.training.report.figures import GREEN, RED, Picture, gallery, histograms
from keras_equivariant.training.report.images import shown
from keras_equivariant.training.tasks.points import about_last_axis
from keras_equivariant.training.tasks.regression import rescaled
from keras_equivariant.training.tasks.segmentation import disc
from keras_equivariant.training.tasks.task import Measured

SAMPLES = 16  # pictures in a gallery of the report
LEAST, MOST = 0.1, 10.0  # lengths that a network answers with as it is


class Vectors(Measured):
    """Outputs `(B, n)` or `(B, *space, n)` against vectors of that shape.

    A vector (x to the right, y up) rotates counter-clockwise with its image; in space it has the order of the axes.
    """

    name = "vectors"
    score, score_text = "angle_error", "angular error"
    losses = ("squared_error", "absolute_error")
    result = ("angle_error", "mean angular error")
    suffix, unit = "_degrees", "°"

    def __init__(self, target_type="1x1"):
        self.target_type = target_type

    def of(self, dataset):
        return Vectors(dataset.target_type)

    @property
    def frequency(self):
        """By how much faster than the image a vector rotates: 2 for axes."""
        return max(1, int(self.target_type.rpartition("x")[2]))

    def parameters(self, dataset):
        return {"answer": dataset.target_type}

    def scaled(self, model, dataset):
        """The network's answer times the length of the training targets, where that is not of the order of one."""
        scale = _length(dataset.y_train)
        return model if LEAST <= scale <= MOST else rescaled(model, scale, 0.0)

    def make_loss(self, name, targets):
        scale = 1.0 if targets is None else _length(targets)
        return ScaledError(scale, power=1 if name == "absolute_error" else 2)

    def metrics(self):
        return [AngularError(self.frequency, name="angle_error")]

    def check(self, network, dataset):
        super().check(network, dataset)
        wanted, outputs = dataset.y_train.shape[1:], tuple(network.model.output_shape[1:])
        if len(outputs) != len(wanted) or any(o not in (None, w) for o, w in zip(outputs, wanted, strict=True)):
            spec = "so2_orientation" if len(dataset.image_shape) == 3 else "se3_vector_field"
            raise ValueError(
                "A network for vectors must answer with one for each image, or each pixel, as the data has. Received: "
                f'network "{network.name}" with output shape {outputs}, data "{dataset.name}" with vectors of shape '
                f"{wanted}. Use a spec such as {spec}."
            )

    def scores(self, model, images, targets, preprocess=None):
        return self._scores(predict(model, images, preprocess), targets)

    def _scores(self, found, targets):
        there = vectors.have_direction(targets)
        off = vectors.angles_between(found[there], targets[there], self.frequency)
        scale = _length(targets)
        return {
            "angle_error": float(off.mean()) if there.any() else 0.0,
            "median_angle_error_degrees": float(np.median(off)) if there.any() else 0.0,
            "relative_length_error": float(np.sqrt(np.mean(np.square(found - targets), dtype="float64"))) / scale,
        }

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """Images rotated by interpolation, targets with them; volumes about the last axis. Of fields the disc "
        "inside."""
        found = {}
        for angle in angles:
            answers = predict(model, rotate_images(images, angle), preprocess)
            wanted = vectors.moved(targets, self.target_type, about_last_axis(angle, images.ndim - 2))
            if targets.ndim > 2:
                inside = disc(images.shape[1:3])
                wanted = rotate_images(wanted, angle, order=1)[:, inside]
                answers = answers[:, inside]
            found[float(angle)] = self._scores(answers, wanted)["angle_error"]
        return found

    def answers(self, outputs, trained):
        frequency = Vectors(trained.target_type or self.target_type).frequency
        names = ("x", "y") if outputs.shape[-1] == 2 else [f"axis {i}" for i in range(outputs.shape[-1])]
        found = {name: outputs[:, i].tolist() for i, name in enumerate(names)}
        if outputs.shape[-1] != 2:
            return found
        what = "angle" if frequency == 1 else "axis"
        return {f"{what} (degrees)": vectors.degrees_of(outputs, frequency).tolist(), **found}

    def chance(self, targets):
        return 90.0 / self.frequency

    def data_pictures(self, dataset, seed=0):
        images, targets = dataset.sample("train", SAMPLES, seed)
        planar, y = self._planar(targets), dataset.y_train
        y = y[vectors.have_direction(y)]
        values = vectors.degrees_of(y, self.frequency) if y.shape[-1] == 2 else np.linalg.norm(y, axis=-1)
        label = "direction (degrees, counter-clockwise)" if y.shape[-1] == 2 else "length"
        draw = (lambda axes, i: self._arrow(axes, targets[i], GREEN)) if planar else None
        text = "Training examples" + (", their directions in green." if planar else ".")
        return [
            Picture(
                "Balance of the targets",
                "How often each is there in the training set.",
                histograms([values], [label]),
            ),
            Picture("Samples", text, gallery([*map(shown, images)], [""] * len(images), draw)),
        ]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        found = predict(model, inputs, preprocess)
        there, planar = vectors.have_direction(targets), self._planar(targets)
        off = np.where(there, vectors.angles_between(found, targets, self.frequency), 0)
        if planar:
            text = "The error in degrees (distance from the middle) by the true direction."
            drawn = wheel(vectors.degrees_of(targets[there], self.frequency), off[there], 360 / self.frequency)
            spread = Picture("Error wheel", text, drawn)
        else:
            text = "How often each error is there."
            spread = Picture("Errors", text, histograms([off[there]], ["angular error (degrees)"]))
        means = off.reshape(len(off), -1).sum(axis=1) / np.maximum(1, there.reshape(len(off), -1).sum(axis=1))
        worst = np.argsort(-means, kind="stable")[:SAMPLES]

        def both(axes, i):
            self._arrow(axes, targets[worst[i]], GREEN)
            self._arrow(axes, found[worst[i]], RED)

        text = "The largest errors" + (": the truth in green, the answer in red." if planar else ".")
        captions = [f"off by {means[i]:.3g}°" for i in worst]
        drawn = gallery([shown(inputs[i]) for i in worst], captions, both if planar else None)
        return [spread, Picture("Worst mistakes", text, drawn)]

    @staticmethod
    def _planar(targets):
        return targets.ndim == 2 and targets.shape[-1] == 2

    def _arrow(self, axes, vector, color):
        """The direction of a vector across the image: an arrow, or a line both ways where half a turn keeps it."""
        angle = np.deg2rad(vectors.degrees_of(vector, self.frequency))
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        middle, length = np.array([left + right, low + high]) / 2, 0.4 * min(right - left, low - high)
        tip = length * np.array([np.cos(angle), -np.sin(angle)])  # the rows of an image go downwards
        arrow = {"arrowstyle": "-" if self.frequency > 1 else "->", "color": color, "linewidth": 1.6}
        start = middle - tip if self.frequency > 1 else middle
        axes.annotate("", xy=middle + tip, xytext=start, arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0})


def _length(targets):
    """The root mean square of the components, one for all: what each had for itself would not rotate."""
    return float(np.sqrt(np.mean(np.square(targets, dtype="float64"))) or 1.0)
