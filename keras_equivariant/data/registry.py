"""Data sets by name."""

import difflib
from pathlib import Path

from keras_equivariant.data.archive import load_archive
from keras_equivariant.data.cifar10 import load_cifar10
from keras_equivariant.data.digits import load_digits, load_rotated_digits
from keras_equivariant.data.mnist import load_mnist
from keras_equivariant.data.rotated_mnist import load_rotated_mnist

LOADERS = {
    "digits": load_digits,
    "rotated_digits": load_rotated_digits,
    "mnist": load_mnist,
    "rotated_mnist": load_rotated_mnist,
    "cifar10": load_cifar10,
}


def names():
    """The names `load` knows; it also takes the path of an .npz file."""
    return tuple(LOADERS)


def check_name(name):
    """Raise unless `name` is a known name or looks like the path of an .npz file."""
    if name in LOADERS or str(name).endswith(".npz"):
        return
    near = difflib.get_close_matches(str(name), LOADERS, n=1)
    hint = f'Did you mean "{near[0]}"?' if near else f"Use one of {', '.join(LOADERS)}, or the path of an .npz file."
    raise ValueError(f'Unknown data set. Received: "{name}". {hint}')


def load(name, seed=0):
    """Load a data set.

    Args:
        name: `"digits"`, `"rotated_digits"`, `"mnist"`, `"rotated_mnist"`, `"cifar10"`, or the path of an .npz file
            with the arrays x_train, y_train, x_test, y_test (and x_val, y_val).
        seed: Seed of the sets that are made rather than read (random angles).

    Returns:
        A `Dataset`.

    Raises:
        ValueError: Unknown name, or a file that is damaged or holds something else.
        FileNotFoundError, ConnectionError: The data are neither on disk nor to be had from the network.

    Example:

    >>> import keras_equivariant as ke
    >>> ke.data.load("digits").x_train.shape
    (1297, 28, 28, 1)
    """
    check_name(name)
    if name in LOADERS:
        return LOADERS[name](seed=seed)
    return load_archive(Path(name))
