"""Recipes become Keras optimizers and schedules, in epochs; wrong names get the nearest right one."""

import keras
import numpy as np
import pytest
import yaml

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
        ({"epoch": 3}, 'recipe: epoch: unknown key. Did you mean "epochs"?'),
        ({"augment": {"rotation": 3}}, 'augment.rotation: unknown key. Did you mean "rotate"?'),
        ({"schedule": {"cosin": {}}}, 'Did you mean "cosine"?'),
        ({"schedule": "cosin"}, 'Did you mean "cosine"?'),
        ({"schedule": "piecewise"}, '`piecewise` needs the key "epochs"'),
        ({"schedule": {"piecewise": {"epoch": [1]}}}, 'Did you mean "epochs"?'),
        ({"optimizer": {"Adamm": {}}}, 'Did you mean "Adam"?'),
        ({"optimizer": ["Adam"]}, "optimizer: must be one optimizer"),
        ({"class_weight": "blanced"}, "class_weight: must be one of balanced. Received: 'blanced'"),
        ({"class_weight": {0: 5, 1: 1}}, "class_weight: must be one of balanced. Received: a mapping"),
        ({"epochs": 2.5}, "epochs: must be a whole number from 1. Received: 2.5"),
        ({"batch_size": "big"}, "batch_size: must be a whole number from 1. Received: 'big'"),
        ({"keep_best": "no"}, "keep_best: must be true or false. Received: 'no'"),
        ({"refit_head": "no"}, "refit_head: must be true or false. Received: 'no'"),
        ({"early_stopping": 0}, "early_stopping: must be a whole number from 1. Received: 0"),
        ({"early_stopping": -1}, "early_stopping: must be a whole number from 1. Received: -1"),
        ({"shuffle_block": 0}, "shuffle_block: must be a whole number from 1. Received: 0"),
        ({"lie_derivative_penalty": -1}, "lie_derivative_penalty: must be a number from 0. Received: -1"),
        ({"augment": {"rotate": "full"}}, "augment.rotate: must be degrees from 0 to 180. Received: 'full'"),
        ({"preprocess": [{"resize": 0}]}, "preprocess[0]: must be contrast, zca or {resize: pixels}"),
        ([3], "must be a mapping"),
    ],
)
def test_mistakes(training, message):
    with pytest.raises(ValueError) as error:
        Recipe.from_dict(training)
    assert message in str(error.value)


def test_what_is_none_is_as_declared():
    given = {"loss": None, "epochs": None, "augment": {"rotate": 90, "flip": None}, "preprocess": None}
    assert Recipe.from_dict(given) == Recipe(augment=Augment(rotate=90)) and Recipe.from_dict(None) == Recipe()


def test_a_schedule_by_its_name_alone():
    for short in ("cosine", {"cosine": {}}):
        assert Recipe.from_dict({"schedule": short}).schedule == {"cosine": {}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("augment: {rotate:180}", 'augment.rotate:180: unknown key.*"rotate: 180"'),
        ("optimizer: {Adam:{learning_rate:0.01}}", 'learning_rate:0.01: unknown argument.*"learning_rate: 0.01"'),
        ("schedule: {cosine: {warmup_epochs:5}}", 'warmup_epochs:5: unknown key.*"warmup_epochs: 5"'),
        ("augment: {rotat: }", "augment.rotat: unknown key. Did you mean"),
        ("foo: ", "foo: unknown key"),
    ],
)
def test_names_that_there_are_not_are_refused_without_a_value_too(text, said):
    """YAML reads `{rotate:180}` as a name without a value, and it did nothing."""
    with pytest.raises(ValueError, match=said):
        Recipe.from_dict(yaml.safe_load(text))
    assert Recipe.from_dict({"augment": {"rotate": None}, "epochs": None}) == Recipe.from_dict({})
    assert Recipe.from_dict({"optimizer": {"SGD": None}}).optimizer == {"SGD": {}}
