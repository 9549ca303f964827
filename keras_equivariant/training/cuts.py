"""Where to cut a chain of layers into runs that are computed a second time: where the worst moment needs least."""

import numpy as np

HALVINGS = 24  # of the interval in which the least memory is sought


def least_memory_cuts(made, kept):
    """Positions between the calls, both ends included, where the worst moment of a training step needs least memory.

    While the gradients of a run are computed there are: what is kept at its start and at the cuts before, a copy of
    what enters it, all that its calls make, the gradients of what leaves it, and those of the largest call.

    Args:
        made: bytes that each of the n calls makes.
        kept: bytes alive at each of the n + 1 positions.
    """
    needed = _needed(made, kept)
    enough, too_little = float(kept[0] + needed[0, -1]), 0.0
    cuts = [0, len(made)]
    for _ in range(HALVINGS):
        limit = (enough + too_little) / 2
        found = _cuts_within(limit, needed, kept)
        if found is None:
            too_little = limit
        else:
            cuts, enough = found, limit
    return cuts


def _cuts_within(limit, needed, kept):
    """The cuts that keep least, so that no run takes more than `limit` bytes; None if there are none.

    Args:
        needed: `(n + 1, n + 1)`, bytes that the run from one position to another needs beside what is kept.
    """
    least = np.full(len(kept), np.inf)  # kept at a cut here and at those before
    before = np.zeros(len(kept), int)
    least[0] = kept[0]
    for stop in range(1, len(kept)):
        starts = np.where(least[:stop] + needed[:stop, stop] <= limit, least[:stop], np.inf)
        before[stop] = np.argmin(starts)
        least[stop] = starts[before[stop]] + kept[stop]
    if np.isinf(least[-1]):
        return None
    cuts = [len(kept) - 1]
    while cuts[-1]:
        cuts.append(int(before[cuts[-1]]))
    return cuts[::-1]


def _needed(made, kept):
    """Bytes that the run from one position to another needs beside what is kept, `(n + 1, n + 1)`."""
    total, kept = np.cumsum([0, *made]), np.asarray(kept, float)
    largest = np.zeros((len(kept), len(kept)))
    for start in range(len(made)):
        largest[start, start + 1 :] = np.maximum.accumulate(made[start:])
    return total[None] - total[:, None] + largest + kept[:, None] + kept[None]
