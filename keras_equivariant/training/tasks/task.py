"""What the tasks have in common: how a network for one kind of answer is compiled, judged and reported."""

import keras
import numpy as np

from keras_equivariant.data import Rows
from keras_equivariant.training.prediction import predict


def without_xla():
    """`jit_compile` for a model that XLA takes minutes to compile: off on TensorFlow, which has graphs without it.

    On JAX there is nothing between compiling a step and running it operation by operation, which takes longer.
    """
    return False if keras.backend.backend() == "tensorflow" else "auto"


class Task:
    """How a network is trained and tested for one kind of answer.

    Attributes:
        name: As in `Dataset.task`.
        score: The one number that a network is judged by: its key in `scores`.
        score_text: The same, in words.
        losses: Names of the losses that a recipe may ask for, the default first.
        result: The score's part in the keys of a summary, as in `test_error_percent`, and what it is called in a table.
        suffix: The unit in the keys of a summary, `"_percent"`.
        unit: The unit in plots and tables, `"%"`.
        scale: What a score is multiplied by to have that unit.
        of_files: Whether its inputs may lie in files that nobody has labeled.
        specs: Tasks of specs, besides its own, whose outputs may be its answers.
        of_numbers: Whether its answers are numbers that stay as they are when the input moves, of which a spec for
            molecules may give any number.
        further: Keys of a summary that a table of runs shows, where they are there, with what they are called.
    """

    name: str | None = None
    score: str | None = None
    score_text: str | None = None
    losses: tuple[str, ...] = ()
    result: tuple[str | None, str | None] = (None, None)
    suffix, unit, scale = "_percent", "%", 100
    of_files = True
    specs: tuple[str, ...] = ()
    of_numbers = False
    further: dict[str, str] = {}

    def of(self, dataset):
        """The task as the data set has it: with the way in which its vectors rotate, say."""
        return self

    def compile(self, model, optimizer="adam", loss=None, targets=None):
        """Compile `model` with a loss by name, which may need the training `targets` as `learned` gives them, and with
        the task's metrics."""
        model.compile(optimizer=optimizer, loss=self.make_loss(loss or self.losses[0], targets), metrics=self.metrics())

    def parameters(self, dataset):
        """Parameters of a spec that follow from the data, as a dict: `{"classes": 10}`."""
        return {}

    def scaled(self, model, dataset):
        """The model with its answer in the units of the targets, before it is trained; by default as it is."""
        return model

    def learned(self, model, inputs, targets):
        """What `fit` compares with the answers of what it sees: by default the targets as they are."""
        return targets

    def trained(self, model, dataset):
        """What `fit` sees, made of the model: with forces, or as the motion of particles; by default itself."""
        return model

    def learning(self, targets):
        """The task where targets of these names are learned."""
        return self

    def served(self, model):
        """What is exported of the trained model: all that was learned; by default itself."""
        return model

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
        """The score on images rotated counter-clockwise by each angle: `{degrees: score}`.

        Args:
            scores: What `scores` returned for the test set.
        """
        raise NotImplementedError

    def scores_rotated(self, model, images, targets, preprocess=None):
        """Further results, on volumes rotated in space: a dict of numbers, empty for images."""
        return {}

    def against_references(self, model, dataset, preprocess=None, scores=None):
        """What the `references` of the data set say of the answers, as numbers for a summary; empty without any.

        Args:
            scores: What `scores` returned for the test set.
        """
        return {}

    def chance(self, targets):
        """The score of the best answer that is the same for all inputs; None where it says nothing."""
        return None

    def certified(self, model, inputs):
        """A few inputs as the model itself takes them, to certify it on; None where no group moves them."""
        return list(inputs.arrays.values()) if isinstance(inputs, Rows) else inputs

    def outputs(self, model, inputs, preprocess=None):
        """What `answers` reads, of inputs as the data has them; by default the outputs of the model."""
        return predict(model, inputs, preprocess)

    def answers(self, outputs, trained):
        """What outputs `(B, n)` say of each input, as columns of a table: `{name: B values}`.

        Args:
            trained: the `Trained` that has the names.
        """
        names = trained.targets if len(trained.targets) == outputs.shape[-1] else ()
        names = names or [f"output {i + 1}" for i in range(outputs.shape[-1])]
        return {str(name): outputs[:, i].tolist() for i, name in enumerate(names)}

    def map_of(self, outputs, trained):
        """What is kept of outputs `(*space, n)` at every pixel of one input, and numbers on it as a dict."""
        return outputs, {"mean": float(outputs.mean()), "largest": float(outputs.max())}

    def summary(self, scores, by_angle):
        """The results as plain numbers with telling names, for summary.json."""
        raise NotImplementedError

    def text(self, summary):
        """One line on a `summary`."""
        raise NotImplementedError

    def data_pictures(self, dataset, seed=0):
        """What report.html shows of the data, as a list of `Picture`: their balance, some examples."""
        return []

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        """What report.html shows of the answers to `inputs`, as a list of `Picture`, the worst mistakes too."""
        return []

    def summary_keys(self):
        """The keys of a summary that hold the score, its mean over all angles, and the worst of these."""
        name, unit = self.result[0], self.suffix
        return f"test_{name}{unit}", f"mean_{name}_over_angles{unit}", f"worst_{name}_over_angles{unit}"

    def by_angle_key(self):
        """The key of a summary that holds the score at each angle."""
        return f"{self.result[0]}{self.suffix}_by_angle"

    def angle_table(self, summary):
        """The results by angle of a `summary`, one angle a line, with a bar."""
        return bars(summary[self.by_angle_key()], self.unit)


