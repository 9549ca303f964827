"""Convolutions of fields on points: their law on every group, clouds without directions, what has no place."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import groups, layers
from keras_equivariant.ops.solid_harmonics import solid_harmonics

RING = np.stack([[np.cos(t), np.sin(t), 0.0] for t in np.pi / 3 * np.arange(6)])
CLOUDS = {
    "random": np.random.default_rng(0).normal(size=(7, 3)),
    "lattice": np.stack(np.meshgrid([0, 1.0], [0, 1.0], [0, 1.0]), axis=-1).reshape(-1, 3),
    "benzene": np.concatenate([1.4 * RING, 2.49 * RING]),
    "line": np.array([[0, 0, 0], [1.16, 0, 0], [-1.16, 0, 0.0]]),
    "coincident": np.repeat(np.random.default_rng(1).normal(size=(3, 3)), 2, axis=0),
    "apart": 50 * np.eye(3),
    "one": np.ones((1, 3)),
}
TYPES = {
    "SO3": ("2x0 + 1x1", "1x0 + 1x1 + 1x2"),
    "O3": ("1x0e + 1x1o + 1x0o", "1x0e + 1x0o + 1x1o + 1x1e + 1x2e"),
    "SO2": ("2x0 + 1x2", "1x0 + 1x1 + 1x3"),
    "O2": ("1x0+ + 1x1", "1x0+ + 1x0- + 1x2"),
    "C8": ("1xregular", "1x3 + 1xregular"),
    "D4": ("1xregular + 1x1", "1xregular + 1xquotient(C2)"),
    "O": ("1xA1 + 1xT1", "1xA2 + 1xE + 1xT2"),
    "I": ("1xA + 1xT1", "1xT1 + 1xG"),
    "Cinfv": ("1x0+ + 1x1", "1x0+ + 1x1 + 1x2"),
    "Dinfh": ("1x0e+ + 1x1o", "1x0o+ + 1x1e + 1x2e"),
}


def convolve(layer, x, f, mask):
    return ops.convert_to_numpy(layer([ops.convert_to_tensor(a) for a in (x, f, mask)])[1])


@pytest.mark.tensorflow
@pytest.mark.parametrize("group", TYPES)
def test_every_group_rotates_positions_and_values(group):
    keras.utils.set_random_seed(0)
    rng, d = np.random.default_rng(2), groups.get(group).dimension
    in_type, out_type = TYPES[group]
    options = {"radius": 2.0, "kernel_units": (4, 2), "bias_initializer": "normal", "dtype": "float64"}
    layer = layers.SteerablePointConv(in_type, out_type, group, neighbors=5, **options)
    seen = 0.0
    for cloud in CLOUDS.values():
        x, count = cloud[None, :, :d], len(cloud)
        f, mask = rng.normal(size=(1, count, layer.in_type.size)), rng.random((1, count)) < 0.8
        y = convolve(layer, x, f, mask)
        assert not y[~mask].any()
        for matrix in groups.MotionSample(group, 3).matrices[1:]:
            order = rng.permutation(count)
            moved = groups.move_points(x, matrix)[:, order], layer.in_type.transform(f, matrix[:d, :d])[:, order]
            z = convolve(layer, *moved, mask[:, order])
            expected = layer.out_type.transform(y, matrix[:d, :d])[:, order]
            np.testing.assert_allclose(z, expected, atol=1e-12)
            seen = max(seen, np.abs(z - y[:, order]).max())
    assert seen > 1e-2  # if the values were said not to move


def test_harmonics_are_those_of_the_irreps():
    points = np.random.default_rng(0).normal(size=(5, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    planes = tuple(ops.convert_to_tensor(points[:, i]) for i in range(3))
    found = np.stack([ops.convert_to_numpy(y) for y in solid_harmonics(planes, 5)], axis=-1)
    expected = np.concatenate([groups.spherical_harmonics(degree, points) for degree in range(6)], axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    flat = [ops.convert_to_numpy(y) for y in solid_harmonics(planes[:2], 1)[1:]]
    np.testing.assert_allclose(np.stack(flat, axis=-1), points[:, :2], atol=1e-6)


@pytest.mark.tensorflow
def test_points_that_are_not_there_change_nothing():
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    layer = layers.SteerablePointConv("2x0", "2x0 + 1x1", "SO3", radius=3.0, neighbors=4)
    x, f = rng.normal(size=(1, 5, 3)).astype("float32"), rng.normal(size=(1, 5, 2)).astype("float32")
    y = convolve(layer, x, f, np.ones((1, 5), bool))
    padded = [np.concatenate([a, np.full((1, 3, a.shape[2]), np.nan, "float32")], axis=1) for a in (x, f)]
    for mask in (np.arange(8)[None] < 5, np.ones((1, 8), bool)):  # NaN counts as absent
        z = convolve(layer, *padded, mask)
        np.testing.assert_allclose(z[:, :5], y, atol=1e-6)
        assert not z[:, 5:].any()
    assert not convolve(layer, x, f, np.zeros((1, 5), bool)).any()


def network(last="1x1", group="SO3", count=6):
    x, v, mask = keras.Input((count, 3)), keras.Input((count, 4)), keras.Input((count,), dtype="bool")
    options = {"group": group, "radius": 2.5, "neighbors": count, "kernel_units": (4, 2)}
    p, f, m = layers.SteerablePointConv("1x0 + 1x1", "4x0 + 2x1", **options)([x, v, mask])
    f = layers.GatedActivation("4x0 + 2x1", group=group, activation="swish")(f)
    p, h, m = layers.SteerablePointConv("2x0 + 2x1", "2x0 + 2x1", **options)([p, f, m])
    f = layers.SteerableDense("2x0 + 2x1", last, group=group)(layers.FieldDropout("2x0 + 2x1", 0.1, group)(f + h))
    pooled = layers.SteerablePointPooling(last, group, "sum")([p, f, m])
    return keras.Model([x, v, mask], pooled), keras.Model([x, v, mask], f)


@pytest.mark.tensorflow
def test_vectors_in_and_out_are_certified():
    pooled, each = network()
    for model in (pooled, each):
        report = ke.certify(model, dtypes=("float64",))
        assert report.exact and report.group == "SO3" and "with translations" in str(report)
        assert "frames of 1x0 + 1x1" in str(report)
        assert min(element.control for element in report.elements[1:]) > 1e-2
    layouts = ["positions", "invariant", "invariant"]  # a vector that is said to be three numbers
    assert not ke.certify(pooled, input_layout=layouts, dtypes=("float64",)).exact


def test_rotating_values_are_refused_where_invariants_are_taken():
    x, v, mask = keras.Input((5, 3)), keras.Input((5, 4)), keras.Input((5,), dtype="bool")
    p, f, m = layers.SteerablePointConv("4x0", "2x0 + 1x1", "SO3")([x, v, mask])
    with pytest.raises(ValueError, match="values that no element moves.*NormPooling"):
        layers.LieLift("T3")([p, f, m])
    with pytest.raises(ValueError, match='give the layer in_type="2x0 \\+ 1x1"'):
        layers.SteerablePointPooling("5x0", "SO3")([p, f, m])
    with pytest.raises(ValueError, match="use SteerablePointConv"):
        layers.SteerableBatchNormalization("2x0 + 1x1", "SO3")(f)
    broken = keras.layers.Activation("relu")(f)
    with pytest.raises(ValueError, match="mixes the components.*GatedActivation"):
        layers.SteerablePointPooling("2x0 + 1x1", "SO3")([p, broken, m])
    invariant = layers.NormPooling("2x0 + 1x1", "SO3")(f)
    assert layers.LieLift("T3")([p, invariant, m])[1].shape == (None, 5, 3)
    with pytest.raises(ValueError, match="takes positions of width 3"):
        layers.SteerablePointConv("4x0", "1x0", "SO3")(layers.LieLift("SE3")([x, v, mask]))
    with pytest.raises(ValueError, match="max_degree=0, which has none.*higher degree"):
        layers.SteerablePointConv("2x0", "1x1", "SO3", max_degree=0)
    with pytest.raises(ValueError, match="at most 40"):
        layers.SteerablePointConv("2x0", "1x1", "SO3", max_degree=1000)
