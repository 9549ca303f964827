"""What the tasks, classes and masks, have in common: how a network for one of them is compiled and judged."""


class Task:
    """How a network is trained and tested for one kind of answer.

    Attributes:
        name: As in `Dataset.task`.
        score: The one number that a network is judged by, from 0 to 1, the larger the better: its key in `scores`.
        score_text: The same, in words.
        losses: Names of the losses that a recipe may ask for, the default first.
        result: The score's part in the keys of a summary, as in `test_error_percent`, and what it is called in a table.
    """

    name: str | None = None
    score: str | None = None
    score_text: str | None = None
    losses: tuple[str, ...] = ()
    result: tuple[str | None, str | None] = (None, None)

    def compile(self, model, optimizer="adam", loss=None, targets=None):
        """Compile `model` with a loss by name, which may need the training `targets`, and with the task's metrics."""
        model.compile(optimizer=optimizer, loss=self.make_loss(loss or self.losses[0], targets), metrics=self.metrics())

    def parameters(self, dataset):
        """Parameters of a spec that follow from the data, as a dict: `{"classes": 10}`."""
        return {}

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


def bars(percents):
    """A line for each angle of `{degrees as text: percent}`."""
    return "\n".join(f"{angle:>6}°  {value:6.2f} %  {'#' * round(value / 2)}" for angle, value in percents.items())
