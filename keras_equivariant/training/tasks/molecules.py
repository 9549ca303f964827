"""Molecules: energies, forces as their gradients, dipoles; mean absolute errors in the units of the data."""

import logging

import keras
import numpy as np

from keras_equivariant.data import Rows
from keras_equivariant.data.point_augment import MOVING
from keras_equivariant.data.stored import joined
from keras_equivariant.dynamics import EnergyAndForces
from keras_equivariant.layers import LiePooling
from keras_equivariant.training.losses import ScaledError
from keras_equivariant.training.prediction import predict
from keras_equivariant.training.reach import check_reach
from keras_equivariant.training.report.answers import parity
from keras_equivariant.training.report.figures import Picture, histograms
from keras_equivariant.training.tasks.points import drawn_points, rotated_about_last_axis
from keras_equivariant.training.tasks.regression import rescaled, spread
from keras_equivariant.training.tasks.task import Measured, without_xla
from keras_equivariant.utils.periodic import space_of

FORCE_WEIGHT = 10.0  # of a molecule there is one energy and three forces an atom, which say more
SAMPLES = 12  # molecules drawn in the report
COMPOSITION, ENERGY = "composition", "energy"  # layers behind a network of energies
ROUNDING = 1e-12  # of the largest energy: what a linear fit leaves over where it is exact
COARSE = 0.01  # steps of an energy, in deviations of what there is to learn

log = logging.getLogger("keras_equivariant.training")


