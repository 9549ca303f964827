"""Clouds of points of an archive, with a label each, as a data set for classification."""

from pathlib import Path

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.parts import rows_of_parts
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.elements import with_places
from keras_equivariant.data.sets.points import load_point_cloud
from keras_equivariant.utils.arrays import array_names

LABELS = ("y", "label", "labels", "class", "classes")


def load_labeled_clouds(path, seed=0, target=None, points=None):
    """Clouds of an .npz file with `positions` `(clouds, N, d)` and labels, and `values` `(clouds, N, C)` and `mask`
    `(clouds, N)` if it has them; places at NaN hold no point.

    Args:
        path: the file. An array `split` says train, val or test of each cloud; without one a fifth is drawn for
            testing, each class in its share.
        seed: of the draw.
        target: name of the array of labels, numbers or texts; by default `y`, `label`, `labels`, `class` or `classes`.
        points: places for points, enough for the largest cloud; by default those of the file.

    Raises:
        ValueError: no labels, or not one for each cloud; clouds for training or testing are missing.
    """
    cloud = load_point_cloud(path)
    name = target or next((name for name in LABELS if name in cloud.targets), None)
    labels = cloud.targets.get(name)
    if labels is None or labels.size != len(cloud):
        raise ValueError(
            f"Clouds of points have a label each, in an array called {', '.join(LABELS)} or as target= says. Received: "
            f"{path} with {', '.join(array_names(path))}. Save the labels beside `positions`; energies and forces are "
            "learned of molecules, with charges `z`."
        )
    labels = labels.ravel()
    arrays = zip(("positions", "values", "mask"), cloud.inputs, strict=True)
    rows = Rows(**{key: with_places(array, points, cloud.mask) for key, array in arrays})
    parts = rows_of_parts(path, "clouds", labels, cloud.targets.get("split"), seed)
    return Dataset(
        name=str(path),
        description=f"{len(cloud):,} clouds of points of {Path(path).name}",
        reading={"points": rows.shape[1]},
        **{f"x_{part}": rows[numbers] for part, numbers in parts.items()},
        **{f"y_{part}": labels[numbers] for part, numbers in parts.items()},
    )


def holds_clouds(path):
    """Whether a file is an archive with positions of points."""
    try:
        return "positions" in array_names(path)
    except (ValueError, OSError):
        return False  # whoever reads it as an archive of images says what is wrong
