"""Images of several .npz files as one array that stays on disk, for training sets larger than memory."""

import functools
import os
import zipfile

import numpy as np

OPEN_FILES = 64


class Shards:
    """The array `key` of several files, one after the other; rows are read when they are asked for.

    `shards[numbers]` with an array of row numbers is an array, `shards[10:20]` a shorter view that stays on disk,
    `np.asarray(shards)` the whole in memory.

    Args:
        files: `(path, number of rows)` of each file.
        key: Name of the array in each.
        row_shape: Shape that a row is given.
        dtype: Of the arrays.
        rows: `(start, stop)` of the rows of all files together that are part of this array; None for all.
    """

    def __init__(self, files, key, row_shape, dtype, rows=None):
        self.files, self.key, self.row_shape, self.dtype = tuple(files), key, tuple(row_shape), np.dtype(dtype)
        self._ends = np.cumsum([count for _, count in self.files])
        self._start, self._stop = rows or (0, int(self._ends[-1]))

    def __len__(self):
        return self._stop - self._start

    @property
    def shape(self):
        return (len(self), *self.row_shape)

    @property
    def ndim(self):
        return len(self.shape)

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise ValueError(f"Rows of files are sliced in steps of 1. Received: {rows}. Give an array of numbers.")
            within = self._start + start, self._start + max(start, stop)
            return Shards(self.files, self.key, self.row_shape, self.dtype, within)
        rows = np.asarray(rows) + self._start
        where = np.searchsorted(self._ends, rows, side="right")
        found = np.empty((len(rows), *self.row_shape), self.dtype)
        for number in np.unique(where):
            path, count = self.files[number]
            here = where == number
            stored = stored_array(path, self.key)[rows[here] - (self._ends[number] - count)]
            found[here] = stored.reshape(-1, *self.row_shape)
        return found

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[np.arange(len(self))], dtype)


def stored_array(path, key):
    """An array of an .npz file as a map of the file into memory, of which only what is used is read.

    Raises:
        ValueError: The file is damaged, compressed, or holds no such plain array.
    """
    try:
        return _mapped(path, key, os.stat(path).st_mtime_ns)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
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
