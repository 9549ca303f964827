"""Data sets of images and volumes with labels or masks by name, and the input pipeline that feeds them to `fit`."""

from keras_equivariant.data.augment import Augment
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.folders import load_folder
from keras_equivariant.data.pipeline import evaluation_parts, evaluation_pipeline, reading_pipeline, training_pipeline
from keras_equivariant.data.preprocess import Preprocess
from keras_equivariant.data.registry import load, names, register
from keras_equivariant.data.rotation import rotate_images, rotate_volumes
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.atoms import density
from keras_equivariant.data.sets.dead_leaves import dead_leaves
from keras_equivariant.data.sets.points import (
    PointSet,
    in_cells,
    load_molecules,
    load_point_cloud,
    load_xyz,
    points_of_images,
)
from keras_equivariant.data.sets.xyz import load_extended_xyz
from keras_equivariant.data.shards import Shards
from keras_equivariant.data.stored import Stored
from keras_equivariant.data.tables import load_table

__all__ = [
    "Augment",
    "Dataset",
    "PointSet",
    "Preprocess",
    "Rows",
    "Shards",
    "Stored",
    "dead_leaves",
    "density",
    "evaluation_parts",
    "evaluation_pipeline",
    "in_cells",
    "load",
    "load_extended_xyz",
    "load_folder",
    "load_molecules",
    "load_point_cloud",
    "load_table",
    "load_xyz",
    "names",
    "points_of_images",
    "reading_pipeline",
    "register",
    "rotate_images",
    "rotate_volumes",
    "training_pipeline",
]