class Measured(Task):
    """A task whose score is an error in the units of the targets, the smaller the better."""

    suffix, unit, scale = "", "", 1

    def summary_keys(self):
        name = f"{self.result[0]}{self.suffix}"
        return f"test_{name}", f"mean_{name}_over_angles", f"worst_{name}_over_angles"

    def summary(self, scores, by_angle):
        """The errors on the inputs as they are, and on inputs rotated to each angle."""
        key, suffix, (_, mean, worst) = self.result[0], self.suffix, self.summary_keys()
        found = {f"test_{name}{suffix}" if name == key else f"test_{name}": _short(v) for name, v in scores.items()}
        if not by_angle:
            return found
        values = {f"{angle:g}": _short(value) for angle, value in by_angle.items()}
        return {
            **found,
            mean: _short(np.mean(list(by_angle.values()))),
            worst: max(values.values()),
            self.by_angle_key(): values,
        }

    def text(self, summary):
        key, suffix, unit = self.result[0], self.suffix, self.unit if self.unit == "°" else f" {self.unit}".rstrip()
        text = f"Test {self.score_text} {summary[f'test_{key}{suffix}']:.4g}{unit}"
        by_angle = summary.get(self.by_angle_key())
        if by_angle:
            worst = max(by_angle, key=by_angle.get)
            text += (
                f"; rotated to {len(by_angle)} angles {summary[f'mean_{key}{suffix}_over_angles']:.4g}{unit} on "
                "average, "
                f"{by_angle[worst]:.4g}{unit} at worst ({worst}°)"
            )
        others = [
            name for name in summary if name.startswith("test_") and name not in (f"test_{key}{suffix}", "test_images")
        ]
        return (
            text
            + ".".join(["", *(f" {n.removeprefix('test_').replace('_', ' ')} {summary[n]:.4g}" for n in others)])
            + "."
        )


def _short(value):
    return float(f"{float(value):.6g}")


def bars(values, unit="%"):
    """A line for each angle of `{degrees as text: value}`, with a bar of 50 marks for the most, or for 100 %."""
    most = 100 if unit == "%" else max(values.values(), default=1) or 1
    digits = "6.2f" if unit in ("%", "°") else "9.4g"  # of units that may be any
    return "\n".join(
        f"{angle:>6}°  {value:{digits}} {unit}  {'#' * round(50 * value / most)}".rstrip()
        for angle, value in values.items()
    )
