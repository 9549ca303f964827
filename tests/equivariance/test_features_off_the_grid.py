"""Off the pixels every element is exact, and of a continuous group those are tested, too, that no grid holds."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(4, 5, 3))
VECTORS = RNG.normal(size=(4, 6)).astype("float32")
LAYOUTS = {"input_layout": "positions", "output_layout": "vectors"}


def forces(x):
    x = np.asarray(x)
    apart = x[:, :, None] - x[:, None]
    return (apart * np.exp(-(apart**2).sum(-1, keepdims=True))).sum(2)


def cubes(x):
    """Commutes with the rotations of the cube alone."""
    return np.asarray(x) ** 3


@pytest.mark.parametrize("group", ["C8z", "D6z", "I", "Cinfz", "SO3", "O3", "SE3"])
def test_points_know_no_grid(group):
    errors = ke.equivariance_error(forces, group, POINTS, **LAYOUTS)
    assert max(errors.values()) < 1e-12
    assert not errors.interpolated
    report = ke.certify(forces, group, POINTS, **LAYOUTS)
    assert report.verdict == "exact" and report.between is None
    assert all(not element.interpolated for element in report.elements)


@pytest.mark.parametrize("group", ["SO3", "O3"])
def test_the_rotations_of_the_cube_are_not_all(group):
    report = ke.certify(cubes, group, POINTS, **LAYOUTS)
    assert report.verdict == "broken" and "the law holds on the subgroup {e, " in report.reasons[0]
    with pytest.raises(AssertionError, match="perhaps a smaller group was meant"):
        ke.assert_equivariant(cubes, group, POINTS, **LAYOUTS)
    assert max(ke.equivariance_error(cubes, group, POINTS, elements="exact", **LAYOUTS).values()) < 1e-12
    assert ke.certify(cubes, "O", POINTS, **LAYOUTS).verdict == "exact"


def test_nor_are_those_of_the_octagon():
    plane = RNG.normal(size=(4, 5, 2))

    def ninth(x):
        z = (np.asarray(x) @ [1, 1j]) ** 9
        return np.stack([z.real, z.imag], axis=-1)

    assert ke.certify(ninth, "C8", plane, **LAYOUTS).verdict == "exact"
    assert ke.certify(ninth, "SO2", plane, **LAYOUTS).verdict == "broken"


def averaged(group, seed):
    """A random function of three vectors, averaged over a group: it commutes with that one, and with no larger one."""
    group, rng = ke.groups.get(group), np.random.default_rng(seed)
    d = group.dimension
    first, second, phases = rng.normal(size=(3 * d, 40)), rng.normal(size=(40, d)), rng.uniform(0, 6, 40)

    def at(x):
        return np.cos(2 * x.reshape(len(x), -1) @ first + phases) @ second

    def function(x):
        return np.mean([at(np.asarray(x) @ g.T) @ g for g in group.matrices], axis=0)

    return function


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("own", "larger"),
    [
        *(("C4", "C8"), ("C8", "C16"), ("C8", "SO2"), ("C6", "SO2"), ("D4", "D8"), ("D8", "O2"), ("C4z", "Cinfz")),
        *(("C8v", "Cinfv"), ("T", "O"), ("O", "SO3"), ("I", "SO3"), ("Oh", "O3"), ("T", "I")),
    ],
)
def test_a_random_function_commutes_with_its_own_group_alone(own, larger, seed):
    function, d = averaged(own, seed), ke.groups.get(own).dimension
    x = np.random.default_rng(seed).normal(size=(4, 3, d))
    assert ke.certify(function, own, x, **LAYOUTS).verdict == "exact"
    assert ke.certify(function, larger, x, **LAYOUTS).verdict != "exact"
    with pytest.raises(AssertionError, match="beyond the"):
        ke.assert_equivariant(function, larger, x, **LAYOUTS)


@pytest.mark.tensorflow
def test_a_slight_error_is_no_interpolation():
    def slightly(x):
        return forces(x) + 0.02 * np.abs(forces(x))

    assert ke.certify(slightly, "C3z", POINTS, **LAYOUTS).verdict == "broken"


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("group", "in_type", "hidden", "grid"),
    [
        ("SO3", "2x0 + 2x1 + 2x2", "4xregular(2)", "O"),
        ("SO2", "2x0 + 2x1 + 2x2", "4xregular(2)", "C4"),
        ("O2", "2x0+ + 2x0- + 2x1 + 2x2", "4xregular(2)", "D4"),
    ],
)
def test_sampled_activations_are_approximate(group, in_type, hidden, grid):
    kind = ke.groups.FieldType.parse(in_type, group)

    def network(activation, middle):
        inputs = keras.Input((kind.size,))
        x = ke.layers.SteerableDense(kind, middle)(inputs)
        return keras.Model(inputs, ke.layers.SteerableDense(middle, "1x1", group=group)(activation(x)))

    middle = ke.groups.FieldType.parse(hidden, group)
    report = ke.certify(network(ke.layers.FourierActivation(middle), middle))
    assert report.verdict == "approximate" and f"exact under {grid}" in report.headline
    assert report.between.error > 1e-3
    exact = ke.certify(network(ke.layers.NormActivation(kind), kind))  # float32 inputs, rotated by any angle
    assert exact.verdict == "exact" and exact.max_error < 1e-12


@pytest.mark.tensorflow
def test_the_layer_is_named():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, ops.power(inputs, 3))
    report = ke.certify(model, "SO3", VECTORS, input_layout="2x1", output_layout="2x1")
    assert report.verdict == "broken" and report.broken_layer.kind == "Power"


@pytest.mark.parametrize("group", ["SO2", "D4"])
def test_positions_have_the_axes_of_their_space(group):
    with pytest.raises(ValueError, match=r"must have 2 channels, or 6 .*shape \(4, 5, 3\)"):
        ke.equivariance_error(forces, group, POINTS, **LAYOUTS)