class Molecules(Measured):
    """A network of (positions, values, mask) that answers with an energy `(B, 1)` or a dipole `(B, 3)`.

    The energy is the network's, times the deviation of the training energies, plus what a linear fit says of the
    composition. Forces are the exact negative gradient of the energy. What a molecule has by its composition is often
    larger than what there is to learn by more digits than float32 has: it is taken from the targets in float64, where
    the network is trained and judged.
    """

    name = "molecules"
    score, score_text = "mae", "mean absolute error"
    losses = ("squared_error", "absolute_error")
    result = ("mae", "mean absolute error")

    def __init__(self, targets=("energy",)):
        self.targets = targets

    def of(self, dataset):
        return self.learning(dataset.y_train.arrays)

    def learning(self, targets):
        return Molecules(tuple(targets))

    def parameters(self, dataset):
        # What a batch has to do with a molecule's energy would be part of its forces, which have a kink where one of
        # the nearest atoms changes.
        return {"batch_normalization": False, "neighborhood": "cutoff"} if "forces" in self.targets else {}

    def scaled(self, model, dataset):
        if "energy" not in self.targets:
            return model
        energies = np.asarray(dataset.y_train.arrays["energy"], "float64")
        weights, rest = composition_fit(dataset.x_train, energies)
        rounded = weights.astype("float32")
        # What the rounded fit leaves over is the same for like molecules, and may be many deviations of the rest.
        offset = of_composition(dataset.x_train, weights - rounded).mean()
        own = rescaled(model, _spread(rest, energies), offset)
        positions, values, mask = model.inputs
        linear = keras.layers.Dense(1, use_bias=False, name=COMPOSITION, trainable=False, dtype="float32")
        atoms = LiePooling("sum", name="atoms", dtype="float32")([positions, linear(values), mask])
        made = keras.Model(model.inputs, keras.layers.Add(name=ENERGY)([own.output, atoms]), name=model.name)
        linear.set_weights([rounded])
        _warn_of_rounding(energies, rest, dataset.name)
        return made

    def learned(self, model, inputs, targets):
        if "energy" not in self.targets:
            return targets
        totals = np.asarray(targets.arrays["energy"], "float64")
        energies = totals - of_composition(inputs, parts_of_energy(model)[1])
        energies[np.abs(energies) <= ROUNDING * np.abs(totals).max()] = 0
        return Rows(**{**targets.arrays, "energy": energies.astype("float32")})

    def trained(self, model, dataset):
        model = parts_of_energy(model)[0]
        return EnergyAndForces(model) if "forces" in self.targets else model

    def served(self, model):
        return EnergyAndForces(model, name=model.name) if "forces" in self.targets else model

    def compile(self, model, optimizer="adam", loss=None, targets=None):
        if "forces" not in self.targets:
            super().compile(model, optimizer, loss, targets)
            return
        power = 1 if loss == "absolute_error" else 2
        scales = {name: self._scale(name, array) for name, array in targets.arrays.items()}
        model.compile(
            optimizer=optimizer,
            loss={name: ScaledError(scale, power) for name, scale in scales.items()},
            loss_weights={"energy": 1.0, "forces": FORCE_WEIGHT},
            metrics={name: [keras.metrics.MeanAbsoluteError(name="mae")] for name in scales},
            jit_compile=without_xla(),
        )

    def make_loss(self, name, targets):
        scale = 1.0 if targets is None else self._scale(self.targets[0], targets.arrays[self.targets[0]])
        return ScaledError(scale, power=1 if name == "absolute_error" else 2)

    @staticmethod
    def _scale(name, array):
        rotates = name in MOVING
        return float(np.sqrt(np.mean(np.square(array, dtype="float64")))) if rotates else _spread(array, array).tolist()

    def metrics(self):
        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def check(self, network, dataset):
        super().check(network, dataset)
        parts = [rows for rows in (dataset.x_train, dataset.x_val, dataset.x_test) if rows is not None]
        check_reach(network.model, joined([Rows(positions=rows.arrays["positions"]) for rows in parts]), dataset.name)
        outputs = tuple(network.model.output_shape[1:])
        first = dataset.y_train.arrays[self.targets[0]]
        if outputs != first.shape[1:]:
            spec = "tfn_dipole" if "dipole" in self.targets else "tfn_molecules"
            other = ", or data with a vector for each molecule, --target dipole" if outputs == (3,) else ""
            raise ValueError(
                f'A network for molecules must answer as the targets are. Received: network "{network.name}" with '
                f'output shape {outputs}, data "{dataset.name}" with {self.targets[0]} of shape {first.shape[1:]}. '
                f"Use a spec such as {spec}{other}."
            )

    def scores(self, model, images, targets, preprocess=None):
        check_reach(model, images, "to test on")
        found = self._answers(model, images)
        name = self.targets[0]
        scores = {"mae": _error(found[name], targets.arrays[name])}
        if "forces" in found:
            mask = images.arrays["mask"]
            scores["force_mae"] = float(np.abs(found["forces"] - targets.arrays["forces"])[mask].mean())
        return scores

    def outputs(self, model, inputs, preprocess=None):
        check_reach(model, inputs, "to predict")
        return self._answers(model, inputs)

    def named(self, outputs, trained):
        """The arrays of `outputs` by the names that the data gave them, one number a molecule as `(B,)`."""
        names = dict(zip(self.targets, trained.target_names, strict=False))
        return {names.get(kind, kind): v[:, 0] if v.shape[1:] == (1,) else v for kind, v in outputs.items()}

    def answers(self, outputs, trained):
        found = {}
        for name, values in self.named(outputs, trained).items():
            if values.ndim == 3:  # of each atom: a table has the length of the largest
                found[f"largest of {name}"] = np.linalg.norm(values, axis=-1).max(axis=1).tolist()
            elif values.ndim == 2:
                found |= {f"{name} {axis}": values[:, i].tolist() for i, axis in enumerate("xyz")}
            else:
                found[name] = values.tolist()
        return found

    def _answers(self, model, images):
        model, weights = parts_of_energy(model)
        if "forces" in self.targets:
            model = EnergyAndForces(model)
            model.compile(jit_compile=without_xla())
        found = predict(model, images)
        found = found if isinstance(found, dict) else {self.targets[0]: found}
        if "energy" in self.targets:
            found["energy"] = found["energy"] + of_composition(images, weights)
        return found

    def score_by_angle(self, model, images, targets, angles, preprocess=None, scores=None):
        """Rotated about the last axis, targets with them."""
        d, angles = space_of(images.arrays["positions"].shape[-1]), list(angles)
        moved = [[rotated_about_last_axis(rows, a, d) for rows in (images, targets)] for a in angles]
        x, y = (joined(rows) for rows in zip(*moved, strict=True))
        name = self.targets[0]
        off = np.abs(self._answers(model, x)[name].astype("float64") - y.arrays[name])
        means = off.reshape(len(angles), -1).mean(axis=1)
        return {float(angle): float(mean) for angle, mean in zip(angles, means, strict=True)}

    def chance(self, targets):
        y = targets.arrays[self.targets[0]]
        return _error(y, np.median(y, axis=0))

    def data_pictures(self, dataset, seed=0):
        atoms = dataset.x_train.arrays["mask"].sum(axis=1)
        columns = [dataset.y_train.arrays[self.targets[0]], atoms]
        rows, targets = dataset.sample("train", SAMPLES, seed)
        values = targets.arrays[self.targets[0]]
        captions = [", ".join(f"{v:.2g}" for v in np.ravel(value)[:3]) for value in values]
        return [
            Picture(
                "Balance of the targets",
                "How often each value is there in the training set, and how many atoms.",
                histograms(columns, [self.targets[0], "atoms of a molecule"]),
            ),
            Picture(
                "Samples",
                f"Training examples with their {self.targets[0]}; a color is a kind of atom.",
                drawn_points(rows, captions),
            ),
        ]

    def answer_pictures(self, model, inputs, targets, dataset, preprocess=None):
        found, mask = self._answers(model, inputs), inputs.arrays["mask"].astype(bool)
        pairs = {name: (targets.arrays[name], found[name]) for name in self.targets}
        if "forces" in pairs:
            pairs["forces"] = tuple(values[mask] for values in pairs["forces"])
        name = self.targets[0]
        off = np.abs(found[name].astype("float64") - targets.arrays[name]).reshape(len(mask), -1).mean(axis=1)
        worst = np.argsort(-off, kind="stable")[:SAMPLES]
        captions = [f"off by {off[i]:.3g}" for i in worst]
        return [
            Picture("Parity plot", "Answers against the truth; a perfect network is on the line.", parity(pairs)),
            Picture("Worst mistakes", f"The largest errors of the {name}.", drawn_points(inputs[worst], captions)),
        ]


