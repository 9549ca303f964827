"""Points in periodic cells: what a large piece of the lattice says, whatever cell and copies it is told with."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_equivariant as ke
from keras_equivariant import groups, layers
from keras_equivariant.data.sets.points import in_cells, least_heights
from keras_equivariant.dynamics import EnergyAndForces
from keras_equivariant.ops import cells

pytestmark = pytest.mark.tensorflow
RNG = np.random.default_rng(0)
COUNT, RADIUS = 5, 2.0
CELLS = {
    "skew": np.array([[2.5, 0.2, 0.0], [0.4, 2.7, 0.1], [0.0, -0.3, 2.4]]),
    "one way": np.array([[2.2, 0, 0], [0, 0, 0], [0, 0, 0.0]]),
    "slab": np.array([[0, 2.2, 0], [0, 0, 0], [2.3, 0, 0.0]]),
    "none": np.zeros((3, 3)),
}
X, F = 2 * RNG.normal(size=(1, COUNT, 3)), RNG.normal(size=(1, COUNT, 5))
HERE = np.ones((1, COUNT), bool)


@pytest.fixture(scope="module")
def layer():
    keras.utils.set_random_seed(0)
    options = {"radius": RADIUS, "neighbors": 60, "kernel_units": (4, 2), "bias_initializer": "normal"}
    return layers.SteerablePointConv("2x0 + 1x1", "1x0 + 1x1 + 1x2", "SO3", **options, dtype="float64")


def convolve(layer, x, f, mask):
    return ops.convert_to_numpy(layer([ops.convert_to_tensor(a) for a in (x, f, mask)])[1])


def piece(cell, far=2):
    """Points and values of all cells near by, the first ones those of the cell itself."""
    steps = np.stack(np.meshgrid(*[np.arange(-far, far + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    steps = steps[np.argsort(np.abs(steps).sum(axis=1), kind="stable")]
    steps = steps[~(steps[:, ~cell.any(axis=1)] != 0).any(axis=1)]
    inside = X - np.floor(X @ np.linalg.pinv(cell)) @ cell
    points = (inside + (steps @ cell)[:, None]).reshape(1, -1, 3)
    return points, np.tile(F, (1, len(steps), 1)), np.ones(points.shape[:2], bool)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_all_of_its_lattice(layer, name, monkeypatch):
    cell, rng = CELLS[name], np.random.default_rng(1)
    y = convolve(layer, in_cells(X, cell[None]), F, HERE)
    np.testing.assert_allclose(y, convolve(layer, *piece(cell))[:, :COUNT], atol=1e-12)
    apart = convolve(layer, X, F, HERE)
    assert (np.abs(apart - y).max() > 1e-2) == cell.any()
    moved = X + rng.integers(-3, 4, (COUNT, 3)) @ cell + rng.normal(size=3)  # each into a cell of its own, and all
    order, missing = rng.permutation(COUNT), np.array([[False, True]])
    matrix = groups.MotionSample("SO3", 3).matrices[2][:3, :3]
    rotated = in_cells(moved @ matrix.T, (cell @ matrix.T)[None])[:, order]
    values = layer.in_type.transform(F, matrix)[:, order]
    expected = layer.out_type.transform(y, matrix)[:, order]
    np.testing.assert_allclose(convolve(layer, rotated, values, HERE), expected, atol=1e-12)
    padded = [np.concatenate([a, np.full((1, 2, a.shape[2]), np.nan)], axis=1) for a in (rotated, values)]
    mask = np.concatenate([HERE, missing], axis=1)
    np.testing.assert_allclose(convolve(layer, *padded, mask)[:, :COUNT], expected, atol=1e-12)
    monkeypatch.setattr(cells, "LEAST", 1)  # the grid of cells of large clouds
    np.testing.assert_allclose(convolve(layer, rotated, values, HERE), expected, atol=1e-12)


def test_the_same_crystal_in_a_larger_cell(layer):
    cell = CELLS["skew"]
    y = convolve(layer, in_cells(X, cell[None]), F, HERE)
    double = np.concatenate([X, X + cell[1]], axis=1), np.concatenate([F, F], axis=1), np.ones((1, 2 * COUNT), bool)
    larger = in_cells(double[0], np.stack([cell[0] + cell[1], 2 * cell[1], cell[2] - cell[0]])[None])
    small = layers.SteerablePointConv.from_config({**layer.get_config(), "images": 2})
    small.build([(1, COUNT, 12), (1, COUNT, 5), (1, COUNT)])
    small.set_weights(layer.get_weights())
    thin = convolve(small, larger, *double[1:])
    np.testing.assert_allclose(thin, np.concatenate([y, y], axis=1), atol=1e-12)
    np.testing.assert_allclose(convolve(small, in_cells(X, cell[None]), F, HERE), y, atol=1e-12)


def test_the_radius_ends_where_copies_would_be_missing(layer):
    thin = np.diag([1.0, 9.0, 9.0])  # one copy on each side reaches as far as 1
    near = layers.SteerablePointConv.from_config({**layer.get_config(), "images": 2, "neighbors": 80})
    near.build([(1, COUNT, 12), (1, COUNT, 5), (1, COUNT)])
    near.set_weights(layer.get_weights())
    x = in_cells(X, thin[None])
    np.testing.assert_allclose(convolve(near, x, F, HERE), convolve(near, *piece(thin, 3))[:, :COUNT], atol=1e-12)
    assert np.abs(convolve(layer, x, F, HERE) - convolve(near, x, F, HERE)).max() > 1e-2
    flat = np.stack([thin[0], thin[1], thin[0] + thin[1]])
    assert np.isfinite(convolve(layer, in_cells(X, flat[None]), F, HERE)).all(), "a cell without volume has no copies"
    np.testing.assert_allclose(least_heights(np.stack([thin, CELLS["none"], CELLS["one way"]])), [1, np.inf, 2.2])


def network(dtype):
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((COUNT, n), dtype=dtype) for n in (12, 5)] + [keras.Input((COUNT,), dtype="bool")]
    options = {"group": "SO3", "radius": RADIUS, "kernel_units": (8, 2), "neighbors": 40, "dtype": dtype}
    x, f, mask = layers.SteerablePointConv("5x0", "2x0 + 2x1", **options)(inputs)
    x, f, mask = layers.SteerablePointConv("2x0 + 2x1", "1x0", **options)([x, f, mask])
    return keras.Model(inputs, layers.SteerablePointPooling("1x0", "SO3", "sum", dtype=dtype)([x, f, mask]))


def test_forces_are_central_differences():
    model, cell = network("float64"), CELLS["skew"]
    wrapped = in_cells(X - np.floor(X @ np.linalg.inv(cell)) @ cell, cell[None])

    def found(model, x, dtype):
        parts = [ops.convert_to_tensor(a) for a in (x.astype(dtype), np.repeat(F, len(x), axis=0).astype(dtype))]
        return [*parts, ops.ones(x.shape[:2], "bool")]

    exact = EnergyAndForces(model, dtype="float64")(found(model, wrapped, "float64"))["forces"]
    exact, step = ops.convert_to_numpy(exact), 1e-5
    nudges = np.pad(step * np.eye(3 * COUNT).reshape(-1, COUNT, 3), ((0, 0), (0, 0), (0, 9)))
    ahead, behind = (ops.convert_to_numpy(model(found(model, wrapped + s * nudges, "float64")))[:, 0] for s in (1, -1))
    expected = ((behind - ahead) / (2 * step)).reshape(1, COUNT, 3)
    assert exact.shape == expected.shape
    np.testing.assert_allclose(exact, expected, atol=1e-8 * np.abs(exact).max())
    assert np.abs(exact.sum(axis=1)).max() < 1e-12 < 1e-2 < np.abs(exact).max()
    single = network("float32")
    single.set_weights(model.get_weights())
    forces = ops.convert_to_numpy(EnergyAndForces(single)(found(single, wrapped, "float32"))["forces"])
    np.testing.assert_allclose(forces, exact, atol=1e-4 * np.abs(exact).max())


def test_certified_and_refused_elsewhere():
    inputs = [keras.Input((COUNT, 12)), keras.Input((COUNT, 5)), keras.Input((COUNT,), dtype="bool")]
    p, f, m = layers.SteerablePointConv("2x0 + 1x1", "1x0 + 1x1", "SO3", RADIUS, 20)(inputs)
    model = keras.Model(inputs, layers.SteerablePointPooling("1x0 + 1x1", "SO3")([p, f, m]))
    report = ke.certify(model, dtypes=("float64",))
    assert report.exact and min(element.control for element in report.elements[1:]) > 1e-2
    with pytest.raises(ValueError, match="LieLift takes points that no cell repeats; use SteerablePointConv"):
        layers.LieLift("T3")(inputs)
    spec = {
        "spec": 1,
        "name": "lie",
        "input": {"shape": [COUNT, 2], "space": 3, "periodic": True},
        "layers": [{"LieLift": {"group": "T3"}}, {"LieConv": {"filters": 2, "group": "T3"}}, "LiePooling"],
    }
    with pytest.raises(ke.SpecError, match="takes points that no cell repeats"):
        ke.build_from_spec(spec)
    with pytest.raises(ke.SpecError, match="beside `space: 2` or `space: 3`"):
        ke.build_from_spec({**spec, "input": {"shape": [4, 4, 1], "periodic": True}})
