"""Data sets by name."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_equivariant.data.archive import find, load_archive, load_shards
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.folders import load_folder
from keras_equivariant.data.sets.atoms import holds_atoms, load_atoms
from keras_equivariant.data.sets.cells import load_cells
from keras_equivariant.data.sets.cifar10 import load_cifar10, load_cifar10_jpeg
from keras_equivariant.data.sets.clouds import holds_clouds, load_labeled_clouds
from keras_equivariant.data.sets.digits import load_digits, load_rotated_digits
from keras_equivariant.data.sets.flows import load_flows
from keras_equivariant.data.sets.histology import load_crchisto27
from keras_equivariant.data.sets.membranes import load_isbi2012_em
from keras_equivariant.data.sets.mnist import load_mnist
from keras_equivariant.data.sets.molecules import holds_molecules, load_clusters, load_molecule_set
from keras_equivariant.data.sets.nuclei import load_dsb2018_nuclei
from keras_equivariant.data.sets.oriented import load_oriented_digits
from keras_equivariant.data.sets.photographs import load_bsds500
from keras_equivariant.data.sets.qm9 import load_qm9
from keras_equivariant.data.sets.rotated_mnist import load_rotated_mnist
from keras_equivariant.data.sets.tetris import load_tetris, load_tetris_points
from keras_equivariant.data.sets.voxels import load_adrenalmnist3d, load_modelnet10, load_shapes
from keras_equivariant.data.sets.xyz import SUFFIXES as FRAMES
from keras_equivariant.data.sets.xyz import load_extended_xyz
from keras_equivariant.data.tables import load_table
from keras_equivariant.utils import hdf5
from keras_equivariant.utils.arrays import naming
from keras_equivariant.utils.text import nearest

_PACKAGED = {
    "digits": load_digits,
    "rotated_digits": load_rotated_digits,
    "mnist": load_mnist,
    "rotated_mnist": load_rotated_mnist,
    "cifar10": load_cifar10,
    "cifar10_jpeg": load_cifar10_jpeg,
    "crchisto27": load_crchisto27,
    "cells": load_cells,
    "isbi2012_em": load_isbi2012_em,
    "dsb2018_nuclei": load_dsb2018_nuclei,
    "bsds500": load_bsds500,
    "shapes": load_shapes,
    "tetris": load_tetris,
    "tetris_points": load_tetris_points,
    "modelnet10": load_modelnet10,
    "adrenalmnist3d": load_adrenalmnist3d,
    "oriented_digits": load_oriented_digits,
    "clusters": load_clusters,
    "qm9": load_qm9,
    "flows": load_flows,
}


_SUFFIXES = (".npz", *hdf5.SUFFIXES, ".csv", *FRAMES)
_loaders = dict(_PACKAGED)


def names() -> tuple[str, ...]:
    """The names `load` knows, those of the package first; it also takes the path of an .npz file."""
    return tuple(_loaders)


def register(name: str, loader: Callable[..., Dataset]) -> Callable[..., Dataset]:
    """Makes a data set known by its name, for `load`, `train(data=...)`, recipes and the command line.

    A name registered again takes the place of the former one.

    Args:
        name: str of letters, digits, `_` and `-`.
        loader: Function that returns a `Dataset`. It is called as `loader(seed=seed, **options)`, with the options of
            `load`; one without a parameter `seed` is called without.

    Returns:
        The loader.

    Raises:
        ValueError: `name` has other characters, or is the name of a packaged data set.
        TypeError: `loader` cannot be called.

    Example:

    >>> import numpy as np
    >>> import keras_equivariant as ke
    >>> def stripes(seed=0, size=8):
    ...     rng = np.random.default_rng(seed)
    ...     x = rng.uniform(size=(40, size, size, 1)).astype("float32")
    ...     y = np.arange(40) % 2
    ...     x[y == 1, ::2] = 0
    ...     return ke.data.Dataset("stripes", "random stripes", x[:30], y[:30], x[30:], y[30:])
    >>> _ = ke.data.register("stripes", stripes)
    >>> ke.data.load("stripes", size=6).image_shape
    (6, 6, 1)
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", str(name)):
        raise ValueError(f"A data set's name must consist of letters, digits, '_' and '-'. Received: {name!r}")
    if name in _PACKAGED:
        raise ValueError(
            f"A data set's name must differ from those of the package, {', '.join(_PACKAGED)}. Received: {name!r}"
        )
    if not callable(loader):
        raise TypeError(f"A `loader` must be a function that returns a Dataset. Received: {loader!r}")
    _loaders[name] = loader
    return loader


