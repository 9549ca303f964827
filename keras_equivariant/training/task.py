"""What the tasks, classes and masks, have in common: how a network for one of them is compiled and judged."""

import math

import numpy as np

from keras_equivariant.data import Preprocess, evaluation_pipeline

PIXELS = 250 * 28 * 28  # of one batch of a prediction


class Task:
    """How a network is trained and tested for one kind of answer.

    Attributes:
        name: As in `Dataset.task`.
        score: The one number that a network is judged by, from 0 to 1, the larger the better: its key in `scores`.
        score_text: The same, in words.
        losses: Names of the losses that a recipe may ask for, the default first.
    """

    name: str
    score: str
    score_text: str
    losses: tuple[str, ...]

    def compile(self, model, optimizer="adam", loss=None, targets=None):
        """Compile `model` with a loss by name, which may need the training `targets`, and with the task's metrics."""
        model.compile(optimizer=optimizer, loss=self.make_loss(loss or self.losses[0], targets), metrics=self.metrics())

    def make_loss(self, name, targets):
        raise NotImplementedError

    def metrics(self):
        """Keras metrics for the log of the epochs; the first is named as the score."""
        raise NotImplementedError

    def check(self, network, dataset):
        """Raise a ValueError unless the network's output and its recipe fit the data."""
        if network.recipe.loss not in (None, *self.losses):
            raise ValueError(
                f"A recipe's `loss` must suit the data. Received: loss={network.recipe.loss!r} with data "
                f'"{dataset.name}" for {self.name}. Use {" or ".join(self.losses)}, or leave it out.'
            )

    def scores(self, model, images, targets, preprocess=None):
        """The results on `images` as they are: a dict of numbers, `score` among them."""
        raise NotImplementedError

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """The score on images turned counter-clockwise by each angle: `{degrees: score}`.

        Args:
            scores: What `scores` returned for the test set.
        """
        raise NotImplementedError

    def scores_turned(self, model, images, targets, preprocess=None):
        """Further results, on volumes turned in space: a dict of numbers, empty for images."""
        return {}

    def summary(self, scores, by_angle):
        """The results as plain numbers with telling names, for summary.json."""
        raise NotImplementedError

    def text(self, summary):
        """One line on a `summary`."""
        raise NotImplementedError

    def angle_table(self, summary):
        """The results by angle of a `summary`, one angle a line, with a bar of one mark for every 2 %."""
        raise NotImplementedError


def predict(model, images, preprocess=None, batch_size=None):
    """The outputs of `model` for raw images, as float32; batches have one shape and a bounded number of pixels."""
    images = (preprocess or Preprocess())(images)
    batches = evaluation_pipeline(images, batch_size=batch_size or batch_of(images), fixed=True)
    return np.asarray(model.predict(batches, verbose=0)[: len(images)], "float32")


def batch_of(images):
    """How many images of this size go in one batch of a prediction: 250 of MNIST's, fewer of larger ones."""
    return max(1, min(250, PIXELS // math.prod(images.shape[1:-1])))


def bars(percents):
    """A line for each angle of `{degrees as text: percent}`."""
    return "\n".join(f"{angle:>6}°  {value:6.2f} %  {'#' * round(value / 2)}" for angle, value in percents.items())
