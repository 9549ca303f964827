"""Rotated MNIST: the published .amat files, a NumPy archive, or regenerated from MNIST."""

import io
import warnings
import zipfile
import zlib

import numpy as np

from keras_equivariant.data.archive import find, load_archive
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.rotation import rotate_images
from keras_equivariant.data.sets.mnist import load_mnist

ZIP = "mnist_rotation_new.zip"
AMAT_TRAIN = "mnist_all_rotation_normalized_float_train_valid.amat"
AMAT_TEST = "mnist_all_rotation_normalized_float_test.amat"
ARCHIVES = ("rotated_mnist.npz", "rotmnist_regen.npz")
TRAIN_COUNT, TEST_COUNT = 12_000, 50_000


def load_rotated_mnist(seed=0):
    """12,000 training digits (the last 2,000 meant as validation) and 50,000 test digits (28, 28, 1), all rotated.

    Looked for in this order in the folder KERAS_EQUIVARIANT_DATA: the published files (`mnist_rotation_new.zip` or
    its two .amat files), an archive (`rotated_mnist.npz`, `rotmnist_regen.npz`). Otherwise the set is regenerated from
    MNIST with `seed`; it is then described as regenerated, and results on it are no results on the published set.
    """
    path = find(ZIP)
    if path is not None:
        return _from_zip(path)
    train, test = find(AMAT_TRAIN), find(AMAT_TEST)
    if train is not None and test is not None:
        return _published(read_amat(train, str(train)), read_amat(test, str(test)))
    path = find(*ARCHIVES)
    if path is not None:
        return load_archive(
            path, name="rotated_mnist", description=f"rotated MNIST, regenerated ({path.name})", default_epochs=50
        )
    return regenerate(load_mnist(), seed)


def regenerate(mnist, seed=0, train_count=TRAIN_COUNT, test_count=TEST_COUNT):
    """Rotated MNIST by the published recipe: distinct digits, each rotated by its own uniform angle (cubic spline)."""
    images = np.concatenate([mnist.x_train, mnist.x_test])
    labels = np.concatenate([mnist.y_train, mnist.y_test])
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(images))[: train_count + test_count]
    rotated = rotate_images(images[chosen], rng.uniform(0, 360, len(chosen)))
    labels = labels[chosen]
    return Dataset(
        name="rotated_mnist",
        description=f"rotated MNIST, regenerated from MNIST with seed {seed}",
        x_train=rotated[:train_count],
        y_train=labels[:train_count],
        x_test=rotated[train_count:],
        y_test=labels[train_count:],
        default_epochs=50,
    )


def _from_zip(path):
    try:
        with zipfile.ZipFile(path) as archive:
            train, test = (
                read_amat(io.TextIOWrapper(archive.open(name), "ascii"), f"{path}:{name}")
                for name in (AMAT_TRAIN, AMAT_TEST)
            )
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, NotImplementedError) as error:
        raise ValueError(
            f"The rotated-MNIST archive must be a complete zip file of {AMAT_TRAIN} and {AMAT_TEST}. "
            f"Received: {path} ({error}). The file is damaged or another one: fetch it again."
        ) from error
    return _published(train, test)


def read_amat(source, label):
    """Images `(B, 28, 28)` and labels of an .amat file: text, a digit a line, 784 gray values, then the class."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an empty file gets an error, not a warning
            table = np.loadtxt(source, dtype="float32", ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            f"An .amat file must be lines of 785 numbers. Received: {label} ({error}). "
            "The file is damaged or incomplete: fetch it again."
        ) from error
    if table.shape[1:] != (785,) or not len(table):
        raise ValueError(
            f"An .amat file must be lines of 785 numbers (28x28 gray values, then the class). "
            f"Received: {label} with a table of shape {table.shape}. Fetch it again."
        )
    return table[:, :784].reshape(-1, 28, 28), table[:, 784]


def _published(train, test):
    return Dataset(
        name="rotated_mnist",
        description="rotated MNIST, the published files",
        x_train=train[0],
        y_train=train[1],
        x_test=test[0],
        y_test=test[1],
        default_epochs=50,
    )
