"""Neighbors by cells are those of all pairs, where cells are full, far apart or empty, too."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_equivariant import layers
from keras_equivariant.ops import cells, neighborhoods

COUNT, K, RADIUS = 300, 9, 0.8
CLOUDS = {
    "even": lambda rng, d: rng.uniform(size=(2, COUNT, d)) * (7.0 if d == 3 else 16.0),
    "all in one cell": lambda rng, d: rng.uniform(size=(2, COUNT, d)) * 0.1,
    "far apart": lambda rng, d: rng.normal(size=(2, COUNT, d)) * 1e9,
    "lattice": lambda rng, d: np.stack([rng.integers(0, 9, (2, COUNT)) * RADIUS for _ in range(d)], axis=-1),
    "nobody": lambda rng, d: np.zeros((2, COUNT, d)),
}


def of_cells(x, mask):
    return cells.nearest_within(x, mask, K, RADIUS)


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("dimension", [2, 3])
def test_neighbors_are_those_of_all_pairs(cloud, dimension):
    rng = np.random.default_rng(0)
    there = rng.random((2, COUNT)) < (0.0 if cloud == "nobody" else 0.9)
    x, mask = ops.convert_to_tensor(CLOUDS[cloud](rng, dimension)), ops.convert_to_tensor(there)
    pairs = neighborhoods.nearest(x, x, mask, K, neighborhoods.euclidean, RADIUS, lambda _, far: far)
    (numbers, found), (expected, wanted) = (
        [ops.convert_to_numpy(part)[there] for part in parts[:2]] for parts in (of_cells(x, mask), pairs)
    )
    np.testing.assert_array_equal(found, wanted)
    points = np.asarray(ops.convert_to_numpy(x))
    sample = np.nonzero(there)[0][:, None]
    center = points[there][:, None]
    near, other = (np.linalg.norm(points[sample, some] - center, axis=-1) for some in (numbers, expected))
    np.testing.assert_allclose(near[found], other[wanted], atol=1e-12)  # of equal distances any may be the last


@pytest.mark.tensorflow  # others trace both ways before they choose
def test_an_even_cloud_fits_into_cells(monkeypatch):
    """The table of all pairs is not asked."""
    rng = np.random.default_rng(0)
    x, mask = CLOUDS["even"](rng, 3), np.ones((2, COUNT), bool)
    monkeypatch.setattr(cells, "_of_all_pairs", None)
    assert ops.convert_to_numpy(of_cells(ops.convert_to_tensor(x), ops.convert_to_tensor(mask))[1]).any()


@pytest.mark.tensorflow
def test_a_convolution_is_the_same_by_cells(monkeypatch):
    rng = np.random.default_rng(0)
    layer = layers.SteerablePointConv("1x0", "1x0 + 1x1", "SO3", RADIUS, K, kernel_units=2, dtype="float64")
    inputs = [CLOUDS["even"](rng, 3), rng.normal(size=(2, COUNT, 1)), rng.random((2, COUNT)) < 0.9]
    inputs = [ops.convert_to_tensor(x) for x in inputs]
    plain = ops.convert_to_numpy(layer(inputs)[1])
    monkeypatch.setattr(cells, "LEAST", 10)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(inputs)[1]), plain, atol=1e-12)
    assert np.abs(plain).max() > 1e-2


@pytest.mark.tensorflow
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("group", "neighborhood"), [("T3", "ball"), ("T2", "cutoff")])
def test_a_convolution_on_translations_is_the_same_by_cells(group, neighborhood, training, monkeypatch):
    """Of balls all within or some that are drawn; the radius adapts alike."""
    rng, d = np.random.default_rng(0), int(group[1])
    inputs = [CLOUDS["even"](rng, d), rng.normal(size=(2, COUNT, 1)), rng.random((2, COUNT)) < 0.9]
    inputs, found = [ops.convert_to_tensor(x) for x in inputs], []
    asked = []
    monkeypatch.setattr(cells, "in_radius", lambda *a, of=cells.in_radius: asked.append(1) or of(*a))
    for pays in (False, True):
        monkeypatch.setattr(cells, "pays", lambda *_, pays=pays: pays)
        keras.utils.set_random_seed(0)
        options = {"fill": 0.02, "radius": RADIUS, "neighborhood": neighborhood, "neighbors": 4, "kernel_units": (4,)}
        layer = layers.LieConv(2, group, **options, seed=3, dtype="float64")
        y = ops.convert_to_numpy(layer(inputs, training=training)[1])
        found.append(np.append(y, ops.convert_to_numpy(layer.ball_radius) if neighborhood == "ball" else 0.0))
    assert len(asked) == 1
    np.testing.assert_allclose(*found, atol=1e-12)
    assert np.abs(found[0]).max() > 1e-2
