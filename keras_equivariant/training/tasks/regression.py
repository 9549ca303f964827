"""Numbers that stay as they are when the image rotates: squared error in units of their spread, mean absolute error."""

import keras
import numpy as np

from keras_equivariant.training.losses import ScaledError
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.report.answers import parity
from keras_equivariant.training.report.figures import Picture, histograms
from keras_equivariant.training.tasks.points import drawn_inputs, rotated_inputs
from keras_equivariant.training.tasks.task import Measured

SAMPLES, PLOTTED = 16, 3  # pictures in a gallery of the report, and numbers with a plot of their own


class Regression(Measured):
    """Outputs `(B, n)` against numbers `(B, n)`, in the units of the numbers."""

    name = "regression"
    score, score_text = "mae", "mean absolute error"
    losses = ("squared_error", "absolute_error")
    result = ("mae", "mean absolute error")
    specs, of_numbers = ("classification",), True

    def parameters(self, dataset):
        count = dataset.y_train.shape[-1]
        return {"classes": count, "outputs": count}

    def scaled(self, model, dataset):
        """The network's answer times the deviation of the training targets, plus their mean."""
        y = np.asarray(dataset.y_train, "float64")
        return rescaled(model, spread(y), y.mean(axis=0))

    def make_loss(self, name, targets):
        scale = 1.0 if targets is None else spread(np.asarray(targets, "float64"))
        return ScaledError(scale, power=1 if name == "absolute_error" else 2)

    def metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def check(self, network, dataset):
        super().check(network, dataset)
        if not np.ptp(dataset.y_train, axis=0).any():
            name, value = number_names(dataset)[0], dataset.y_train[0, 0]
            raise ValueError(
                f"Numbers to learn differ between examples. Received: {dataset.name}, in which {name} is {value:g} in "
                f"all {len(dataset.y_train)} to train on. Add examples of others."
            )
        wanted, outputs = dataset.y_train.shape[1:], tuple(network.model.output_shape[1:])
        if outputs != wanted:
            raise ValueError(
                f'A network for numbers must answer with as many as there are. Received: network "{network.name}" with '
                f'output shape {outputs}, data "{dataset.name}" with {wanted[0]} numbers a row. '
                f"Use a spec for classification with --set classes={wanted[0]}."
            )

    def scores(self, model, images, targets, preprocess=None):
        off = np.abs(predict(model, images, preprocess) - targets)
        scores = {"mae": float(off.mean())}
        if np.ptp(targets, axis=0).any():  # else there is nothing to explain
            variance = np.var(np.asarray(targets, "float64"), axis=0).mean()
            scores["r2"] = float(1 - np.square(off, dtype="float64").mean() / variance)
        return scores

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        return {
            float(angle): self.scores(model, rotated_inputs(images, angle), targets, preprocess)["mae"]
            for angle in angles
        }

    def chance(self, targets):
        """The error of the median of each number."""
        return float(np.abs(targets - np.median(targets, axis=0)).mean())

    def data_pictures(self, dataset, seed=0):
        names = number_names(dataset)
        images, numbers = dataset.sample("train", SAMPLES, seed)
        captions = [", ".join(f"{value:.3g}" for value in row[:PLOTTED]) for row in numbers]
        return [
            Picture(
                "Balance of the targets",
                "How often each value is there in the training set.",
                histograms(dataset.y_train.T[:PLOTTED], names[:PLOTTED]),
            ),
            Picture(
                "Samples", "Training examples with their numbers.", drawn_inputs(images, range(len(captions)), captions)
            ),
        ]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        found = predict(model, inputs, preprocess)
        pairs = {name: (targets[:, i], found[:, i]) for i, name in enumerate(number_names(dataset)[:PLOTTED])}
        off = (np.abs(found - targets) / spread(targets)).mean(axis=1)
        worst = np.argsort(-off, kind="stable")[:SAMPLES]
        column = np.argmax(np.abs(found - targets) / spread(targets), axis=1)
        captions = [f"{found[i, column[i]]:.3g}\nis {targets[i, column[i]]:.3g}" for i in worst]
        return [
            Picture("Parity plot", "Answers against the truth; a perfect network is on the line.", parity(pairs)),
            Picture("Worst mistakes", "The answer, and the truth.", drawn_inputs(inputs, worst, captions)),
        ]


def number_names(dataset):
    """The names of the numbers of a data set, numbered where it has none."""
    count = dataset.y_train.shape[-1]
    return [*map(str, dataset.target_names)] if dataset.target_names else [f"number {i + 1}" for i in range(count)]


def spread(numbers, least=0.0):
    """Standard deviation of the columns, 1 where it is `least` or less; numbers in SI units may have a tiny one."""
    deviation = np.where(np.ptp(numbers, axis=0) > 0, np.std(np.asarray(numbers, "float64"), axis=0), 0.0)
    return np.where(deviation > least, deviation, 1.0)


def rescaled(model, scale, offset):
    """A functional model whose output is that of `model` times `scale` plus `offset`, one number each or one of all."""
    scale, offset = (np.asarray(v, "float64").reshape(-1).tolist() for v in (scale, offset))
    layer = keras.layers.Rescaling(
        scale[0] if len(scale) == 1 else scale, offset[0] if len(offset) == 1 else offset, name="units"
    )
    inputs = model.inputs[0] if len(model.inputs) == 1 else model.inputs
    return keras.Model(inputs, layer(model.output), name=model.name)
