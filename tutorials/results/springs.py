"""What learned energies keep of the motion of particles on springs, into springs.yaml and springs.png.

    python tutorials/results/springs.py

Six particles, each joined to each; 1,000 motions to train on, states 0.02 apart, 150 epochs of one step of RK4 each in
batches of 50 (Adam, 0.003 falling as a cosine). On 200 other motions: the error of a step, that of roll-outs, and the
largest change of the momentum along them relative to the sum of |p|.
"""

import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import matplotlib  # noqa: E402
import numpy as np  # noqa: E402

import keras_equivariant as ke  # noqa: E402
from keras_equivariant.results import record_timing  # noqa: E402
from keras_equivariant.training.run_folder import versions  # noqa: E402

FILE = pathlib.Path(__file__).with_suffix(".yaml")
COMMAND = f"python tutorials/results/{pathlib.Path(__file__).name}"
VERSIONS = {key: value for key, value in versions().items() if key != "machine"}
NETWORKS = {
    "hlieconv_springs": (ke.dynamics.HamiltonianNetwork, {"width": 48, "layers": 3}, "energy of LieConv on T2"),
    "hfc_springs": (ke.dynamics.HamiltonianNetwork, {}, "energy without symmetry"),
    "fc_springs": (ke.dynamics.DynamicsNetwork, {}, "derivative outright"),
}
DT, EPOCHS, BATCH = 0.02, 150, 50


def trained(name):
    """A network, trained on motions that are drawn with a fixed seed."""
    kind, parameters, _ = NETWORKS[name]
    keras.utils.set_random_seed(0)
    motion = ke.dynamics.springs(1000, dt=DT, seed=0)
    model = kind(ke.build_from_spec(name, **parameters), steps=1, dt=DT)
    rate = keras.optimizers.schedules.CosineDecay(0.003, EPOCHS * len(motion.states) // BATCH)
    model.compile(keras.optimizers.Adam(rate), "mse")
    for epoch in range(EPOCHS):
        inputs, targets = motion.chunks(1, seed=epoch)
        model.fit(list(inputs), targets, batch_size=BATCH, verbose=0)
    return model


def measured(model, motion):
    """`(numbers, RMS error at each time, change of the momentum at each time at worst)`."""
    inputs, targets = motion.chunks(1, seed=0)
    found = model.rollout(motion.states[:, 0], motion.parameters, len(motion.times) - 1)
    error = np.sqrt(np.square(found - motion.states, dtype="float64").mean(axis=(0, 2, 3, 4)))
    scale = np.linalg.norm(np.asarray(found[:, 0, 1], "float64"), axis=-1).sum(axis=-1)
    momentum = ke.dynamics.linear_momentum(found)
    change = np.linalg.norm(momentum - momentum[:, :1], axis=-1) / scale[:, None]
    numbers = {
        "step_mse": float(np.square(model.predict(list(inputs), verbose=0) - targets).mean()),
        "rms_1s": float(error[round(1 / DT)]),
        "rms_5s": float(error[-1]),
        "drift": float(ke.dynamics.drift(momentum, scale).max()),
    }
    return numbers, error, change.max(axis=0)


def main():
    matplotlib.use("Agg")
    from matplotlib import pyplot

    motion = ke.dynamics.springs(200, dt=DT, seed=1)
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for name, (_, _, label) in NETWORKS.items():
        numbers, error, change = measured(trained(name), motion)
        print(name, numbers, flush=True)
        numbers = {key: float(f"{value:.3g}") for key, value in numbers.items()}
        on = {"label": f"`{name}`: {label}", "data": "ke.dynamics.springs, 1,000 and 200 motions", "seeds": [0]}
        record_timing(FILE, name, numbers, COMMAND, VERSIONS, **on)
        for panel, values in zip(panels, (error, change), strict=True):
            panel.semilogy(motion.times[1:], np.maximum(values[1:], 1e-8), label=name)
    for panel, title in zip(panels, ("RMS error of the roll-outs", "change of the momentum, at worst"), strict=True):
        panel.set(xlabel="seconds", title=title)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.3)
    panels[0].legend(frameon=False)
    figure.savefig(FILE.with_suffix(".png"), dpi=120)


if __name__ == "__main__":
    main()
