"""Training a network by its recipe, testing it at all angles, and keeping everything about a run in one folder."""

from keras_equivariant.training.compare import compare_runs
from keras_equivariant.training.estimate import Estimate, estimate
from keras_equivariant.training.evaluation import accuracy, accuracy_by_angle
from keras_equivariant.training.learned import learn_basis
from keras_equivariant.training.match import Match, match
from keras_equivariant.training.preset import from_preset, list_presets, preset_info, save_preset
from keras_equivariant.training.refit import refit_head
from keras_equivariant.training.rematerialize import rematerialize
from keras_equivariant.training.run import TrainResult, train
from keras_equivariant.training.segmentation import pixel_scores

__all__ = [
    "Estimate",
    "Match",
    "TrainResult",
    "accuracy",
    "accuracy_by_angle",
    "compare_runs",
    "estimate",
    "from_preset",
    "learn_basis",
    "list_presets",
    "match",
    "pixel_scores",
    "preset_info",
    "refit_head",
    "rematerialize",
    "save_preset",
    "train",
]
