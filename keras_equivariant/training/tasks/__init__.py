"""The tasks, one file each: how a network for one kind of answer is compiled, judged and reported."""

from keras_equivariant.training.tasks.classification import Classification
from keras_equivariant.training.tasks.molecules import Molecules
from keras_equivariant.training.tasks.multilabel import Multilabel
from keras_equivariant.training.tasks.regression import Regression
from keras_equivariant.training.tasks.segmentation import Segmentation
from keras_equivariant.training.tasks.task import Task
from keras_equivariant.training.tasks.trajectories import Trajectories
from keras_equivariant.training.tasks.vectors import Vectors

TASKS = {
    task.name: task
    for task in (
        Classification(),
        Multilabel(),
        Segmentation(),
        Regression(),
        Vectors(),
        Molecules(),
        Trajectories(),
    )
}

__all__ = [
    "TASKS",
    "Classification",
    "Molecules",
    "Multilabel",
    "Regression",
    "Segmentation",
    "Task",
    "Trajectories",
    "Vectors",
    "task_of",
]


def task_of(dataset):
    """The `Task` of a `Dataset`, with what it takes from the data."""
    return TASKS[dataset.task].of(dataset)
