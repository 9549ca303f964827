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


class Joined(Stored):
    """Rows that lie in several places, one after the other.

    Args:
        counts: how many rows lie in each.
        row_shape, dtype: as of `Stored`.
    """

    def __init__(self, counts, row_shape, dtype):
        self._ends = np.cumsum(counts)
        super().__init__(int(self._ends[-1]), row_shape, dtype)

    def part(self, place, numbers):
        """The rows of these numbers, counted from 0, of one place."""
        raise NotImplementedError

    def read(self, numbers):
        where = np.searchsorted(self._ends, numbers, side="right")
        starts = np.concatenate([[0], self._ends])
        found = np.empty((len(numbers), *self.row_shape), self.dtype)
        for place in np.unique(where):
            here = where == place
            found[here] = self.part(place, numbers[here] - starts[place])
        return found


class _Arrays(Joined):
    """Arrays of like rows, some of them on disk, one after the other."""

    def __init__(self, arrays):
        self.arrays = list(arrays)
        dtype = np.result_type(*(array.dtype for array in self.arrays))
        super().__init__([len(array) for array in self.arrays], self.arrays[0].shape[1:], dtype)

    def part(self, place, numbers):
        return self.arrays[place][numbers]


def joined(arrays):
    """Arrays of like rows as one, the rows of each behind those before; what stays on disk does so."""
    arrays = list(arrays)
    if isinstance(arrays[0], Rows):
        names = arrays[0].arrays
        return Rows(**{name: np.concatenate([rows.arrays[name] for rows in arrays]) for name in names})
    return _Arrays(arrays) if any(isinstance(array, Stored) for array in arrays) else np.concatenate(arrays)
