"""Data sets by name."""

from __future__ import annotations

import difflib
import inspect
import os
from pathlib import Path
from typing import Any

from keras_equivariant.data.archive import load_archive, load_shards
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.sets.atoms import holds_atoms, load_atoms
from keras_equivariant.data.sets.cells import load_cells
from keras_equivariant.data.sets.cifar10 import load_cifar10
from keras_equivariant.data.sets.digits import load_digits, load_rotated_digits
from keras_equivariant.data.sets.membranes import load_isbi2012_em
from keras_equivariant.data.sets.mnist import load_mnist
from keras_equivariant.data.sets.rotated_mnist import load_rotated_mnist
from keras_equivariant.data.sets.tetris import load_tetris
from keras_equivariant.data.sets.voxels import load_adrenalmnist3d, load_modelnet10, load_shapes

LOADERS = {
    "digits": load_digits,
    "rotated_digits": load_rotated_digits,
    "mnist": load_mnist,
    "rotated_mnist": load_rotated_mnist,
    "cifar10": load_cifar10,
    "cells": load_cells,
    "isbi2012_em": load_isbi2012_em,
    "shapes": load_shapes,
    "tetris": load_tetris,
    "modelnet10": load_modelnet10,
    "adrenalmnist3d": load_adrenalmnist3d,
}


def names() -> tuple[str, ...]:
    """The names `load` knows; it also takes the path of an .npz file."""
    return tuple(LOADERS)


def check_name(name):
    """Raise unless `name` is a known name or looks like the path of an .npz file."""
    if name in LOADERS or str(name).endswith(".npz"):
        return
    near = difflib.get_close_matches(str(name), LOADERS, n=1)
    hint = f'Did you mean "{near[0]}"?' if near else f"Use one of {', '.join(LOADERS)}, or the path of an .npz file."
    raise ValueError(f'Unknown data set. Received: "{name}". {hint}')


def load(name: str | os.PathLike[str], seed: int = 0, **options: Any) -> Dataset:
    """Load a data set.

    Args:
        name: `"digits"`, `"rotated_digits"`, `"mnist"`, `"rotated_mnist"`, `"cifar10"`; for segmentation `"cells"`,
            `"isbi2012_em"`; of volumes `"shapes"`, `"tetris"`, `"modelnet10"`, `"adrenalmnist3d"`; or the path of an
            .npz file with the arrays x_train, y_train, x_test, y_test (and x_val, y_val), or MedMNIST's names of them,
            where y holds labels, or masks as high and wide as the images. With positions of atoms, positions_train and
            so on, in place of x it becomes densities. A pattern such as `set/*.npz` names several such files; their
            training images stay on disk.
        seed: Seed of the sets that are made rather than read (random angles).
        **options: Of some sets: `size` of the images of "cells", of the volumes of "shapes" and "tetris" and of
            densities, `tile` of "isbi2012_em", in pixels; `draws` and `places` of "tetris"; `voxel_size` of densities.

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
        known = [key for key in inspect.signature(LOADERS[name]).parameters if key != "seed"]
        unknown = [key for key in options if key not in known]
        if unknown:
            raise ValueError(
                f'Unknown option of a data set. Received: {unknown[0]} for "{name}". '
                f"It takes {', '.join(known) or 'none but `seed`'}."
            )
        return LOADERS[name](seed=seed, **options)
    path = Path(name).expanduser()
    shards = any(mark in str(name) for mark in "*?[") and not path.is_file()
    atoms = not shards and holds_atoms(path)
    if set(options) - ({"size", "voxel_size"} if atoms else set()):
        raise ValueError(f"A data archive takes no options. Received: {', '.join(options)} for {name}. Leave them out.")
    if shards:
        return load_shards(name)
    return load_atoms(path, **options) if atoms else load_archive(path)
