"""Motions as data sets: the springs of LieConv's experiment, and pendulums."""

import numpy as np

from keras_equivariant.data import Dataset, Rows
from keras_equivariant.dynamics.systems import pendulums, springs


def load_springs(seed=0, systems=400, particles=6, duration=5.0, steps=3):
    """Particles on springs in the plane, of which a tenth of the systems is for testing; see `ke.dynamics.springs`.

    Args:
        seed: of the systems.
        systems, particles: how many, of how many.
        duration: of each motion, from which one stretch is taken.
        steps: states of that stretch, 0.05 apart, after the first; each is a step through the network when it is
        trained.
    """
    return as_dataset("springs", springs(systems, particles, duration=duration, seed=seed), steps, seed)


def load_pendulums(seed=0, systems=400, particles=3, duration=5.0, steps=3):
    """Coupled pendulums in a row; the rest as in `load_springs`, see `ke.dynamics.pendulums`."""
    return as_dataset("pendulums", pendulums(systems, particles, duration=duration, seed=seed), steps, seed)


def as_dataset(name, motion, steps=3, seed=0):
    """A `Dataset` of trajectories: a state and the states after it, the last tenth of the systems for testing."""
    (state, parameters), states = motion.chunks(steps, seed)
    held = max(1, round(0.1 * len(state)))
    x, y = Rows(state=state, parameters=parameters), Rows(states=states)
    return Dataset(
        name=name,
        description=f"{len(state):,} generated systems of {name} (seed {seed})",
        x_train=x[:-held],
        y_train=y[:-held],
        x_test=x[-held:],
        y_test=y[-held:],
        task="trajectories",
        options={"dt": float(np.round(motion.times[1] - motion.times[0], 9))},
        default_epochs=30,
        default_batch_size=50,
    )
