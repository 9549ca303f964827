"""Springs, pendulums and charged particles: random systems and their motions."""

from __future__ import annotations

import dataclasses

import numpy as np

from keras_equivariant.utils.optional import require


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Motions of random systems.

    Attributes:
        states: `(systems, T, 2, N, d)` float32.
        parameters: `(systems, N, P)` float32, the masses first.
        times: `(T,)`.
        potential: function of positions `(systems, ..., N, d)` and `parameters` that gives the potential energy.
    """

    states: np.ndarray
    parameters: np.ndarray
    times: np.ndarray
    potential: object

    def chunks(self, steps, seed=0):
        """Pairs of a state and the `steps` states after it, one random place of each trajectory.

        Returns:
            `((states (systems, 2, N, d), parameters), targets (systems, steps, 2, N, d))`.
        """
        if not 1 <= steps < len(self.times):
            raise ValueError(f"`steps` must be from 1 to {len(self.times) - 1}. Received: steps={steps}")
        start = np.random.default_rng(seed).integers(0, len(self.times) - steps, len(self.states))
        rows = start[:, None] + np.arange(steps + 1)
        found = self.states[np.arange(len(self.states))[:, None], rows]
        return (found[:, 0], self.parameters), found[:, 1:]


def springs(
    systems: int, particles: int = 6, dimension: int = 2, duration: float = 5.0, dt: float = 0.05, seed: int = 0
) -> Trajectories:
    """Particles on springs, each with each: masses U(.1, 3.1), stiffnesses k_i k_j with k ~ U(0, 5).

    V(q) = sum over pairs of k_i k_j |q_i - q_j|^2,  q ~ N(0, .4^2), p ~ N(0, .6^2) with its mean over the particles
    removed. The motion is linear and computed exactly, by normal modes.

    Args:
        systems, particles, dimension: how many, of how many, where.
        duration, dt: length of the motion and time between its states.
        seed: of everything random.

    Example:
        >>> from keras_equivariant import dynamics
        >>> dynamics.springs(2, duration=1.0).states.shape
        (2, 21, 2, 6, 2)

    Reference: Finzi et al., arXiv 2002.12880, section 6.3; there the mean of p is taken over the systems.
    """
    rng = np.random.default_rng(seed)
    mass = rng.uniform(0.1, 3.1, (systems, particles))
    k = rng.uniform(0, 5, (systems, particles))
    q = rng.normal(0, 0.4, (systems, particles, dimension))
    p = rng.normal(0, 0.6, (systems, particles, dimension))
    p -= p.mean(axis=1, keepdims=True)
    root = np.sqrt(mass)[:, :, None]
    hessian = 2 * _laplacian(k)
    squares, modes = np.linalg.eigh(hessian / root / np.swapaxes(root, 1, 2))
    omega = np.sqrt(np.maximum(squares, 0))[:, :, None]
    a, b = np.swapaxes(modes, 1, 2) @ (root * q), np.swapaxes(modes, 1, 2) @ (p / root)
    times = np.arange(round(duration / dt) + 1) * dt
    states = np.empty((systems, len(times), 2, particles, dimension), np.float32)
    moves = omega > 1e-6
    for i, t in enumerate(times):
        sine = np.where(moves, np.sin(omega * t) / np.where(moves, omega, 1), t)
        states[:, i, 0] = modes @ (np.cos(omega * t) * a + sine * b) / root
        states[:, i, 1] = modes @ (np.cos(omega * t) * b - omega**2 * sine * a) * root
    parameters = np.stack([mass, k], axis=-1).astype(np.float32)
    return Trajectories(states, parameters, times, spring_energy)


def spring_energy(q, parameters):
    """The potential energy of `springs`, for positions `(systems, ..., N, d)`."""
    laplacian = _laplacian(np.asarray(parameters, np.float64)[..., 1])
    laplacian = laplacian.reshape(len(laplacian), *(1,) * (q.ndim - 3), *laplacian.shape[1:])
    return (q * (laplacian @ q)).sum(axis=(-1, -2))


def charged(
    systems: int,
    particles: int = 5,
    dimension: int = 3,
    duration: float = 5.0,
    dt: float = 0.1,
    step: float = 1e-3,
    largest: float = 100.0,
    seed: int = 0,
) -> Trajectories:
    """Particles of charge 1 or -1 and mass 1, which attract and repel each other.

    V(q) = sum over pairs of c_i c_j / |q_i - q_j|,  q ~ N(0, 1), |v| = 0.5 in random directions

    The motion is that of the published simulation: Euler's semi-implicit method, in which each component of a force
    ends at `largest`. Pairs that fall into each other meet with that bound, so that energy is not conserved there.

    Args:
        systems, particles, dimension: how many, of how many, where.
        duration, dt: length of the motion and time between its states.
        step: of the simulation.
        largest: component of a force.
        seed: of everything random.

    Example:
        >>> from keras_equivariant import dynamics
        >>> dynamics.charged(2, duration=0.3).states.shape
        (2, 4, 2, 5, 3)

    Reference: Kipf et al., arXiv 1802.04687, section 5.1; in space by Fuchs et al., arXiv 2006.10503; five particles
    without a box as in Satorras et al., arXiv 2102.09844, section 5.1.
    """
    rng = np.random.default_rng(seed)
    charge = rng.choice([-1.0, 1.0], (systems, particles))
    q = rng.normal(size=(systems, particles, dimension))
    v = rng.normal(size=q.shape)
    v *= 0.5 / np.linalg.norm(v, axis=-1, keepdims=True)
    i, j = np.triu_indices(particles, 1)
    pairs, signs = (charge[:, i] * charge[:, j]).T, np.zeros((particles, len(i)))
    signs[i, np.arange(len(i))], signs[j, np.arange(len(i))] = 1, -1

    def force(q):  # particles first and systems last, so that each pair is one row
        d = q[i] - q[j]
        square = np.einsum("pds,pds->ps", d, d)
        d *= (pairs / (square * np.sqrt(square)))[:, None]
        return np.clip((signs @ d.reshape(len(i), -1)).reshape(q.shape), -largest, largest)

    q, v = (np.ascontiguousarray(array.transpose(1, 2, 0)) for array in (q, v))
    times = np.arange(round(duration / dt) + 1) * dt
    states = np.empty((systems, len(times), 2, particles, dimension), np.float32)
    states[:, 0] = np.stack([q, v]).transpose(3, 0, 1, 2)
    for k in range(1, len(times)):
        for _ in range(round(dt / step)):
            v += step * force(q)
            q += step * v
        states[:, k] = np.stack([q, v]).transpose(3, 0, 1, 2)
    parameters = np.stack([np.ones_like(charge), charge], axis=-1).astype(np.float32)
    return Trajectories(states, parameters, times, charge_energy)


def charge_energy(q, parameters):
    """The potential energy of `charged`, for positions `(systems, ..., N, d)`."""
    charge = np.asarray(parameters, np.float64)[..., 1]
    charge = charge.reshape(len(charge), *(1,) * (q.ndim - 3), charge.shape[-1])
    i, j = np.triu_indices(charge.shape[-1], 1)
    return (charge[..., i] * charge[..., j] / np.linalg.norm(q[..., i, :] - q[..., j, :], axis=-1)).sum(axis=-1)


def pendulums(
    systems: int,
    particles: int = 3,
    coupling: float = 1.0,
    gravity: float = 1.0,
    duration: float = 5.0,
    dt: float = 0.05,
    seed: int = 0,
) -> Trajectories:
    """Pendulums of length 1 in a row, neighbors coupled by springs: positions are angles.

    V(q) = sum_i m_i g (1 - cos q_i) + coupling / 2 sum_i (q_{i+1} - q_i)^2, masses U(.5, 1.5), angles N(0, 1), momenta
    N(0, .5^2). Solved by DOP853 to 1e-9.

    Args:
        systems, particles: how many, of how many.
        coupling, gravity: see above.
        duration, dt: length of the motion and time between its states.
        seed: of everything random.

    Example:
        >>> from keras_equivariant import dynamics
        >>> dynamics.pendulums(2, duration=0.5).states.shape
        (2, 11, 2, 3, 1)
    """
    integrate = require("scipy.integrate", "The motion of pendulums").solve_ivp
    rng = np.random.default_rng(seed)
    mass = rng.uniform(0.5, 1.5, (systems, particles))
    start = np.stack([rng.normal(0, 1, mass.shape), rng.normal(0, 0.5, mass.shape)], axis=1)
    times = np.arange(round(duration / dt) + 1) * dt

    def energy(q, parameters):
        m = np.asarray(parameters, np.float64)[..., 0]
        m = m.reshape(len(m), *(1,) * (q.ndim - 3), m.shape[-1])
        bent = np.diff(q[..., 0], axis=-1)
        return (m * gravity * (1 - np.cos(q[..., 0]))).sum(axis=-1) + coupling / 2 * (bent**2).sum(axis=-1)

    states = []
    for m, first in zip(mass, start, strict=True):

        def derivative(_, z, m=m):
            q, p = z[:particles], z[particles:]
            bent = np.diff(q, prepend=q[0], append=q[-1])
            return np.concatenate([p / m, -m * gravity * np.sin(q) + coupling * np.diff(bent)])

        solved = integrate(derivative, (0, times[-1]), first.ravel(), "DOP853", times, rtol=1e-9, atol=1e-9)
        states.append(solved.y.T.reshape(-1, 2, particles, 1))
    return Trajectories(np.float32(states), np.float32(mass[..., None]), times, energy)


def _laplacian(k):
    pairs = k[..., :, None] * k[..., None, :]
    pairs = pairs * (1 - np.eye(k.shape[-1]))
    return np.einsum("...i,ij->...ij", pairs.sum(axis=-1), np.eye(k.shape[-1])) - pairs
