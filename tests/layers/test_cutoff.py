"""Neighborhoods that end smoothly: forces, second derivatives at the edge, and the energy of a motion."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_equivariant import layers
from keras_equivariant.dynamics.integrators import leapfrog
from keras_equivariant.ops.gradient import gradient

pytestmark = pytest.mark.tensorflow
X = np.random.default_rng(0).normal(size=(1, 6, 3))
KINDS = np.random.default_rng(1).normal(size=(1, 6, 2))


def network(count=6, group="T3", dtype="float64", **options):
    keras.utils.set_random_seed(0)
    x, f = keras.Input((count, 3), dtype=dtype), keras.Input((count, 2), dtype=dtype)
    mask = keras.Input((count,), dtype="bool")
    y = layers.LieLift(group, dtype=dtype)([x, f, mask])
    settings = {"neighbors": count, "kernel_units": (8,), "batch_normalization": False, "dtype": dtype, **options}
    for _ in range(2):
        y = layers.LieConv(5, group, **settings)(y)
    return keras.Model([x, f, mask], layers.LiePooling("sum", dtype=dtype)(y))


def energy(model, dtype="float64"):
    count = model.input_shape[0][1]
    kinds, mask = ops.convert_to_tensor(KINDS[:, :count].astype(dtype)), ops.ones((1, count), "bool")
    return lambda x: ops.sum(model([ops.convert_to_tensor(x, dtype), kinds, mask]))


def force(model, x, dtype="float64"):
    return -ops.convert_to_numpy(gradient(energy(model, dtype), ops.convert_to_tensor(x, dtype)))


@pytest.mark.parametrize("group", ["T3", "SO3"])
@pytest.mark.parametrize("neighbors", [3, 6])
def test_forces_are_central_differences(group, neighbors):
    model = network(group=group, neighborhood="cutoff", radius=2.0, neighbors=neighbors)
    exact, found, step = force(model, X), np.zeros_like(X), 1e-5
    for index in np.ndindex(*X.shape):
        nudge = np.zeros_like(X)
        nudge[index] = step
        found[index] = (float(energy(model)(X - nudge)) - float(energy(model)(X + nudge))) / (2 * step)
    assert np.abs(exact - found).max() <= 1e-8 * max(1, np.abs(exact).max())
    assert np.abs(exact).max() > 1e-2
    single = network(group=group, neighborhood="cutoff", radius=2.0, neighbors=neighbors, dtype="float32")
    single.set_weights(model.get_weights())
    np.testing.assert_allclose(force(single, X, "float32"), exact, atol=1e-4 * np.abs(exact).max())


def jump(model, edge, step=1e-4):
    """How much the second derivative of the energy of two points changes at a distance, relative to its size."""
    at = [np.array([[[0, 0, 0], [distance, 0, 0.0]]]) for distance in edge + step * np.arange(-2, 3)]
    slopes = [force(model, x)[0, 1, 0] for x in at]
    second = np.diff(slopes) / step
    within = force(model, np.array([[[0, 0, 0], [0.9 * edge, 0, 0.0]]]))[0, 1, 0] / edge
    return np.abs(second[2] - second[1]) / np.abs(within)


def test_the_second_derivative_is_continuous_at_the_edge():
    assert jump(network(2, neighborhood="cutoff", radius=2.0), 2.0) < 0.05
    sharp = network(2, neighborhood="ball", radius=2.0, fill=0.5)
    assert jump(sharp, 2.0 * 1.01) > 5  # the edge of a ball has a kink


def motion(model, dt, duration=1.0):
    q, p = 0.8 * X, np.zeros_like(X)
    total = [float(energy(model)(q))]
    for _ in range(round(duration / dt)):
        q, p = leapfrog(lambda q: force(model, q), lambda p: p, q, p, dt)
        total.append(float(energy(model)(q)) + float((p**2).sum()) / 2)
    return np.array(total), p


def test_the_energy_of_a_motion_is_kept():
    model = network(neighborhood="cutoff", radius=1.5)
    drifts, momentum = [], None
    for dt in (0.1, 0.05):
        total, momentum = motion(model, dt)
        drifts.append(np.abs(total - total[0]).max())
    assert drifts[1] < 1e-3 * (momentum**2).sum()
    assert 3 < drifts[0] / drifts[1] < 5  # leapfrog is of second order where forces are smooth
    assert np.abs(momentum.sum(axis=1)).max() < 1e-12
