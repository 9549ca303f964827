"""Features of a folded model in the Fourier basis of a group, between blocks: transformed back where that is needed.

The coefficients of a layer in blocks, in front of its inverse transform, are those of the next such layer: what lies
between, the inverse transform and the transform, is a matrix for each irrep that its weights absorb. Sums of features
are sums of their coefficients.
"""

import keras
import numpy as np

from keras_equivariant.ops.additions import add_up


class Coefficients:
    """Features `(B, *space, order fields)`, given by their Fourier coefficients.

    Attributes:
        fourier: FastFourier of the group.
        pieces: a tensor for each row of each block, `(B, *pixels, dim fields)`; volumes have two axes of pixels.
        shape: of the features.
    """

    def __init__(self, fourier, pieces, shape, reshape):
        self.fourier, self.pieces, self.shape, self._reshape = fourier, pieces, tuple(shape), reshape
        self._values = None

    def values(self):
        """The features themselves; transformed back once."""
        if self._values is None:
            self._values = self._reshape(keras.ops.concatenate(add_up(self._columns(), self.fourier.inverse), axis=-1))
        return self._values

    def _columns(self):
        sizes = [block.dim for block in self.fourier.blocks for _ in range(block.rows)]
        columns = []
        for size, piece in zip(sizes, self.pieces, strict=True):
            columns += [piece] if size == 1 else keras.ops.split(piece, size, axis=-1)
        return columns

    def like(self, other):
        """Whether two features are of one group, with the same axes."""
        same = self.fourier is other.fourier and self.shape == other.shape
        return same and all(a.shape == b.shape for a, b in zip(self.pieces, other.pieces, strict=True))


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
    is_sum = type(operation).__name__ == "Add"  # the layer's name, and that of the operation of keras.ops
    if not is_sum or not all(isinstance(x, Coefficients) and x.like(first) for x in tensors):
        return None
    pieces = first.pieces
    for other in tensors[1:]:
        pieces = [keras.ops.add(a, b) for a, b in zip(pieces, other.pieces, strict=True)]
    return Coefficients(first.fourier, pieces, first.shape, first._reshape)
