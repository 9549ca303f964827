"""A fixed change of basis within the fields of typed features."""

import functools
import operator

import numpy as np
from keras import ops

from keras_equivariant.ops.activations import planes


def change_basis(x, layout, matrices):
    """M v for each field v, the same M for all fields of a block: features `(..., D)` to `(..., D')`.

    Component by component, so that what is 0 costs nothing and nothing is rounded but by M itself.

    Args:
        layout: tuple of `(dim, multiplicity)`, one per block.
        matrices: for each block a NumPy array `(new dim, dim)` without rows of zeros.
    """
    found = []
    for components, matrix in zip(planes(x, layout), matrices, strict=True):
        for row in matrix:
            terms = [_times(row[i], components[i]) for i in np.flatnonzero(row)]
            found.append(functools.reduce(operator.add, terms))
    return found[0] if len(found) == 1 else ops.concatenate(found, axis=-1)


def _times(factor, x):
    return x if factor == 1 else -x if factor == -1 else float(factor) * x
