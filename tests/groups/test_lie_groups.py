"""Lie groups: exponential and logarithm against scipy, in NumPy and on tensors, derivatives, distances, lifts."""

import numpy as np
import pytest
import scipy.linalg
from keras import ops

from keras_equivariant import groups
from keras_equivariant.groups import rotation_grids
from keras_equivariant.layers.points.features import arithmetic
from keras_equivariant.ops import lie
from keras_equivariant.ops.gradient import gradient
from keras_equivariant.ops.lie_distance import LeftInvariant

NAMES = ["T2", "T3", "Tx", "Ty", "SO2", "Rx", "RxSO2", "SE2", "SO3", "SE3"]
SIZES = [1e-5, 1e-3, 0.1, 0.49, 0.51, 0.99, 1.01, 2.0, 3.1, 1e2]


def logarithms(group, size, dtype="float64"):
    """Coordinates of this length, but for scales and rotations, which stay away from half a turn."""
    a = np.random.default_rng(0).normal(size=(30, group.algebra))
    a *= size / np.linalg.norm(a, axis=1, keepdims=True)
    if size > 3.2:
        a[:, : len(group.scale_and_angles)] *= 3 / size
    return a.astype(dtype).astype("float64")


def planes(a, dtype):
    return lie.unstack(ops.convert_to_tensor(np.asarray(a, dtype)))


def numpy(tensors):
    return np.stack([ops.convert_to_numpy(x) for x in tensors], axis=-1)


def matrices(group, element):
    """Homogeneous matrices of elements on planes, from where they take the unit vectors."""
    own, d, count = arithmetic(group), group.dimension, len(element[0])
    found = np.zeros((count, d + 1, d + 1))
    found[:, d, d] = 1
    for j in range(d):
        unit = np.zeros((count, d), element[0].dtype.name)
        unit[:, j] = 1
        found[:, :d, j] = numpy(own.rotate(element, lie.unstack(ops.convert_to_tensor(unit))))
    for i, axis in enumerate(group.axes):
        found[:, axis, d] = ops.convert_to_numpy(element[len(element) - len(group.axes) + i])
    return found


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_matrices_are_scipys(name, size):
    group = groups.lie_group(name)
    a = logarithms(group, size)
    expected = np.stack([scipy.linalg.expm(x) for x in group.hat(a)])
    np.testing.assert_allclose(group.matrix(a), expected, rtol=1e-10, atol=1e-10 * max(1, size))
    np.testing.assert_allclose(group.logarithm(expected), a, rtol=1e-10, atol=1e-10 * max(1, size))
    logm = group.hat(group.logarithm(expected[:1]))[0]
    np.testing.assert_allclose(logm, np.real(scipy.linalg.logm(expected[0])), rtol=1e-7, atol=1e-7 * max(1, size))


@pytest.mark.tensorflow
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-6)])
@pytest.mark.parametrize("name", NAMES)
def test_tensors_are_scipys(name, dtype, tolerance):
    group = groups.lie_group(name)
    own = arithmetic(group)
    for size in SIZES:
        a = logarithms(group, size, dtype)
        element = own.exp(planes(a, dtype))
        expected = np.stack([scipy.linalg.expm(x) for x in group.hat(a)])
        scale = np.maximum(1, np.abs(expected).max(axis=(1, 2)))
        assert (np.abs(matrices(group, element) - expected).max(axis=(1, 2)) / scale).max() <= tolerance
        back = numpy(own.log(element))
        assert (np.abs(back - a).max(axis=1) / np.maximum(1, np.abs(a).max(axis=1))).max() <= tolerance


ROTATING = ["SO2", "SE2", "SO3", "SE3", "RxSO2"]
BELOW = [1e-5, 1e-7, 1e-9, 1e-11, 1e-13, 1e-15, 0.0]  # half a turn
ANGLES = [0.0, 1e-300, 1e-12, 1e-8, 1e-4, 0.1, 0.5, 1.0, np.pi / 2, 2.0, 3.0, 3.14, *(np.pi - x for x in BELOW)]
AXES = np.concatenate(
    [np.eye(3), -np.eye(3), [[1, 1, 0], [1, -1, 0], [-1, 1, 1], [1e-9, -1, 0], [-1e-7, 1, 1]]]
    + [np.random.default_rng(2).normal(size=(10, 3))]
)


