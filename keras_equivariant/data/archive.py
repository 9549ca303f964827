"""A data set from one NumPy archive, and where archives are looked for."""

import glob
import logging
import os
from pathlib import Path

import numpy as np

from keras_equivariant.data import sizes
from keras_equivariant.data.dataset import Dataset, check_images, is_cube
from keras_equivariant.data.masks import Outside, check_no_values, check_values, numbered, told
from keras_equivariant.data.parts import PARTS
from keras_equivariant.data.shards import Shards, stored_array
from keras_equivariant.data.tables import TARGETS, as_targets
from keras_equivariant.data.targets import are_labels, several_classes, task_of, whole
from keras_equivariant.data.undivided import divided, keys_of
from keras_equivariant.utils.arrays import array_names, read_arrays

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("x_val", "y_val")
# The keys of MedMNIST's archives, and ours for the same arrays.
MEDMNIST = {
    f"{part}_{theirs}": f"{ours}_{part}"
    for part in ("train", "val", "test")
    for theirs, ours in (("images", "x"), ("labels", "y"))
}

log = logging.getLogger("keras_equivariant.data")


def data_directory():
    """The folder named by the environment variable KERAS_EQUIVARIANT_DATA, or None."""
    folder = os.environ.get("KERAS_EQUIVARIANT_DATA")
    return Path(folder).expanduser() if folder else None


def find(*file_names):
    """The first of `file_names` that exists in the data directory, or None."""
    folder = data_directory()
    candidates = [folder / name for name in file_names] if folder else []
    return next((path for path in candidates if path.is_file()), None)


def needed(file_name, what, holds="", instead=None):
    """The path of a file of the data directory; where it is not there, one error says what it is.

    Args:
        file_name: of the archive.
        what: what is read from it, as the first words of the error: "The nuclei are".
        holds: what it holds, and where it comes from.
        instead: a data set of the kind that needs no file.

    Raises:
        FileNotFoundError: it is not there, or there is no such directory.
    """
    path = find(file_name)
    if path is None:
        holds = f" ({holds})" if holds else ""
        other = f", or use --data {instead}, which needs no file" if instead else ""
        raise FileNotFoundError(
            f"{what} read from a file. Received: no {file_name} in the folder KERAS_EQUIVARIANT_DATA. Put it "
            f"there{holds}{other}."
        )
    return path


