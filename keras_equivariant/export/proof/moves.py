"""What the elements of a group do to axes of space: they swap and flip them."""

import numpy as np

from keras_equivariant.groups import grid


class Move:
    """One element that maps the pixel grid onto itself.

    Args:
        name: of the element.
        matrix: signed permutation.
    """

    def __init__(self, name, matrix):
        self.name, self.matrix = name, np.asarray(matrix)
        moved = grid.index_matrix(self.matrix)
        self.source = tuple(int(a) for a in np.argmax(np.abs(moved), axis=1))
        self.flips = tuple(bool(moved[a, b] < 0) for a, b in enumerate(self.source))

    def array(self, values, first_axis=0):
        """The moved array, whose axes from the first one on are those of space."""
        return grid.permute_pixels(values, self.matrix, first_axis)

    def windows(self, windows):
        """The windows, one per axis of space, that do to the moved input what these do to the input."""
        found = (windows[a] for a in self.source)
        return tuple(w.flipped() if w and flip else w for w, flip in zip(found, self.flips, strict=True))

    def axes(self, axes):
        """Where the axes of space go."""
        return frozenset(a for a, b in enumerate(self.source) if b in axes)

    def pixels(self, sizes):
        """The pixel that each pixel moves to, as flat indices."""
        before = np.arange(int(np.prod(sizes))).reshape(sizes)
        after = np.empty(before.size, np.int64)
        after[self.array(before).ravel()] = before.ravel()
        return after

    def fits(self, sizes):
        return all(sizes[a] == sizes[b] for a, b in enumerate(self.source))


def moves_of(group):
    """The Moves of a group's elements that map the grid onto itself, the identity first."""
    group = group.on_grid
    return [Move(name, np.round(matrix)) for name, matrix in zip(group.element_names, group.matrices, strict=True)]