def by_angle(group, angle, scale=0.0):
    """Logarithms of rotations by this angle, about many axes, to and fro."""
    a = np.random.default_rng(3).normal(size=(len(AXES), group.algebra))
    first = int(group.scales)
    axes = AXES if group.angles == 3 else np.sign(AXES[:, :1]) + (AXES[:, :1] == 0)
    a[:, :first] = scale
    a[:, first : first + group.angles] = angle * axes / np.linalg.norm(axes, axis=1, keepdims=True)
    return a


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("name", ROTATING)
def test_logarithms_at_every_angle(name, angle):
    group = groups.lie_group(name)
    for scale in (0.0, -3.0, 2.0) if group.scales else (0.0,):
        a = by_angle(group, angle, scale)
        for elements in (group.matrix(a), np.stack([scipy.linalg.expm(x) for x in group.hat(a)])):
            found = group.logarithm(elements)
            again = group.matrix(found)
            np.testing.assert_allclose(again, elements, rtol=0, atol=1e-12 * np.exp(max(scale, 0)))
            rotations = found[:, int(group.scales) :][:, : group.angles]
            assert (np.linalg.norm(rotations, axis=1) <= np.pi + 1e-13).all()
            if angle < np.pi - 1e-12:
                np.testing.assert_allclose(found, a, rtol=0, atol=1e-12)
            # Control: half the angle is another element.
            halved = found * np.where(np.arange(group.algebra) < group.scales + group.angles, 0.5, 1)
            assert angle < 1e-3 or np.abs(group.matrix(halved) - elements).max() > 1e-6


def test_rounding_does_not_tell_at_half_a_turn():
    rng = np.random.default_rng(4)
    for name in ("SO2", "SO3"):
        group = groups.lie_group(name)
        exact = group.matrix(by_angle(group, np.pi))
        expected = group.logarithm(exact)
        for _ in range(5):
            noisy = group.logarithm(exact + 1e-15 * rng.normal(size=exact.shape))
            np.testing.assert_allclose(noisy, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scale", [-700.0, -300.0, -1.0, 0.0, 1.0, 300.0, 700.0])
def test_logarithms_at_every_scale(scale):
    for name in ("Rx", "RxSO2"):
        group = groups.lie_group(name)
        a = np.array([scale, 3.0])[: group.algebra]
        np.testing.assert_allclose(group.logarithm(group.matrix(a)), a, rtol=1e-14, atol=1e-14)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ROTATING)
def test_tensors_at_half_a_turn(name):
    group = groups.lie_group(name)
    own = arithmetic(group)
    for angle in ANGLES:
        element = own.exp(planes(by_angle(group, angle), "float64"))
        again = own.exp(own.log(element))
        error = np.abs(matrices(group, again) - matrices(group, element)).max()
        assert error <= 1e-12, angle


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", NAMES)
def test_products_and_relative_elements(name):
    group = groups.lie_group(name)
    own = arithmetic(group)
    g, u = (own.exp(planes(logarithms(group, size)[:, :], "float64")) for size in (2.0, 0.7))
    product = own.product(g, u)
    np.testing.assert_allclose(matrices(group, product), matrices(group, g) @ matrices(group, u), atol=1e-12)
    np.testing.assert_allclose(numpy(own.log(own.relative(g, product))), numpy(own.log(u)), atol=1e-11)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["SE2", "SE3", "SO2", "SO3", "RxSO2"])
@pytest.mark.parametrize("size", [0.0, 1e-6, 1e-3])
def test_second_derivatives_near_the_identity(name, size):
    group = groups.lie_group(name)
    own = arithmetic(group)
    a = ops.convert_to_tensor(np.full((1, group.algebra), size, "float32"))

    def slope(a):
        log = own.log(own.exp(lie.unstack(a)))
        return sum(x * x for x in log)

    first = gradient(slope, a)
    second = gradient(lambda a: gradient(slope, a), a)
    np.testing.assert_allclose(ops.convert_to_numpy(first), 2 * size, atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(second), 2.0, rtol=1e-4)  # log(exp(a)) = a