def check_name(name):
    """Raise unless `name` is a known name, or the path of a folder or of a file that can be read."""
    if not isinstance(name, str | os.PathLike):
        raise TypeError(
            f"Data are a name, a path, or a `Dataset` of arrays. Received: {type(name).__name__}. Make one: "
            "ke.data.Dataset(name, description, x_train, y_train, x_test, y_test)."
        )
    if name in _loaders or str(name).lower().endswith(_SUFFIXES):
        return
    if str(name).strip() and Path(name).expanduser().is_dir():
        return
    if Path(name).expanduser().is_file():
        raise ValueError(f"Unknown kind of file. Received: {name}. {_converted(Path(name))}")
    hint = nearest(
        name, _loaders, f"Use one of {', '.join(_loaders)}, or the path of a folder, .npz, .h5, .csv or .xyz file."
    )
    raise ValueError(f'Unknown data set. Received: "{name}". {hint}')


def _converted(path):
    """How a file becomes one that can be read."""
    suffix = path.suffix.lower()
    if suffix in (".cif", ".mol", ".pdb", ".sdf", ".vasp"):
        first = " (of an .sdf file its first molecule: split it before)" if suffix == ".sdf" else ""
        return (
            f"Convert molecules and crystals with ASE, `ase convert {path.name} {path.stem}.xyz`{first}, the energy of "
            'each as atoms.info["energy"].'
        )
    if suffix in (".las", ".laz", ".obj", ".off", ".pcd", ".ply", ".stl"):
        return (
            "Save the points of all clouds in an .npz file: `positions` (clouds, points, 3) and labels or numbers `y`."
        )
    return (
        "Save arrays as x_train, y_train, x_test and y_test, or x and y, in an .npz or .h5 file, a table of file names "
        "as .csv, pictures in a folder for each class."
    )


def check_options(options):
    """Raise where options of a data set name an argument of `load` itself."""
    for key in ("name", "seed"):
        if key in options:
            raise ValueError(
                f"`{key}` is no option of a data set. Received: {key}={options[key]!r} among its options. "
                + ("Write --seed, or seed=, by itself." if key == "seed" else "Write --data, or data=, by itself.")
            )


