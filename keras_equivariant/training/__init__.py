"""Training a network by its recipe, testing it at all angles, and keeping everything about a run in one folder."""

from keras_equivariant.data.boundaries import boundary_counts, boundary_scores
from keras_equivariant.training.compare import compare_runs
from keras_equivariant.training.evaluation import accuracy, accuracy_by_angle
from keras_equivariant.training.refit import refit_head
from keras_equivariant.training.results import TrainResult
from keras_equivariant.training.run import train
from keras_equivariant.training.seeds import SeedResults
from keras_equivariant.training.tasks.segmentation import pixel_scores
from keras_equivariant.utils.deprecation import moved

__all__ = [
    "SeedResults",
    "TrainResult",
    "accuracy",
    "accuracy_by_angle",
    "boundary_counts",
    "boundary_scores",
    "compare_runs",
    "pixel_scores",
    "refit_head",
    "train",
]

__getattr__ = moved(
    __name__,
    {
        **dict.fromkeys(("Estimate", "Match", "estimate", "match"), "keras_equivariant.costs"),
        **dict.fromkeys(("from_preset", "list_presets", "preset_info", "save_preset"), "keras_equivariant.presets"),
        "learn_basis": "keras_equivariant.training.bases",
        "rematerialize": "keras_equivariant.training.memory",
    },
)
