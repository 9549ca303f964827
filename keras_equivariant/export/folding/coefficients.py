"""Features of a folded model in the Fourier basis of a group, between blocks: transformed back where that is needed.

The coefficients of a layer in blocks, in front of its inverse transform, are those of the next such layer: what lies
between, the inverse transform and the transform, is a matrix for each irrep that its weights absorb. Sums of features
are sums of their coefficients. And a function of each number between two such layers is taken of the features of each
element: they are not joined to be split again.
"""

import keras
import numpy as np

from keras_equivariant.ops.additions import add_up
from keras_equivariant.stock.operations import is_sum


class Apart:
    """Features `(B, *space, order fields)` that are joined only where something reads them so.

    Attributes:
        fourier: FastFourier of the group.
        shape: of the features.
        flat: whether the parts are those of a volume with two axes of pixels.
        reshape: function from the joined parts to the features.
    """

    def __init__(self, fourier, shape, flat, reshape):
        self.fourier, self.shape, self.flat, self.reshape = fourier, tuple(shape), flat, reshape
        self._parts = self._values = None

    def parts(self):
        """A tensor for each element of the group, `(B, *pixels, fields)`."""
        if self._parts is None:
            self._parts = self._apart()
        return self._parts

    def values(self):
        """The features themselves."""
        if self._values is None:
            self._values = self._joined()
        return self._values

    @property
    def joined(self):
        """Whether they were made joined, so that the parts would be made again."""
        return self._values is not None and self._parts is None

    def _joined(self):
        return self.reshape(keras.ops.concatenate(self.parts(), axis=-1))


class Coefficients(Apart):
    """Features that are given by their Fourier coefficients.

    Attributes:
        pieces: a tensor for each row of each block, `(B, *pixels, dim fields)`.
    """

    def __init__(self, fourier, pieces, shape, reshape):
        super().__init__(fourier, shape, len(pieces[0].shape) < len(shape), reshape)
        self.pieces = pieces

    def _apart(self):
        sizes = [block.dim for block in self.fourier.blocks for _ in range(block.rows)]
        columns = []
        for size, piece in zip(sizes, self.pieces, strict=True):
            columns += [piece] if size == 1 else keras.ops.split(piece, size, axis=-1)
        return add_up(columns, self.fourier.inverse)

    def like(self, other):
        """Whether two features are of one group, with the same axes."""
        same = self.fourier is other.fourier and self.shape == other.shape
        return same and all(a.shape == b.shape for a, b in zip(self.pieces, other.pieces, strict=True))


class Mapped(Apart):
    """A function of each number of such features, taken of the parts or of the whole, whichever is read first."""

    def __init__(self, features, function):
        super().__init__(features.fourier, features.shape, features.flat, features.reshape)
        self._features, self._function = features, function

    def _apart(self):
        return [self._function(part) for part in self._features.parts()]

    def _joined(self):
        return super()._joined() if self._parts is not None else self._function(self._features.values())


def transformed(fourier, at_elements):
    """The pieces of features that are given as a tensor for each element."""
    numbers, pieces = add_up(at_elements, fourier.forward), []
    for block in fourier.blocks:
        for row in range(block.rows):
            start = block.start + row * block.dim
            given = numbers[start : start + block.dim]
            pieces.append(given[0] if block.dim == 1 else keras.ops.concatenate(given, axis=-1))
    return pieces


def block_weights(block, kernel, of_coefficients):
    """The matrix of a block, `(dim fields, dim filters)`, of the kernel `(order, fields, filters)`.

    With `of_coefficients` the input is what another layer's blocks give. The weights of the convolution that does
    nothing lie between that and what the transform gives.
    """
    weights = block.weights @ np.linalg.inv(block.weights[0]) if of_coefficients else block.weights
    matrix = np.tensordot(weights, kernel, axes=(0, 0)).transpose(1, 2, 0, 3)
    return matrix.reshape(block.dim * kernel.shape[1], block.dim * kernel.shape[2])


def summed(operation, tensors):
    """The sum of features that are all given by coefficients alike; None for other operations and tensors."""
    first = tensors[0] if tensors else None
    if not is_sum(operation) or not all(isinstance(x, Coefficients) and x.like(first) for x in tensors):
        return None
    pieces = first.pieces
    for other in tensors[1:]:
        pieces = [keras.ops.add(a, b) for a, b in zip(pieces, other.pieces, strict=True)]
    return Coefficients(first.fourier, pieces, first.shape, first.reshape)
