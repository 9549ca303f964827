"""Numbers and vectors in units of their own: what is learned and measured does not depend on them."""

import types

import keras
import numpy as np
import pytest

from keras_equivariant.data import Dataset
from keras_equivariant.data.vectors import angles_between, have_direction
from keras_equivariant.training.losses import AngularError
from keras_equivariant.training.tasks import TASKS
from keras_equivariant.training.tasks.regression import spread

RNG = np.random.default_rng(0)
UNITS = (1e-15, 1e-7, 1.0, 1e6)


@pytest.mark.parametrize("unit", UNITS)
def test_angles_do_not_depend_on_the_length(unit):
    angles = np.deg2rad([0, 10, 90, 170])
    first = np.repeat([[unit, 0.0]], 4, axis=0).astype("float32")
    second = (unit * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype("float32")
    np.testing.assert_allclose(angles_between(first, second), [0, 10, 90, 170], atol=0.05)
    metric = AngularError()
    metric.update_state(second, first)
    np.testing.assert_allclose(float(metric.result()), 67.5, atol=0.05)
    assert have_direction(second).all() and not have_direction(0 * second).any()


@pytest.mark.parametrize("unit", UNITS)
def test_scores_of_vectors_see_those_of_any_length(unit, monkeypatch):
    task, wanted = TASKS["vectors"], (unit * RNG.normal(size=(9, 2))).astype("float32")
    found = task._scores(wanted[:, ::-1] * np.array([-1, 1], "float32"), wanted)
    assert found["angle_error"] == pytest.approx(90, abs=1e-3)
    assert found["relative_length_error"] == pytest.approx(np.sqrt(2), rel=1e-3)


@pytest.mark.parametrize(("unit", "layers"), [(1e-7, 1), (1.0, 0), (1e6, 1)])
def test_a_network_answers_in_the_units_of_the_vectors(unit, layers):
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    x, y = RNG.random((20, 4, 4, 1)).astype("float32"), (unit * RNG.normal(size=(20, 2))).astype("float32")
    dataset = Dataset("set", "", x, y, x, y, task="vectors", target_type="1x1")
    scaled = TASKS["vectors"].scaled(model, dataset)
    assert len(scaled.layers) == len(model.layers) + layers
    length = np.sqrt(np.mean(np.square(y, dtype="float64"))) if layers else 1.0
    np.testing.assert_allclose(scaled(x), length * np.asarray(model(x)), rtol=1e-5)


def test_numbers_in_small_units_are_told_from_those_that_are_all_alike():
    numbers = RNG.normal(size=(50, 2)) * [1e-19, 0]
    np.testing.assert_allclose(spread(numbers.astype("float32")), [numbers[:, 0].std(), 1.0], rtol=1e-4)


def test_a_table_of_errors_by_angle_shows_those_of_any_unit():
    for unit in UNITS:
        lines = TASKS["regression"].angle_table({"mae_by_angle": {"0": 0.3 * unit, "90": 0.6 * unit}}).splitlines()
        assert [float(line.split()[1]) for line in lines] == pytest.approx([0.3 * unit, 0.6 * unit])
        assert [line.count("#") for line in lines] == [25, 50]


def test_the_explained_part_is_that_in_any_unit_and_none_of_numbers_that_are_alike():
    x = RNG.random((8, 4, 4, 1)).astype("float32")
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    y = np.asarray(model(x))
    for unit in (1.0, 1e-9):
        answer = keras.Sequential([keras.Input((4, 4, 1)), model, keras.layers.Rescaling(unit)])
        assert TASKS["regression"].scores(answer, x, unit * y)["r2"] == pytest.approx(1, abs=1e-5)
    assert set(TASKS["regression"].scores(model, x, np.ones_like(y))) == {"mae"}


def test_numbers_that_are_all_alike_are_nothing_to_learn():
    x, y = RNG.random((8, 4, 4, 1)).astype("float32"), np.full((8, 1), 1.5, "float32")
    dataset = Dataset("set", "", x, y, x, y, task="regression", target_names=("weight",))
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    recipe = types.SimpleNamespace(task=None, loss=None)
    network = types.SimpleNamespace(name="net", model=model, recipe=recipe)
    with pytest.raises(ValueError, match="differ between examples.*weight is 1.5 in all 8"):
        TASKS["regression"].check(network, dataset)
