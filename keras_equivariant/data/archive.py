"""A data set from one NumPy archive, and where archives are looked for."""

import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.targets import task_of

REQUIRED = ("x_train", "y_train", "x_test", "y_test")
OPTIONAL = ("x_val", "y_val")
# The keys of MedMNIST's archives, and ours for the same arrays.
MEDMNIST = {
    f"{part}_{theirs}": f"{ours}_{part}"
    for part in ("train", "val", "test")
    for theirs, ours in (("images", "x"), ("labels", "y"))
}


def data_directory():
    """The folder named by the environment variable KERAS_EQUIVARIANT_DATA, or None."""
    folder = os.environ.get("KERAS_EQUIVARIANT_DATA")
    return Path(folder).expanduser() if folder else None


def find(*file_names):
    """The first of `file_names` that exists in the data directory, or None."""
    folder = data_directory()
    candidates = [folder / name for name in file_names] if folder else []
    return next((path for path in candidates if path.is_file()), None)


def load_archive(path, **details):
    """Load an `.npz` file with the arrays x_train, y_train, x_test, y_test and, if wanted, x_val, y_val.

    MedMNIST's names of the same arrays (train_images, train_labels, val_images, ...) do as well. Where y is as high and
    wide as x, it holds masks, and the data set is one for segmentation.

    Args:
        path: The file. Pickled arrays are refused, so an archive cannot run code.
        **details: Further fields of `Dataset` (`name`, `description`, `default_epochs`).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated or no archive, an array is missing, or its shape, type or values do
            not describe images with labels or masks.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No such data file. Received: {path}. Give the path of an existing .npz file.")
    arrays = read_arrays(path, (*REQUIRED, *OPTIONAL, *MEDMNIST))
    arrays = {MEDMNIST.get(key, key): array for key, array in arrays.items()}
    missing = [key for key in REQUIRED if key not in arrays]
    if missing or ("x_val" in arrays) != ("y_val" in arrays):
        raise ValueError(
            f"A data archive must hold {', '.join(REQUIRED)} (and x_val with y_val, if any), or MedMNIST's "
            "train_images, train_labels, test_images, test_labels. "
            f"Received: {path} with {', '.join(arrays) or 'nothing'}. Save it with numpy.savez(path, x_train=…, …)."
        )
    chosen = {key: arrays[key] for key in REQUIRED + OPTIONAL if key in arrays}
    task = task_of(chosen["x_train"], chosen["y_train"])
    return Dataset(**{"name": str(path), "description": f"images of {path.name}", "task": task, **chosen, **details})


def read_arrays(path, keys=REQUIRED + OPTIONAL):
    """The arrays of an archive that are among `keys`; every damage becomes one ValueError."""
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("the file holds a single array")
        with archive:
            return {key: archive[key] for key in archive.files if key in keys}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"A data archive must be a complete .npz file of plain arrays. Received: {path} ({error}). "
            "The file is damaged, incomplete or of another kind: make or fetch it again."
        ) from error