def composition_fit(inputs, energies):
    """`(weights (C, n), rest)` of the linear fit of energies on the sums of the atoms' values, and what it leaves."""
    weights = np.linalg.lstsq(_sums(inputs), energies, rcond=1e-8)[0]
    return weights, energies - of_composition(inputs, weights)


def of_composition(inputs, weights):
    """What molecules have by their composition `(B, n)`, in float64; 0 without weights."""
    return 0.0 if weights is None else _sums(inputs) @ np.asarray(weights, "float64")


def _sums(inputs):
    """The sums `(B, C)` of the values of the atoms."""
    there = inputs.arrays["mask"].astype(bool)[..., None]
    return np.where(there, inputs.arrays["values"], 0).sum(axis=1, dtype="float64")


def parts_of_energy(model):
    """`(the model without the composition, weights of the composition)` of an energy from `Molecules.scaled`; `(model,
    None)` of any other."""
    layers = {layer.name: layer for layer in getattr(model, "layers", ())}
    if not {COMPOSITION, ENERGY} <= set(layers):
        return model, None
    own, _ = layers[ENERGY].input
    return keras.Model(model.inputs, own, name=model.name), layers[COMPOSITION].get_weights()[0]


def _spread(rest, energies):
    """`spread` of what a linear fit of energies leaves over, in any units: 1 where that is their rounding."""
    return spread(rest, ROUNDING * np.abs(energies).max())


def _warn_of_rounding(energies, rest, name):
    """A warning where float32 has too few digits for what a network answers."""
    largest, differ = np.abs(energies).max(), float(np.min(_spread(rest, energies)))
    step = float(np.spacing(np.float32(largest)))
    if step > COARSE * differ:
        log.warning(
            "Energies of %s of up to %.6g differ by %.3g where the composition is the same, and a network answers in "
            "steps of %.2g, those of float32. What it learns, its forces and its test results are finer. For finer "
            "answers take from the energies of the data what the atoms have alone.",
            name,
            largest,
            differ,
            step,
        )


def _error(found, wanted):
    return float(np.abs(np.asarray(found, "float64") - wanted).mean())
