"""Clouds of points of an archive as a data set, with what they say: a class, numbers or a vector each."""

from pathlib import Path

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.parts import rows_of_parts
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.elements import with_places
from keras_equivariant.data.sets.names import NAMES
from keras_equivariant.data.sets.points import load_point_cloud
from keras_equivariant.data.targets import is_one_hot, task_of
from keras_equivariant.data.undivided import SPLIT, groups_of
from keras_equivariant.utils.arrays import array_names, as_numbers, read_arrays
from keras_equivariant.utils.periodic import space_of

LABELS = ("y", "label", "labels", "class", "classes", "target", "targets")
KINDS = ("class", "number", "vector")


def load_labeled_clouds(path, seed=0, target=None, points=None):
    """Clouds of an .npz file with `positions` `(clouds, N, d)` and what they say, and `values` `(clouds, N, C)` and
    `mask` `(clouds, N)` if it has them; places at NaN hold no point.

    Texts, whole numbers and one-hot rows are classes, other numbers, one or several a cloud, are learned as such.
    Whether as many as there are coordinates are numbers or a vector, `target` says.

    Args:
        path: the file. An array `split` says train, val or test of each cloud; without one a fifth is drawn for
            testing, each class in its share. What has the same number in `groups`, such as clouds of one patient, stays
            together. `class_names` are those of class numbers.
        seed: of the draw.
        target: name of the array of what is learned, by default `y`, `label`, `labels`, `class`, `classes`, `target` or
            `targets`; or what that array holds: `"class"`, `"number"`, or `"vector"` `(clouds, d)`, which rotates with
            its cloud.
        points: places for points, enough for the largest cloud; by default those of the file.

    Raises:
        ValueError: nothing to learn, or not for each cloud; clouds for training or testing are missing.
    """
    cloud = load_point_cloud(path)
    arrays = zip(("positions", "values", "mask"), cloud.inputs, strict=True)
    rows = Rows(**{key: with_places(array, points, cloud.mask) for key, array in arrays})
    said, fields = _said(path, cloud, target)
    of_classes = fields["task"] == "classification"
    groups = groups_of(cloud.targets)
    labels = _alone(said) if of_classes else np.zeros((len(cloud), 1))
    parts = rows_of_parts(path, "clouds", labels, cloud.targets.get(SPLIT), seed, groups, leave=of_classes)
    names = read_arrays(path, ("class_names",)).get("class_names") if of_classes else None
    return Dataset(
        name=str(path),
        description=f"{len(cloud):,} clouds of points of {Path(path).name}",
        reading={"points": rows.shape[1]},
        class_names=() if names is None else tuple(map(str, names.ravel())),
        groups=None if groups is None else groups[parts["train"]],
        **fields,
        **{f"x_{part}": rows[numbers] for part, numbers in parts.items()},
        **{f"y_{part}": said[numbers] for part, numbers in parts.items()},
    )


def _said(path, cloud, target):
    """`(what each cloud says, fields of the Dataset)`: classes and numbers as an array, vectors as `Rows`."""
    found = cloud.targets
    kind = target if target in KINDS and target not in found else None
    name = target if target in found else next((name for name in LABELS if name in found), None)
    if name is None or target not in (None, kind, name):
        listed = ", ".join(array_names(path))
        raise ValueError(
            f"Clouds of points have a label each, or numbers, in an array called {', '.join(LABELS)} or as target= "
            f"says. Received: {path} with {listed}{'' if target is None else f' and target={target!r}'}. Save them "
            f"beside `positions`, name the array, or say what it holds, --target {', '.join(KINDS)}; energies and "
            "forces are learned of molecules, with charges `z`."
        )
    said, d = found[name], space_of(cloud.positions.shape[-1])
    vector = kind == "vector" or kind is None and name in NAMES["dipole"]
    if kind is None and not vector and said.shape[1:] == (d,) and task_of(said, said) == "regression":
        raise ValueError(
            f"Clouds of points have a label each, numbers or a vector. Received: {path} with {name} of shape "
            f"{said.shape}, {d} numbers for each cloud in {d} dimensions, which may be either. Say which, "
            "--target number, or --target vector if they rotate with their cloud."
        )
    if said.ndim > 2 or vector and said.shape[1:] != (d,):
        raise ValueError(
            "Clouds of points have a label each, a number or several, (clouds,) or (clouds, n), or a vector, (clouds, "
            f"{d}). Received: {path} with {name} of shape {said.shape} for {len(cloud)} clouds of points in {d} "
            "dimensions. Save them so, or choose another array, --target NAME."
        )
    if vector:  # the targets of molecules rotate with their points
        vectors = as_numbers(said, "float64", f"Targets, {name} of {path},")
        return Rows(dipole=vectors), {"task": "molecules", "target_names": (name,)}
    task = {"class": "classification", "number": "regression"}.get(kind) or task_of(said, said)
    if task == "classification":
        return said, {"task": task}
    count = 1 if said.ndim == 1 else said.shape[1]
    names = (name,) if count == 1 else tuple(f"{name}{i}" for i in range(count))
    return said.reshape(len(cloud), count), {"task": task, "target_names": names}


def _alone(labels):
    """Classes as an entry a cloud, by which they are drawn."""
    return np.argmax(labels, axis=1) if is_one_hot(labels) else labels.reshape(len(labels), -1)[:, 0]


def holds_clouds(path):
    """Whether a file is an archive with positions of points."""
    try:
        return "positions" in array_names(path)
    except (ValueError, OSError):
        return False  # whoever reads it as an archive of images says what is wrong