@pytest.mark.tensorflow
@pytest.mark.parametrize("form", ["convex", "squared"])
@pytest.mark.parametrize("name", [*NAMES, "Trivial2"])
def test_distance_is_left_invariant(name, form):
    group = groups.lie_group(name)
    own = arithmetic(group)
    distance = LeftInvariant(own, len(group.scale_and_angles), group.metric, form, 0.3)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 40, group.dimension))
    (u, p), (v, q) = (own.lift(planes(z, "float64")) for z in (x, y))
    before = ops.convert_to_numpy(distance((*v, *q), (*u, *p)))
    g = own.exp(tuple(z[:1] for z in planes(group.random_logarithms(5)[3:], "float64")))
    moved = (own.product(g, v), own.product(g, u)) if own.size else (v, u)
    after = ops.convert_to_numpy(distance((*moved[0], *q), (*moved[1], *p)))
    np.testing.assert_allclose(after, before, rtol=1e-10, atol=1e-12)
    here = ops.convert_to_numpy(distance((*u, *p), (*u, *p)))
    np.testing.assert_allclose(here, 0, atol=1e-7)
    if own.size:  # negative control: one of the two moved
        alone = ops.convert_to_numpy(distance((*moved[0], *q), (*u, *p)))
        assert np.abs(alone - before).max() > 1e-3


def test_forms_of_the_distance():
    group = groups.lie_group("SE2")
    own = arithmetic(group)
    u = own.exp(planes([[0.4, 0.3, 0.0]], "float64"))
    none = own.exp(planes([[0.0, 0.0, 0.0]], "float64"))
    squared = LeftInvariant(own, 1, group.metric, "squared", 0.2)(none, u)
    convex = LeftInvariant(own, 1, group.metric, "convex", 0.2)(none, u)
    frobenius = np.linalg.norm(group.hat(np.array([0.4, 0.3, 0.0])))
    np.testing.assert_allclose(ops.convert_to_numpy(squared), frobenius, rtol=1e-12)
    np.testing.assert_allclose(ops.convert_to_numpy(convex), 0.2 * 0.4 + 0.8 * 0.3, rtol=1e-12)


@pytest.mark.parametrize("samples", [1, 2, 4, 12, 24])
def test_rotations_of_lifts_form_a_group(samples):
    q = rotation_grids.rotations_of_space(samples)
    own = lie.arithmetic(3, rotates=True)
    for a in q:
        left = planes(np.tile(a, (samples, 1)), "float64")
        product = numpy(own.product(left, planes(q, "float64")))
        nearest = np.abs(product @ q.T).max(axis=1)
        np.testing.assert_allclose(nearest, 1, atol=1e-12)
    assert len({tuple(np.abs(np.round(x @ q.T, 6))) for x in q}) == samples


def test_spread_rotations_are_even():
    q = rotation_grids.super_fibonacci(200)
    np.testing.assert_allclose(np.linalg.norm(q, axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(q.T @ q / 200, np.eye(4) / 4, atol=0.02)  # as a uniform rotation has it


@pytest.mark.parametrize(
    ("name", "text"), [("SE4", 'Did you mean "SE'), ("nothing", "Use one of"), ("SO(2)", None), ("t(3)", None)]
)
def test_names(name, text):
    if text is None:
        assert groups.lie_group(name).name in ("SO2", "T3")
        return
    with pytest.raises(ValueError, match="Received") as error:
        groups.lie_group(name)
    assert text in str(error.value)


def test_group_of_ones_own_needs_its_functions():
    with pytest.raises(ValueError, match="exp"):
        groups.LieGroup("half", 2, exp=lambda a: a)
    with pytest.raises(ValueError, match="unique"):
        groups.register(groups.LieGroup("SE2", 2, axes=(0, 1), rotates=True))
