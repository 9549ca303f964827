"""What a motion conserves, as arrays over its states `(..., 2, N, d)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


def linear_momentum(states: ArrayLike) -> np.ndarray:
    """The total momentum `(..., d)`."""
    return np.asarray(states, np.float64)[..., 1, :, :].sum(axis=-2)


def angular_momentum(states: ArrayLike) -> np.ndarray:
    """The total angular momentum about the origin: `(..., 1)` in the plane, `(..., 3)` in space."""
    states = np.asarray(states, np.float64)
    q, p = states[..., 0, :, :], states[..., 1, :, :]
    if q.shape[-1] == 2:
        return (q[..., 0] * p[..., 1] - q[..., 1] * p[..., 0]).sum(axis=-1, keepdims=True)
    if q.shape[-1] == 3:
        return np.cross(q, p).sum(axis=-2)
    raise ValueError(f"Angular momentum needs 2 or 3 dimensions. Received: states of shape {states.shape}")


def energy(states: ArrayLike, masses: ArrayLike, potential: Callable[[np.ndarray], Any]) -> np.ndarray:
    """Kinetic and potential energy together, `(...)`.

    Args:
        states: `(..., 2, N, d)`.
        masses: `(..., N)`, which broadcasts.
        potential: function of positions `(..., N, d)` that gives `(...)`.
    """
    states = np.asarray(states, np.float64)
    kinetic = (states[..., 1, :, :] ** 2).sum(axis=-1) / (2 * np.asarray(masses, np.float64))
    return kinetic.sum(axis=-1) + potential(states[..., 0, :, :])


def drift(values: ArrayLike, scale: ArrayLike) -> np.ndarray:
    """The largest change of a conserved quantity along a trajectory, relative to a scale.

    Args:
        values: `(..., T, k)` or `(..., T)` with k components if `scale` has one axis less.
        scale: `(...)`, the size that the change is compared with, such as the sum of |p|.
    """
    values, scale = np.asarray(values, np.float64), np.asarray(scale, np.float64)
    values = values[..., None] if values.ndim == scale.ndim + 1 else values
    change = np.linalg.norm(values - values[..., :1, :], axis=-1).max(axis=-1)
    return change / scale
