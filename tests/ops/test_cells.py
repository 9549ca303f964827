"""Neighbors by cells are those of all pairs, where cells are full, far apart or empty, too."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_equivariant import layers
from keras_equivariant.ops import cells, nearest_in_cells, neighborhoods

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


NEAREST = {
    **CLOUDS,
    "normal": lambda rng, d: rng.normal(size=(2, COUNT, d)),
    "two scales": lambda rng, d: rng.normal(size=(2, COUNT, d)) * np.where(np.arange(COUNT) % 2, 1.0, 1e-3)[:, None],
}


@pytest.mark.parametrize("cloud", NEAREST)
@pytest.mark.parametrize(("dimension", "queries"), [(2, COUNT), (3, COUNT), (3, 70)])
def test_the_nearest_are_those_of_all_pairs(cloud, dimension, queries, monkeypatch):
    monkeypatch.setattr(nearest_in_cells, "_SAMPLE", 20)
    rng = np.random.default_rng(0)
    x = ops.convert_to_tensor(NEAREST[cloud](rng, dimension))
    mask = ops.convert_to_tensor(rng.random((2, COUNT)) < (0.0 if cloud == "nobody" else 0.9))
    options = (x[:, :queries], x, mask, K)
    expected = neighborhoods.nearest(*options, neighborhoods.euclidean)
    for chunk_size in (None, 32):
        found = nearest_in_cells.nearest_in_cells(*options, chunk_size=chunk_size)
        for one, other in zip(found[1:], expected[1:], strict=True):
            np.testing.assert_array_equal(*map(ops.convert_to_numpy, (one, other)))
        numbers, there = (ops.convert_to_numpy(part) for part in found[:2])
        points = ops.convert_to_numpy(x)[np.arange(2)[:, None, None], numbers]
        far = np.linalg.norm(points - ops.convert_to_numpy(x)[:, :queries, None], axis=-1)
        np.testing.assert_allclose(far[there], ops.convert_to_numpy(found[3])[there], atol=1e-12)
        assert all(
            len(set(row[:n])) == n
            for rows, ns in zip(numbers, there.sum(-1), strict=True)
            for row, n in zip(rows, ns, strict=True)
        )


@pytest.mark.tensorflow
@pytest.mark.parametrize("cloud", ["even", "normal"])
def test_few_look_at_all_points(cloud, monkeypatch):
    """The sample does, and who is left in the end."""
    monkeypatch.setattr(nearest_in_cells, "_SAMPLE", 20)
    asked = []
    monkeypatch.setattr(
        neighborhoods,
        "nearest",
        lambda some, *a, of=neighborhoods.nearest, **k: asked.append(some.shape[1]) or of(some, *a, **k),
    )
    x = ops.convert_to_tensor(NEAREST[cloud](np.random.default_rng(0), 3))
    nearest_in_cells.nearest_in_cells(x, x, ops.ones((2, COUNT), "bool"), K, chunk_size=10)
    assert sum(asked) <= 20 + 60


@pytest.mark.tensorflow
def test_a_convolution_of_the_nearest_is_the_same_by_cells(monkeypatch):
    rng = np.random.default_rng(0)
    inputs = [CLOUDS["even"](rng, 3), rng.normal(size=(2, COUNT, 1)), rng.random((2, COUNT)) < 0.9]
    inputs, found = [ops.convert_to_tensor(x) for x in inputs], []
    for pays in (False, True):
        monkeypatch.setattr(nearest_in_cells, "pays", lambda *_, pays=pays: pays)
        keras.utils.set_random_seed(0)
        layer = layers.LieConv(2, "T3", neighbors=8, fraction=0.5, kernel_units=(4,), dtype="float64")
        found.append(ops.convert_to_numpy(layer(inputs)[1]))
    np.testing.assert_allclose(*found, atol=1e-12)
    assert np.abs(found[0]).max() > 1e-2


def test_cells_are_for_many_points():
    assert nearest_in_cells.pays(100_000, 100_000, 3, 17)
    assert not nearest_in_cells.pays(4_000, 4_000, 3, 17)


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
