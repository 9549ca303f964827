"""Maps that the network itself flips and swaps, as a network that is averaged over a group does with its input.

A field holds k T(k^-1 x) for each move k. A tensor f T, the map T moved by an element f, has the entries of T in
another order, that of T for k at k f^-1: an operation on f T acts on T as its copy moved by f^-1 does, so that every
rule holds as it is, and only what is joined with it must stand in the same frame f.
"""

import numpy as np

from keras_equivariant.export.proof.field import Field
from keras_equivariant.export.proof.graph import NotCovered


class Frames:
    """How the elements that maps are in are composed.

    Args:
        moves: Moves, the identity first.
    """

    def __init__(self, moves):
        self.moves = moves
        self._known = {_key(move.matrix): i for i, move in enumerate(moves)}
        matrices = [move.matrix for move in moves]
        self._products = [[self._known.get(_key(a @ b)) for b in matrices] for a in matrices]
        self._inverse = [self._known.get(_key(a.T)) for a in matrices]

    def flipped(self, field, role):
        """The field of maps whose entries along an axis of space are in reverse order."""
        identity = tuple(range(len(self.moves[0].source)))
        flips = tuple(axis == role for axis in identity)
        flip = next((i for i, move in enumerate(self.moves) if move.source == identity and move.flips == flips), None)
        if flip is None:
            raise NotCovered("it flips maps as no element does")
        return Field(field.axes, self._after(field.ids, flip), self._products[flip][field.frame])

    def settled(self, field):
        """The field as it stands, where nothing but numbers without space is left of what was moved."""
        return self.moved_to(field, 0)

    def moved_to(self, field, frame):
        """The same field in another frame."""
        if field.frame == frame:
            return field
        if field.space:
            raise NotCovered("it joins maps of which the network moved one and not the other")
        change = self._products[frame][self._inverse[field.frame]]
        return Field(field.axes, self._after(field.ids, change), frame)

    def joined(self, values):
        """The values in one frame, that of the maps among them, and the frame."""
        fields = [value for value in values if isinstance(value, Field)]
        frames = {field.frame for field in fields if field.space} or {field.frame for field in fields}
        frame = frames.pop() if len(frames) == 1 else 0
        return [self.moved_to(v, frame) if isinstance(v, Field) else v for v in values], frame

    def numbers(self, field):
        """Ids by move of the input, in a table `(moves, entries)`."""
        return self._after(field.ids, self._inverse[field.frame]).reshape(len(self.moves), -1)

    def _after(self, ids, change):
        """Rows in another order: those of the products with one element."""
        return ids[[row[change] for row in self._products]]


def _key(matrix):
    return tuple(np.round(matrix).astype(int).ravel().tolist())
