"""Motions of particles: the states after a state, the error of a roll-out, and how far the energy drifts."""

import keras
import numpy as np

from keras_equivariant.data.stored import joined
from keras_equivariant.dynamics import DynamicsNetwork, HamiltonianNetwork
from keras_equivariant.training.losses import ScaledError
from keras_equivariant.training.report.answers import by_step
from keras_equivariant.training.report.figures import Picture
from keras_equivariant.training.report.points import paths
from keras_equivariant.training.tasks.points import rotated_about_last_axis
from keras_equivariant.training.tasks.task import Measured, without_xla

SAMPLES = 8  # motions drawn in the report


class Trajectories(Measured):
    """A network that is a potential energy, or a time derivative, of (state, parameters) with states as targets.

    A potential moves the particles by Hamilton's equations, a derivative outright; errors are those of a roll-out over
    as many steps as the targets have, relative to the size of the states: sum |z - z'|^2 / sum |z|^2, its root. Where
    the targets are positions alone, the error is the mean of their squared differences.
    """

    name = "trajectories"
    score, score_text = "rollout_error", "relative error of the roll-out"
    losses = ("squared_error", "absolute_error")
    of_files = False  # a motion begins with a state, not with a file
    result = ("rollout_error", "relative error of the roll-out")

    def __init__(self, dt=0.05, steps=4, target="states", substeps=1, test_substeps=None, integrator="rk4"):
        self.dt, self.steps, self.target = dt, steps, target
        self.substeps, self.test_substeps, self.integrator = substeps, test_substeps or substeps, integrator
        if target == "positions":
            self.score, self.score_text = "position_mse", "mean squared error of the positions"
            self.result = (self.score, self.score_text)

    def of(self, dataset):
        ((target, values),) = dataset.y_train.arrays.items()
        options = {"dt": 0.05, **dataset.options}
        return Trajectories(float(options.pop("dt")), values.shape[1], target, **options)

    def motion(self, model, steps, substeps):
        """The motion whose potential, or derivative, is the model."""
        kind = HamiltonianNetwork if model.output_shape[-1] == 1 else DynamicsNetwork
        integrator = self.integrator if self.integrator in kind.integrators else kind.integrators[0]
        return kind(model, steps=steps, dt=self.dt, substeps=substeps, integrator=integrator)

    def trained(self, model, dataset):
        return self.motion(model, self.steps, self.substeps)

    def compile(self, model, optimizer="adam", loss=None, targets=None):
        model.compile(
            optimizer=optimizer,
            loss=self.make_loss(loss, targets),
            metrics=self.metrics(),
            jit_compile=without_xla(),  # the network is there four times a step, with its derivatives
        )

    def make_loss(self, name, targets):
        states = 1.0 if targets is None else targets.arrays[self.target]
        scale = float(np.sqrt(np.mean(np.square(states, dtype="float64"))))
        kind = ScaledError if self.target == "states" else PositionError
        return kind(scale, power=1 if name == "absolute_error" else 2)

    def metrics(self):
        if self.target == "positions":
            return []
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def check(self, network, dataset):
        super().check(network, dataset)
        n, d = dataset.x_train.arrays["state"].shape[-2:]
        size = network.model.output_shape[-1]
        if size not in (1, 2 * n * d):
            raise ValueError(
                "A network of a motion answers with a potential energy (1) or the state's derivative. Received: "
                "network "
                f'"{network.name}" with {size} outputs, data "{dataset.name}" with {n} particles in {d} dimensions. '
                "Use a spec such as hlieconv_springs."
            )

    def scores(self, model, images, targets, preprocess=None):
        wanted = targets.arrays[self.target]
        errors = self._errors(self._rollout(model, images, wanted.shape[1]), wanted)
        found = {self.score: float(np.mean(errors))}
        return found if self.target == "states" else {**found, "median_position_mse": float(np.median(errors))}

    def _rollout(self, model, rows, steps):
        """What comes after the first states, as the targets are: `(B, steps, 2, n, d)`, or `(B, steps, n, d)`."""
        motion = self.motion(model, 1, self.test_substeps)
        motion.compile(jit_compile=without_xla())
        found = np.asarray(motion.rollout(*rows.arrays.values(), steps))[:, 1:]
        return found if self.target == "states" else found[:, :, 0]

    def _errors(self, found, wanted):
        """Of each motion the size of the difference, relative to that of the states; of positions its mean square."""
        axes = tuple(range(1, wanted.ndim))
        if self.target == "positions":
            return np.mean((found - wanted) ** 2, axis=axes)
        return np.sqrt(np.sum((found - wanted) ** 2, axis=axes) / np.sum(wanted**2, axis=axes))

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """Rotated about the last axis, all angles in one roll-out."""
        d, angles = images.arrays["state"].shape[-1], list(angles)
        if d < 2:
            return {}
        moved = [[rotated_about_last_axis(rows, a, d) for rows in (images, targets)] for a in angles]
        wanted = np.concatenate([y.arrays[self.target] for _, y in moved])
        inputs = joined([x for x, _ in moved])
        errors = self._errors(self._rollout(model, inputs, wanted.shape[1]), wanted).reshape(len(angles), -1)
        return {float(angle): float(error) for angle, error in zip(angles, errors.mean(axis=1), strict=True)}

    def certified(self, model, inputs):
        if len(model.inputs) != 3:
            return None
        q, parameters = inputs.arrays["state"][:, 0], inputs.arrays["parameters"]
        return [q, parameters, np.ones(q.shape[:2], bool)]

    def data_pictures(self, dataset, seed=0):
        inputs, targets = dataset.sample("train", SAMPLES, seed)
        positions = self._paths(inputs, targets.arrays[self.target])
        text = "Training examples: the paths of the particles, of one dimension against the time."
        return [Picture("Samples", text, paths(positions, None, [""] * len(positions)))]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        wanted = targets.arrays[self.target]
        found = self._rollout(model, inputs, wanted.shape[1])
        errors, axes = self._errors(found, wanted), tuple(range(2, wanted.ndim))
        off, whole = (np.sum(np.square(x, dtype="float64"), axis=axes) for x in (found - wanted, wanted))
        steps = np.sqrt(off / np.where(whole > 0, whole, 1.0))
        worst = np.argsort(-errors, kind="stable")[:SAMPLES]
        captions = [f"error {errors[i]:.3g}" for i in worst]
        drawn = paths(*(self._paths(inputs[worst], states[worst]) for states in (wanted, found)), captions)
        return [
            Picture(
                "Roll-out", "The relative error at each step: mean, and nine in ten.", by_step(steps, "relative error")
            ),
            Picture("Worst mistakes", "The truth in gray, the roll-out in red.", drawn),
        ]

    def _paths(self, inputs, found):
        """Positions at each step, the first ones before those of which no more is known."""
        if self.target == "states":
            return found[:, :, 0]
        return np.concatenate([inputs.arrays["state"][:, :1], found], axis=1)


@keras.saving.register_keras_serializable("keras_equivariant")
class PositionError(ScaledError):
    """`ScaledError` of the positions in states `(B, T, 2, N, d)`, against positions `(B, T, N, d)`."""

    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred[:, :, 0])
