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


def points(count, dtype):
    return [keras.Input((count, n), dtype=dtype) for n in (3, 2)] + [keras.Input((count,), dtype="bool")]


def network(count=6, group="T3", dtype="float64", **options):
    keras.utils.set_random_seed(0)
    inputs = points(count, dtype)
    y = layers.LieLift(group, dtype=dtype)(inputs)
    settings = {"neighbors": count, "kernel_units": (8,), "batch_normalization": False, "dtype": dtype, **options}
    for _ in range(2):
        y = layers.LieConv(5, group, **settings)(y)
    return keras.Model(inputs, layers.LiePooling("sum", dtype=dtype)(y))


def fields(count=6, group="O3", dtype="float64", radius=2.0, neighbors=6):
    """Scalars and vectors on points, a number in the end."""
    keras.utils.set_random_seed(0)
    inputs = points(count, dtype)
    settings = {"group": group, "radius": radius, "neighbors": neighbors, "kernel_units": (8, 2), "dtype": dtype}
    x, f, mask = layers.SteerablePointConv("2x0e", "4x0e + 2x1o", **settings)(inputs)
    f = layers.GatedActivation("4x0e + 2x1o", group=group, activation="swish", dtype=dtype)(f)
    y = layers.SteerablePointConv("2x0e + 2x1o", "2x0e", **settings)([x, f, mask])
    return keras.Model(inputs, layers.SteerablePointPooling("2x0e", group, "sum", dtype=dtype)(y))


def energies(model, x):
    """The energy of each sample."""
    dtype, count = model.inputs[0].dtype, x.shape[1]
    kinds = ops.convert_to_tensor(np.repeat(KINDS[:, :count], len(x), axis=0).astype(dtype))
    return ops.sum(model([ops.convert_to_tensor(x, dtype), kinds, ops.ones(x.shape[:2], "bool")]), axis=-1)


def force(model):
    """Minus the gradient, a function of positions, compiled once."""
    import tensorflow as tf

    @tf.function
    def slope(x):
        return gradient(lambda x: energies(model, x), x)

    return lambda x: -ops.convert_to_numpy(slope(ops.convert_to_tensor(x, model.inputs[0].dtype)))


def central_differences(model, x, step=1e-5):
    nudges = step * np.eye(x.size).reshape(-1, *x.shape[1:])
    ahead, behind = (ops.convert_to_numpy(energies(model, x + sign * nudges)) for sign in (1, -1))
    return ((behind - ahead) / (2 * step)).reshape(x.shape)


def assert_forces(model, x, single=None):
    exact = force(model)(x)
    assert np.abs(exact - central_differences(model, x)).max() <= 1e-8 * max(1, np.abs(exact).max())
    assert np.abs(exact).max() > 1e-2
    if single is not None:
        single.set_weights(model.get_weights())
        np.testing.assert_allclose(force(single)(x), exact, atol=1e-4 * np.abs(exact).max())


@pytest.mark.parametrize("group", ["T3", "SO3"])
@pytest.mark.parametrize("neighbors", [3, 6])
def test_forces_are_central_differences(group, neighbors):
    options = {"group": group, "neighborhood": "cutoff", "radius": 2.0, "neighbors": neighbors}
    assert_forces(network(**options), X, network(**options, dtype="float32"))


def test_forces_of_fields_are_central_differences():
    assert_forces(fields(neighbors=3), X, fields(neighbors=3, dtype="float32"))
    meeting = np.concatenate([X[:, :5], X[:, :1]], axis=1)  # one point on another, of another kind
    assert_forces(fields(), meeting)


def jump(model, edge, step=1e-4):
    """How much the second derivative of the energy of two points changes at a distance, relative to its size."""
    pull = force(model)
    distances = [*(edge + step * np.arange(-2, 3)), 0.9 * edge]
    slopes = [pull(np.array([[[0, 0, 0], [distance, 0, 0.0]]]))[0, 1, 0] for distance in distances]
    second = np.diff(slopes[:-1]) / step
    return np.abs(second[2] - second[1]) / np.abs(slopes[-1] / edge)


def test_the_second_derivative_is_continuous_at_the_edge():
    assert jump(network(2, neighborhood="cutoff", radius=2.0), 2.0) < 0.05
    assert jump(fields(2), 2.0) < 0.05
    sharp = network(2, neighborhood="ball", radius=2.0, fill=0.5)
    assert jump(sharp, 2.0 * 1.01) > 5  # the edge of a ball has a kink


def motion(model, pull, mass, dt, duration=1.0):
    q, p = 0.8 * X, np.zeros_like(X)
    path = [(q, p)]
    for _ in range(round(duration / dt)):
        q, p = leapfrog(pull, lambda p: p / mass, q, p, dt)
        path.append((q, p))
    positions, momenta = (np.concatenate(part) for part in zip(*path, strict=True))
    return ops.convert_to_numpy(energies(model, positions)) + (momenta**2).sum(axis=(1, 2)) / (2 * mass), p


@pytest.mark.parametrize(("kind", "mass"), [("lie", 1.0), ("fields", 100.0)])
def test_the_energy_of_a_motion_is_kept(kind, mass):
    model = network(neighborhood="cutoff", radius=1.5) if kind == "lie" else fields(radius=1.5)
    drifts, momentum, pull = [], None, force(model)
    for dt in (0.1, 0.05):
        total, momentum = motion(model, pull, mass, dt)
        drifts.append(np.abs(total - total[0]).max())
    assert drifts[1] < 1e-3 * (momentum**2).sum() / mass
    assert 3 < drifts[0] / drifts[1] < 5  # leapfrog is of second order where forces are smooth
    assert np.abs(momentum.sum(axis=1)).max() < 1e-12
