"""Vectors that rotate with the image: angles, axes and directions, one an image or one a pixel; errors in degrees."""

import numpy as np

from keras_equivariant.data import rotate_images, vectors
from keras_equivariant.training.losses import AngularError, ScaledError
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.tasks.segmentation import disc
from keras_equivariant.training.tasks.task import Measured


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

    def make_loss(self, name, targets):
        # One length for all components: what each had for itself would not rotate.
        scale = 1.0 if targets is None else float(np.sqrt(np.mean(np.square(targets), dtype="float64")) or 1.0)
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
        there = np.linalg.norm(targets, axis=-1) > 1e-6  # a vector of no length has no direction
        off = vectors.angles_between(found[there], targets[there], self.frequency)
        scale = max(float(np.sqrt(np.mean(np.square(targets)))), 1e-12)
        return {
            "angle_error": float(off.mean()) if there.any() else 0.0,
            "median_angle_error_degrees": float(np.median(off)) if there.any() else 0.0,
            "relative_length_error": float(np.sqrt(np.mean((found - targets) ** 2))) / scale,
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

    def chance(self, targets):
        return 90.0 / self.frequency


def about_last_axis(degrees, dimension):
    """The matrix of a counter-clockwise rotation of the plane, or of space about the last axis."""
    matrix, turn = np.eye(dimension), np.deg2rad(degrees)
    matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return np.round(matrix, 15)
