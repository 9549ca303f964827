"""Recipes become Keras optimizers and schedules, in epochs; wrong names get the nearest right one."""

import keras
import numpy as np
import pytest

from keras_equivariant.data import Augment
from keras_equivariant.training.recipe import Recipe


def rates(recipe, epochs, steps=10):
    schedule = recipe.make_optimizer(steps, epochs)._learning_rate
    return np.array([float(schedule(step)) for step in range(epochs * steps)])


def test_defaults_and_the_published_recipe():
    optimizer = Recipe().make_optimizer(10, 3)
    assert type(optimizer) is keras.optimizers.Adam and np.isclose(float(optimizer.learning_rate), 1e-3)
    recipe = Recipe.from_dict(
        {
            "dataset": "cifar10",
            "optimizer": {"SGD": {"learning_rate": 0.05, "momentum": 0.9}},
            "augment": {"flip": "horizontal", "translate": 2},
            "preprocess": ["contrast", "zca", {"resize": 33}],
        }
    )
    optimizer = recipe.make_optimizer(10, 3)
    assert type(optimizer) is keras.optimizers.SGD and optimizer.momentum == 0.9
    assert recipe.augment == Augment(flip="horizontal", translate=2) and recipe.augment.fill == "reflect"
    assert Recipe.from_dict({"optimizer": "Lion"}).make_optimizer(1, 1).name == "lion"


def test_exponential_falls_from_its_start_on():
    recipe = Recipe.from_dict(
        {"optimizer": {"SGD": {"learning_rate": 0.5}}, "schedule": {"exponential": {"start": 2, "factor": 0.5}}}
    )
    rate = recipe.make_optimizer(steps_per_epoch=10, epochs=5)._learning_rate
    assert [round(float(rate(step)), 6) for step in (0, 19, 20, 29, 30, 49)] == [0.5, 0.5, 0.25, 0.25, 0.125, 0.0625]


def test_piecewise_drops_at_the_start_of_the_named_epochs():
    recipe = Recipe.from_dict(
        {"optimizer": {"SGD": {"learning_rate": 0.5}}, "schedule": {"piecewise": {"epochs": [2, 3], "factor": 0.1}}}
    )
    np.testing.assert_allclose(rates(recipe, 4), np.repeat([0.5, 0.5, 0.05, 0.005], 10), rtol=1e-6)


def test_cosine_falls_from_the_rate_to_the_final_fraction():
    recipe = Recipe.from_dict({"schedule": {"cosine": {"final": 0.1}}})
    found = rates(recipe, 5)
    assert np.isclose(found[0], 1e-3) and (np.diff(found) < 0).all()
    assert np.isclose(float(recipe.make_optimizer(10, 5)._learning_rate(50)), 1e-4)
    warm = rates(Recipe.from_dict({"schedule": {"cosine": {"warmup_epochs": 2}}}), 5)
    assert warm[0] == 0 and np.argmax(warm) == 20 and np.isclose(warm[20], 1e-3) and warm[-1] < 1e-5


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"epoch": 3}, 'Unknown name in `training`. Received: "epoch". Did you mean "epochs"?'),
        ({"augment": {"rotation": 3}}, 'training.augment`. Received: "rotation". Did you mean "rotate"?'),
        ({"schedule": {"cosin": {}}}, 'Did you mean "cosine"?'),
        ({"schedule": {"piecewise": {"epoch": [1]}}}, 'Did you mean "epochs"?'),
    ],
)
def test_wrong_names(training, message):
    with pytest.raises(ValueError) as error:
        Recipe.from_dict(training)
    assert message in str(error.value)


def test_an_unknown_optimizer():
    with pytest.raises(ValueError, match='Received: "Adma". Did you mean "Adam"?'):
        Recipe.from_dict({"optimizer": {"Adma": {}}}).make_optimizer(1, 1)
