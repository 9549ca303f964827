"""Images that stay on disk as one array, for training sets larger than memory."""

import numpy as np

from keras_equivariant.data.rows import Rows


class Stored:
    """Rows of an array that are read when they are asked for.

    `stored[numbers]` with an array of row numbers is an array, `stored[10:20]` a shorter view that stays on disk, as is
    `stored.subset(numbers)`; `np.asarray(stored)` is the whole in memory.

    Args:
        count: number of rows on disk.
        row_shape: shape that a row is given.
        dtype: of the rows.
    """

    def __init__(self, count, row_shape, dtype):
        self.row_shape, self.dtype = tuple(row_shape), np.dtype(dtype)
        self._rows = np.arange(count)

    def read(self, numbers):
        """The rows of these numbers on disk, `(len(numbers), *row_shape)`."""
        raise NotImplementedError

    def __len__(self):
        return len(self._rows)

    @property
    def shape(self):
        return (len(self), *self.row_shape)

    @property
    def ndim(self):
        return len(self.shape)

    def subset(self, rows):
        """A view of these rows, by number or as a slice, that stays on disk."""
        view = object.__new__(type(self))
        view.__dict__ |= self.__dict__ | {"_rows": self._rows[rows]}
        return view

    def __getitem__(self, rows):
        if isinstance(rows, slice):
            if rows.step not in (None, 1):
                raise ValueError(f"Rows of files are sliced in steps of 1. Received: {rows}. Give an array of numbers.")
            return self.subset(rows)
        return self.read(self._rows[np.asarray(rows)])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[np.arange(len(self))], dtype)


class _Joined(Stored):
    """Arrays of like rows, some of them on disk, one after the other."""

    def __init__(self, arrays):
        self.arrays = list(arrays)
        self._ends = np.cumsum([len(array) for array in self.arrays])
        dtype = np.result_type(*(array.dtype for array in self.arrays))
        super().__init__(int(self._ends[-1]), self.arrays[0].shape[1:], dtype)

    def read(self, numbers):
        where = np.searchsorted(self._ends, numbers, side="right")
        found = np.empty((len(numbers), *self.row_shape), self.dtype)
        for number in np.unique(where):
            here = where == number
            start = self._ends[number] - len(self.arrays[number])
            found[here] = self.arrays[number][numbers[here] - start]
        return found


def joined(arrays):
    """Arrays of like rows as one, the rows of each behind those before; what stays on disk does so."""
    arrays = list(arrays)
    if isinstance(arrays[0], Rows):
        names = arrays[0].arrays
        return Rows(**{name: np.concatenate([rows.arrays[name] for rows in arrays]) for name in names})
    return _Joined(arrays) if any(isinstance(array, Stored) for array in arrays) else np.concatenate(arrays)
