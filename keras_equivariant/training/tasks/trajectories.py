"""Motions of particles: the states after a state, the error of a roll-out, and how far the energy drifts."""

import keras
import numpy as np

from keras_equivariant.dynamics import DynamicsNetwork, HamiltonianNetwork
from keras_equivariant.training.losses import ScaledError
from keras_equivariant.training.report.answers import by_step
from keras_equivariant.training.report.figures import Picture
from keras_equivariant.training.report.points import paths
from keras_equivariant.training.tasks.molecules import rotated_rows
from keras_equivariant.training.tasks.task import Measured, without_xla
from keras_equivariant.training.tasks.vectors import about_last_axis

SAMPLES = 8  # motions drawn in the report


class Trajectories(Measured):
    """A network that is a potential energy, or a time derivative, of (state, parameters) with states as targets.

    A potential moves the particles by Hamilton's equations, a derivative outright; errors are those of a roll-out over
    as many steps as the targets have, relative to the size of the states: sum |z - z'|^2 / sum |z|^2, its root.
    """

    name = "trajectories"
    score, score_text = "rollout_error", "relative error of the roll-out"
    losses = ("squared_error", "absolute_error")
    result = ("rollout_error", "relative error of the roll-out")

    def __init__(self, dt=0.05, steps=4):
        self.dt, self.steps = dt, steps

    def of(self, dataset):
        return Trajectories(float(dataset.options.get("dt", 0.05)), dataset.y_train.arrays["states"].shape[1])

    def motion(self, model, steps=None):
        """The motion whose potential, or derivative, is the model."""
        kind = HamiltonianNetwork if model.output_shape[-1] == 1 else DynamicsNetwork
        return kind(model, steps=steps or self.steps, dt=self.dt)

    def trained(self, model, dataset):
        return self.motion(model)

    def compile(self, model, optimizer="adam", loss=None, targets=None):
        model.compile(
            optimizer=optimizer,
            loss=self.make_loss(loss, targets),
            metrics=self.metrics(),
            jit_compile=without_xla(),  # the network is there four times a step, with its derivatives
        )

    def make_loss(self, name, targets):
        scale = 1.0 if targets is None else float(np.sqrt(np.mean(np.square(targets.arrays["states"]))))
        return ScaledError(scale, power=1 if name == "absolute_error" else 2)

    def metrics(self):
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
        states = targets.arrays["states"]
        return {"rollout_error": float(np.mean(_errors(self._rollout(model, images, states.shape[1]), states)))}

    def _rollout(self, model, rows, steps):
        """The states after the first, `(B, steps, 2, n, d)`."""
        motion = self.motion(model, steps=1)
        motion.compile(jit_compile=without_xla())
        return np.asarray(motion.rollout(*rows.arrays.values(), steps))[:, 1:]

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """Rotated about the last axis, all angles in one roll-out."""
        d, angles = images.arrays["state"].shape[-1], list(angles)
        if d < 2:
            return {}
        moved = [(rotated_rows(images, m), rotated_rows(targets, m)) for m in (about_last_axis(a, d) for a in angles)]
        states = np.concatenate([y.arrays["states"] for _, y in moved])
        inputs = [np.concatenate([x.arrays[name] for x, _ in moved]) for name in ("state", "parameters")]
        motion = self.motion(model, steps=1)
        motion.compile(jit_compile=without_xla())
        errors = _errors(motion.rollout(*inputs, states.shape[1])[:, 1:], states).reshape(len(angles), -1)
        return {float(angle): float(error) for angle, error in zip(angles, errors.mean(axis=1), strict=True)}

    def certified(self, model, inputs):
        if len(model.inputs) != 3:
            return None
        q, parameters = inputs.arrays["state"][:, 0], inputs.arrays["parameters"]
        return [q, parameters, np.ones(q.shape[:2], bool)]

    def data_pictures(self, dataset, seed=0):
        _, targets = dataset.sample("train", SAMPLES, seed)
        positions = targets.arrays["states"][:, :, 0]
        text = "Training examples: the paths of the particles, of one dimension against the time."
        return [Picture("Samples", text, paths(positions, None, [""] * len(positions)))]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        states = targets.arrays["states"]
        found = self._rollout(model, inputs, states.shape[1])
        errors, axes = _errors(found, states), (2, 3, 4)
        steps = np.sqrt(np.sum((found - states) ** 2, axis=axes) / np.maximum(np.sum(states**2, axis=axes), 1e-12))
        worst = np.argsort(-errors, kind="stable")[:SAMPLES]
        captions = [f"error {errors[i]:.3g}" for i in worst]
        drawn = paths(states[worst][:, :, 0], found[worst][:, :, 0], captions)
        return [
            Picture(
                "Roll-out", "The relative error at each step: mean, and nine in ten.", by_step(steps, "relative error")
            ),
            Picture("Worst mistakes", "The truth in gray, the roll-out in red.", drawn),
        ]


def _errors(found, states):
    """Of each motion the size of the difference, relative to that of the states."""
    axes = (1, 2, 3, 4)
    return np.sqrt(np.sum((found - states) ** 2, axis=axes) / np.sum(states**2, axis=axes))