def load(name: str | os.PathLike[str], seed: int = 0, **options: Any) -> Dataset:
    """Load a data set.

    Args:
        name: One of `ke.data.names()`: `"digits"`, `"rotated_digits"`, `"mnist"`, `"rotated_mnist"`, `"cifar10"`,
            `"cifar10_jpeg"`, `"crchisto27"`; for segmentation `"cells"`, `"isbi2012_em"`, `"dsb2018_nuclei"`,
            `"bsds500"`; of molecules `"clusters"`, `"qm9"`; of points `"tetris_points"`; of volumes `"shapes"`,
            `"tetris"`, `"modelnet10"`, `"adrenalmnist3d"`; a name that `ke.data.register` made known; or the path of an
            .npz or .h5 file with the arrays x_train, y_train, x_test, y_test (and x_val, y_val), or MedMNIST's names of
            them, or x and y alone, perhaps with `split` and `groups`; y holds labels, or masks as high and wide as the
            images. With positions of atoms, positions_train and so on, in place of x it becomes densities, with charges
            `z` and positions `pos` molecules, with `positions` and labels or numbers `y` clouds of points. A
            folder holds a folder of pictures for each class, or `images` and `masks`; a .csv file names files and what
            they show; an .xyz file holds molecules (see `tutorials/guides/your_data.md`). A pattern such as
            `set/*.npz` names several such files; their training images stay on disk.
        seed: Seed of the sets that are made rather than read (random angles), and of what is drawn for testing.
        **options: Of some sets: `size` of the images of "cells", of the volumes of "shapes" and "tetris" and of
            densities, `size` and `fit` of "dsb2018_nuclei", `tile` of "isbi2012_em", in pixels; `size` and `crops` of
            "bsds500"; `target` of "bsds500", "crchisto27" and "qm9"; `draws` and `places` of "tetris" and
            "tetris_points"; `voxel_size` of densities, and of volumes in a folder, which are resampled to it. Of files:
            `size=(height, width)` and `fit="pad"` or `"resize"` for images of other sizes; `target`, what numbers are:
            "class", "number", "angle", "axis", "vector", of molecules and clouds the name of an array, or of what the
            frames of an .xyz file say; `mask_values`, what the classes have in masks (see `load_folder`); `test` of an
            .xyz file, another to test on, and `periodic`, whether its cells count. Of all molecules: `elements`, the
            charges that a network is to tell apart, and `points`, places for their atoms, or for the points of clouds,
            which a run keeps, so that other files are read as its own.

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
    options = {key: value for key, value in options.items() if value is not None}
    if name in _loaders:
        return _load_named(name, seed, options)
    path, shards = _place_of(name)
    loader, known = _loader_of(path, shards)
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ValueError(
            f"Unknown option of a data set. Received: {unknown[0]} for {name}. It takes {', '.join(known) or 'none'}."
        )
    with naming(name if shards else path):
        return loader(name if shards else path, **({"seed": seed} if loader in _DRAWN else {}), **options)


def options_of(name):
    """The names of the options that `load` takes for a data set; None where it takes any."""
    check_name(name)
    if name not in _loaders:
        return _loader_of(*_place_of(name))[1]
    parameters = inspect.signature(_loaders[name]).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return None if anything else tuple(key for key in parameters if key != "seed")


def _place_of(name):
    """The path of a file or a folder, and whether it is the pattern of several files."""
    path = Path(name).expanduser()
    return path, any(mark in str(name) for mark in "*?[") and not path.is_file()


# Of which a part for testing may be drawn.
_DRAWN = (load_folder, load_table, load_extended_xyz, load_molecule_set, load_labeled_clouds, load_archive)


def _loader_of(path, shards):
    """What reads a file, a folder or several files, and its options."""
    suffix = path.suffix.lower()
    if shards:
        return load_shards, ()
    if path.is_dir():
        return load_folder, ("size", "fit", "target", "voxel_size", "bits", "mask_values")
    if suffix == ".csv":
        return load_table, ("size", "fit", "target", "bits")
    if suffix in FRAMES:
        return load_extended_xyz, ("test", "periodic", "target", "elements", "points")
    if holds_atoms(path):
        return load_atoms, ("size", "voxel_size")
    if holds_molecules(find(str(path)) or path):
        return load_molecule_set, ("target", "elements", "points")
    if holds_clouds(path):
        return load_labeled_clouds, ("target", "points")
    return load_archive, ("size", "fit", "target", "mask_values")


def _load_named(name, seed, options):
    loader, known = _loaders[name], options_of(name)
    unknown = [] if known is None else [key for key in options if key not in known]
    if unknown:
        raise ValueError(
            f'Unknown option of a data set. Received: {unknown[0]} for "{name}". '
            f"It takes {', '.join(known) or 'none but `seed`'}."
        )
    seeded = {"seed": seed} if "seed" in inspect.signature(loader).parameters else {}
    dataset = loader(**seeded, **options)
    if not isinstance(dataset, Dataset):
        raise TypeError(
            "The loader of a data set must return a keras_equivariant.data.Dataset. "
            f'Received: {type(dataset).__name__} from the loader of "{name}"'
        )
    return dataset if dataset.name == name else dataclasses.replace(dataset, name=name)
