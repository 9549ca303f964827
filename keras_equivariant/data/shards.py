"""Images of several .npz files as one array that stays on disk, for training sets larger than memory."""

import functools
import os
import zipfile

import numpy as np

from keras_equivariant.data.stored import Joined

OPEN_FILES = 64


class Shards(Joined):
    """The array `key` of several files, one after the other.

    Args:
        files: `(path, number of rows)` of each file.
        key: Name of the array in each.
        row_shape: Shape that a row is given.
        dtype: Of the arrays.
    """

    def __init__(self, files, key, row_shape, dtype):
        self.files, self.key = tuple(files), key
        super().__init__([count for _, count in self.files], row_shape, dtype)

    def part(self, place, numbers):
        path, _ = self.files[place]
        return stored_array(path, self.key)[numbers].reshape(-1, *self.row_shape)


def stored_array(path, key):
    """An array of an .npz file as a map of the file into memory, of which only what is used is read.

    Raises:
        ValueError: The file is damaged, compressed, or holds no such plain array.
    """
    try:
        return _mapped(path, key, os.stat(path).st_mtime_ns)
    except Exception as error:  # those of zipfile and of NumPy's parser have no common base
        raise ValueError(
            f"Files of a training set are read where they lie. Received: {path} with {key} ({error}). Save them again "
            "with numpy.savez, not savez_compressed."
        ) from error


@functools.lru_cache(maxsize=OPEN_FILES)
def _mapped(path, key, changed):
    """The map, opened once as long as the file is not `changed`."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        member = archive.getinfo(f"{key}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError("it is compressed")
        file.seek(member.header_offset + 26)  # the lengths of name and extra field, then they, then the content
        lengths = np.frombuffer(file.read(4), "<u2")
        file.seek(int(lengths.sum()), 1)
        version = np.lib.format.read_magic(file)
        read_header = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}[version[0]]
        shape, fortran, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError("it holds Python objects")
        return np.memmap(path, dtype, "r", file.tell(), shape, "F" if fortran else "C")
