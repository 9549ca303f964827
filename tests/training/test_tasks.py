"""The tasks: each declares itself in one file, and what other parts know of it agrees."""

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.compiler.grammar import recipe
from keras_equivariant.compiler.grammar.recipe import LOSSES
from keras_equivariant.data import targets
from keras_equivariant.training.network import make_network
from keras_equivariant.training.tasks import TASKS, Task, task_of


def test_a_task_says_all_that_is_asked_of_it():
    for name, task in TASKS.items():
        assert task.name == name and isinstance(task, Task)
        for method in ("make_loss", "metrics", "scores", "score_by_angle", "summary", "text"):
            assert getattr(type(task), method) is not getattr(Task, method), f"{name} has no {method}"
        assert task.score and task.score_text and task.losses and all(task.result)


def test_data_sets_and_recipes_know_the_same_tasks():
    assert set(targets._CHECKS) == set(TASKS) == set(recipe.TASKS)
    assert {loss for task in TASKS.values() for loss in task.losses} == set(LOSSES)
    with pytest.raises(ValueError, match="`task` must be one of classification, .*. Received: x"):
        targets.check_targets("regresion", "x", "train", np.zeros(3), np.zeros((3, 4, 4, 1)))


def test_networks_that_learn_forces_have_smooth_energies():
    dataset = ke.data.load("clusters", target="forces")
    task = task_of(dataset)
    network = make_network("lieconv_molecules", dataset, {"width": 8, "layers": 1})
    assert task.parameters(dataset)["neighborhood"] == "cutoff"
    convolutions = [layer for layer in network.model._flatten_layers() if hasattr(layer, "neighborhood")]
    assert convolutions and {layer.neighborhood for layer in convolutions} == {"cutoff"}
    chosen = make_network("lieconv_molecules", dataset, {"width": 8, "layers": 1, "neighborhood": "nearest"})
    assert {x.neighborhood for x in chosen.model._flatten_layers() if hasattr(x, "neighborhood")} == {"nearest"}
