"""The tasks, one file each: how a network for one kind of answer is compiled, judged and reported."""

from keras_equivariant.training.tasks.classification import Classification
from keras_equivariant.training.tasks.segmentation import Segmentation
from keras_equivariant.training.tasks.task import Task

TASKS = {task.name: task for task in (Classification(), Segmentation())}

__all__ = ["TASKS", "Classification", "Segmentation", "Task", "task_of"]


def task_of(dataset):
    """The `Task` of a `Dataset`."""
    return TASKS[dataset.task]
