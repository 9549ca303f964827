"""Several arrays with the samples on axis 0 as one: inputs of networks on points, targets of several kinds."""

import numpy as np


class Rows:
    """Named arrays `(samples, ...)`, of which rows are taken together: `rows[10:20]`, `rows[numbers]`, `len(rows)`.

    Args:
        **arrays: one array each; all have the same length. Their order is that of a network's inputs.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data import Rows
        >>> Rows(positions=np.zeros((5, 4, 3)), mask=np.ones((5, 4)))[:2].arrays["mask"].shape
        (2, 4)
    """

    def __init__(self, **arrays):
        self.arrays = {name: np.asarray(array) for name, array in arrays.items()}
        lengths = {name: len(array) for name, array in self.arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"Arrays of rows must be equally many. Received: {lengths}. Drop what has no partner.")

    def __len__(self):
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, rows):
        return Rows(**{name: array[rows] for name, array in self.arrays.items()})

    @property
    def shape(self):
        """`(samples,)` and the shape of a row of the first array."""
        return next(iter(self.arrays.values())).shape

    @property
    def ndim(self):
        return len(self.shape)

    def __repr__(self):
        return f"<Rows of {', '.join(f'{name} {array.shape[1:]}' for name, array in self.arrays.items())}: {len(self)}>"


def parts_of(x):
    """The arrays of `Rows`, or an array alone, as a dict."""
    return x.arrays if isinstance(x, Rows) else {"x": x}


def rows_of(inputs, rows):
    """These rows of each array, as float32; what is true or false stays so."""
    found = {name: array[rows] for name, array in inputs.items()}
    return {name: a if a.dtype == bool else a.astype("float32", copy=False) for name, a in found.items()}


def as_inputs(arrays):
    """What a network takes: an array alone, or a tuple of several."""
    return arrays["x"] if "x" in arrays else tuple(arrays.values())


def as_targets(arrays):
    """What a loss takes: an array alone, or a dict of several."""
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))
