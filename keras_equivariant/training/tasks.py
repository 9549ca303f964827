"""Tasks by the name that a data set gives."""

from keras_equivariant.training.classification import Classification
from keras_equivariant.training.segmentation import Segmentation

TASKS = {task.name: task for task in (Classification(), Segmentation())}


def task_of(dataset):
    """The `Task` of a `Dataset`."""
    return TASKS[dataset.task]
