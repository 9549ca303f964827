"""Motions as data sets: the springs of LieConv's experiment, pendulums, and the charged particles of EGNN's."""

import numpy as np

from keras_equivariant.data import Dataset, Rows
from keras_equivariant.dynamics.systems import charged, pendulums, springs


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


def load_nbody(seed=0, systems=5000, particles=5, test=2000, start=3.1, duration=1.0, substeps=128, test_substeps=300):
    """Charged particles in space and where they are a time later, as in EGNN's experiment; see `ke.dynamics.charged`.

    Positions, velocities and charges at one time are given, positions alone are the target.

    Args:
        seed: of the systems.
        systems, particles: how many, of how many.
        test: how many of them, the last, are for testing.
        start: time of the simulation that the motions begin at, in tenths; frame 30 of the published one.
        duration: from there to the targets, in tenths.
        substeps: of leapfrog in that time, for a network that is a potential energy, while it is trained.
        test_substeps: the same while it is tested; the more, the better pairs are followed that nearly meet.
    """
    if not 0 < test < systems:
        raise ValueError(f"`test` must be from 1 to {systems - 1}. Received: test={test}. Leave systems to train on.")
    motion = charged(systems, particles, duration=start + duration, seed=seed)
    begin = round(start / (motion.times[1] - motion.times[0]))
    x = Rows(state=motion.states[:, begin], parameters=motion.parameters)
    y = Rows(positions=motion.states[:, -1:, 0])
    return Dataset(
        name="nbody",
        description=f"{systems:,} generated systems of {particles} charged particles (seed {seed})",
        x_train=x[:-test],
        y_train=y[:-test],
        x_test=x[-test:],
        y_test=y[-test:],
        task="trajectories",
        options={"dt": duration, "substeps": substeps, "test_substeps": test_substeps, "integrator": "leapfrog"},
        default_batch_size=50,
    )


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