def load_archive(path, seed=0, size=None, fit="pad", target=None, mask_values=None, **details):
    """Load an .npz or .h5 file with the arrays x_train, y_train, x_test, y_test and, if wanted, x_val, y_val.

    MedMNIST's names of the same arrays (train_images, train_labels, val_images, ...) do as well. Of x and y alone
    (images, labels, masks) a fifth is drawn for testing, or `split` says train, val or test of each, and what has the
    same number in `groups`, such as images of a patient, stays together. Where y is as high and wide as x, it holds
    masks, and the data set is one for segmentation.

    Args:
        path: The file. Pickled arrays are refused, so an archive cannot run code.
        seed: Of the draw, where nothing says what is for testing.
        size, fit: Height and width (and depth) to bring all images to, as in `load_folder`.
        target: What y holds, where it does not look like it: "class", "labels" (several an image), "number", "angle" or
            "axis" (degrees), "vector".
        mask_values: What the classes have in masks, as in `load_folder`.
        **details: Further fields of `Dataset` (`name`, `description`, `default_epochs`).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated or no archive, an array is missing, or its shape, type or values do
            not describe images with labels or masks.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No such data file. Received: {path}. Give the path of an existing .npz or .h5 file.")
    names = keys_of(array_names(path))
    arrays = read_arrays(path, (*REQUIRED, *OPTIONAL, *MEDMNIST, "class_names", *names))
    if "class_names" in arrays:
        details = {"class_names": tuple(map(str, arrays.pop("class_names"))), **details}
    arrays = {MEDMNIST.get(key, key): array for key, array in arrays.items()}
    if not any(key in arrays for key in REQUIRED) and None not in names[:2]:
        name = f"{path} with {', '.join(arrays)},"
        arrays, groups = divided(name, *map(arrays.get, names), seed, target in (None, "class"))
        details = {**groups, **details}
    missing = [key for key in REQUIRED if key not in arrays]
    if missing or ("x_val" in arrays) != ("y_val" in arrays):
        raise ValueError(
            f"A data archive must hold {', '.join(REQUIRED)} (and x_val with y_val, if any), or MedMNIST's "
            "train_images, train_labels, test_images, test_labels, or x and y alone. "
            f"Received: {path} with {', '.join(array_names(path))}. Save it with numpy.savez(path, x_train=…, …)."
        )
    chosen = {key: arrays[key] for key in REQUIRED + OPTIONAL if key in arrays}
    _log_slices(path, chosen["x_train"].shape)
    found = {"task": _task(chosen), **_told(path, chosen, target)}
    if found["task"] == "multilabel" and "class_names" in details:
        details["target_names"] = details.pop("class_names")
    size = sizes.check_size(size, fit)
    check_values(mask_values)
    if size is not None:  # before the numbers of masks become those of classes: what they are padded with is one, too
        named = range(len(details.get("class_names", ()))) or None
        _resize(chosen, size, fit, found["task"], mask_values or named)
    if found["task"] == "segmentation":
        masks, values = _of_classes(
            {key: chosen[key] for key in chosen if key[:2] == "y_"}, mask_values, len(details.get("class_names", ()))
        )
        chosen |= masks
        found |= told(values) | ({} if values is None else {"reading": {"mask_values": values}})
    else:
        check_no_values(path, mask_values)
    return Dataset(**{"name": str(path), "description": f"images of {path.name}", **found, **chosen, **details})


def _task(arrays):
    """The task that all parts describe together: rows of 0 and 1 are labels only where they are so in each."""
    tasks = [task_of(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in PARTS if f"x_{part}" in arrays]
    if not are_labels(arrays["y_train"]):
        return tasks[0]
    if all(are_labels(arrays[f"y_{part}"]) for part in PARTS if f"y_{part}" in arrays):
        return "multilabel" if "multilabel" in tasks else "classification"
    return "regression" if "regression" in tasks else "classification"


def _log_slices(path, shape):
    """Name four axes that may be those of volumes without channels, which only cubes are taken for."""
    if len(shape) == 4 and not is_cube(shape) and shape[1] > 4 and shape[2] == shape[3] > 4:
        log.warning(
            "The images of %s, %s, are read as %d x %d pixels with %d channels. If they are volumes, save "
            "x[..., None]; if their channels are the first axis, numpy.moveaxis(x, 1, -1).",
            path,
            shape,
            *shape[1:],
        )


def _told(path, arrays, target):
    """The fields of the data set that `target` decides; the targets are brought into their form in place."""
    if target is None or target == "class":
        return {} if target is None else {"task": "classification"}
    if target not in TARGETS:
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}. Received: target={target!r}. Choose one.")
    fields = {}
    for key in [key for key in arrays if key.startswith("y_")]:
        numbers = np.asarray(arrays[key], "float64")
        if target == "vector" and numbers.ndim > 2:
            fields = {"task": "vectors", "target_type": "1x1"}
            continue
        numbers = numbers.reshape(len(numbers), -1)
        arrays[key], fields = as_targets(numbers, target, [f"y{i}" for i in range(numbers.shape[1])], str(path))
    return {**fields, "target_names": ()} if "target_names" in fields else fields


def _of_classes(masks, values, named):
    """Masks of all parts as class numbers, and the values of the classes; those of classes with names are numbers."""
    masks = whole(masks)
    if values is not None:
        return numbered(masks, values)
    if not all(mask.dtype.kind in "bui" for mask in masks.values()) or not several_classes(masks.values()):
        return masks, None
    most = max(int(mask.max()) for mask in masks.values())
    return (masks, tuple(range(max(named, most + 1)))) if named else numbered(masks)


def _resize(arrays, size, fit, task, values=None):
    outside = Outside(size, fit, values)
    for key in [key for key in arrays if key[:2] == "y_" and task == "segmentation"]:
        images, masks = arrays[f"x_{key[2:]}"].shape, arrays[key].shape
        if masks[: 1 + len(size)] != images[: 1 + len(size)]:
            raise ValueError(
                f"A mask has the size of its image. Received: {key} of shape {masks} for images of shape {images}. "
                "Save masks (count, height, width)."
            )
        outside.look_at(arrays[key], key, masks[1 : 1 + len(size)])
    for key in [key for key in arrays if key[:2] == "x_" or task == "segmentation"]:
        axes = arrays[key].ndim - 1
        images = arrays[key][..., None] if axes == len(size) else arrays[key]
        if images.ndim != len(size) + 2:
            raise ValueError(
                f"`size` has a number for each axis of an image. Received: size={size} for {key} of shape "
                f"{arrays[key].shape}. Give the height and width, of volumes the depth too."
            )
        if key[:2] == "x_":
            sizes.announce({images.shape[1:-1]: len(images)}, size, fit)
        arrays[key] = np.stack([sizes.fitted(image, size, fit, key[:2] == "y_") for image in images])
        if key[:2] == "y_":
            arrays[key] = outside.filled(arrays[key], key)


def load_shards(pattern):
    """Load the files that match `pattern`, such as `set/*.npz`, in the order of their names, as one data set.

    Each holds some of the arrays of an archive: x_train with y_train (labels), x_test with y_test, or both. The
    training images stay on disk, so that they may be larger than memory; everything else is read.

    Raises:
        FileNotFoundError: No file matches.
        ValueError: A file is damaged or compressed, an array is missing, or the files hold different kinds of images.
    """
    paths = sorted(glob.glob(str(Path(pattern).expanduser())))
    if not paths:
        raise FileNotFoundError(f"No such data files. Received: {pattern}. Give a pattern such as 'set/*.npz'.")
    rest = ("y_train", "x_test", "y_test")
    found, files, kinds = {key: [] for key in rest}, [], set()
    for path in paths:
        names = array_names(path)
        for key, array in read_arrays(path, rest).items():
            found[key].append(array)
        if "x_train" in names:
            images = stored_array(path, "x_train")
            checked = check_images(path, "train", images)
            if checked.dtype != images.dtype:
                raise ValueError(
                    f"Files of a training set hold uint8 or float32. Received: {path} with x_train of dtype "
                    f"{images.dtype}. Save it as {checked.dtype}."
                )
            files.append((path, len(images)))
            kinds.add((checked.shape[1:], str(checked.dtype)))
        if ("x_train" in names) != ("y_train" in names) or ("x_test" in names) != ("y_test" in names):
            raise ValueError(
                f"A file must hold the labels of its images. Received: {path} with {', '.join(names)}. Save x_train "
                "with y_train, x_test with y_test."
            )
    if len(kinds) != 1 or not found["x_test"]:
        raise ValueError(
            "The files of a data set hold training images of one shape and dtype, and test images somewhere. "
            f"Received: {pattern} with {sorted(kinds) or 'no x_train'} and {len(found['x_test'])} x_test. "
            "Save them alike."
        )
    ((row_shape, dtype),) = kinds
    parts = {key: np.concatenate(arrays) for key, arrays in found.items()}
    if task_of(parts["x_test"], parts["y_test"]) != "classification":
        raise ValueError(f"Several files hold labels, no masks. Received: {pattern}. Save the masks' set as one file.")
    images = Shards(files, "x_train", row_shape, dtype)
    return Dataset(str(pattern), f"images of {len(paths)} files {Path(pattern).name}", x_train=images, **parts)
