"""Membranes of cells, to be marked pixel by pixel: electron micrographs from a file."""

import numpy as np

from keras_equivariant.data.archive import needed
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.utils.arrays import read_arrays

ARCHIVE = "isbi2012_em.npz"
VALIDATION_SLICES, TEST_SLICES = range(21, 24), range(24, 30)


def load_isbi2012_em(seed=0, tile=128):
    """Membranes in 30 slices of nerve tissue (ISBI 2012): tiles (tile, tile, 1), uint8; 1 in the mask = membrane.

    Split by slice, so that no tile has its like in another part: 0 to 20 for training, 21 to 23 for validation,
    24 to 29 for testing. The slices of 512x512 pixels are cut to tiles that do not overlap; with 128, 336, 48 and 96 of
    them. `seed` has no effect.

    Raises:
        FileNotFoundError: isbi2012_em.npz is not in the folder KERAS_EQUIVARIANT_DATA.
        ValueError: the file holds something else, or `tile` is larger than a slice.
    """
    holds = "x of shape (30, 512, 512), y with 1 = cell and 0 = membrane"
    path = needed(ARCHIVE, "The slices are", holds, "cells")
    arrays = read_arrays(path, ("x", "y"))
    shapes = [arrays[key].shape for key in ("x", "y") if key in arrays]
    if len(shapes) != 2 or shapes[0] != shapes[1] or len(shapes[0]) != 3 or len(arrays["x"]) <= TEST_SLICES[-1]:
        raise ValueError(
            f"The slices must be arrays x and y of shape (30, height, width). Received: {path} with {shapes}. "
            "The file is another one: fetch it again."
        )
    if not 1 <= tile <= min(shapes[0][1:]):
        raise ValueError(
            f"`tile` must be from 1 to the size of a slice. Received: tile={tile} of {shapes[0][1:]}. Use 128, say."
        )
    x, y = arrays["x"], (arrays["y"] == 0).astype("uint8")
    parts = {"train": slice(VALIDATION_SLICES[0]), "val": VALIDATION_SLICES, "test": TEST_SLICES}
    cut = {
        f"{key}_{part}": tiles(array[which], tile)
        for key, array in (("x", x), ("y", y))
        for part, which in parts.items()
    }
    return Dataset(
        name="isbi2012_em",
        description=f"ISBI 2012 membranes, tiles of {tile}x{tile}",
        task="segmentation",
        default_epochs=40,
        default_batch_size=8,
        groups=np.repeat(np.arange(VALIDATION_SLICES[0]), len(cut["x_train"]) // VALIDATION_SLICES[0]),
        **cut,
    )


def tiles(images, size):
    """Images `(B, H, W)` cut to `(B n, size, size)` from the top left; what is left over is dropped."""
    count, rows, columns = len(images), images.shape[1] // size, images.shape[2] // size
    cut = images[:, : rows * size, : columns * size].reshape(count, rows, size, columns, size)
    return np.ascontiguousarray(cut.swapaxes(2, 3)).reshape(-1, size, size)
