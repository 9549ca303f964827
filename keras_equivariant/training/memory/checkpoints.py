"""Where to cut a chain of layers into runs that are computed a second time: where the worst moment needs least."""

import itertools

import numpy as np

HALVINGS = 24  # of the interval in which the least memory is sought


def least_memory_runs(made, kernels, kept, alone, slices):
    """(start, stop, slices) of the runs of calls with which the worst moment of a training step needs least memory.

    While the gradients of a run are computed there are: what is kept at its start and at the cuts before, a copy of
    what enters it, all that its calls make, the gradients of what leaves it, and those of the largest call. Of what
    calls make, a run in slices needs one slice at a time, but it keeps what enters and leaves it, and the gradients,
    twice: whole and cut. No run is cut into more slices than it takes.

    Args:
        made: bytes of features that each of the n calls makes.
        kernels: bytes of kernels that each expands, which slices do not divide.
        kept: bytes alive at each of the n + 1 positions.
        alone: whether each call treats every example alone.
        slices: how many at most.
    """
    powers = [2**power for power in range(slices.bit_length())]
    choices = [(number, _needed(made, kernels, kept, alone, number)) for number in powers]
    needed = np.min([choice for _, choice in choices], axis=0)
    enough, too_little = float(kept[0] + needed[0, -1]), 0.0
    cuts = [0, len(made)]
    for _ in range(HALVINGS):
        limit = (enough + too_little) / 2
        found = _cuts_within(limit, needed, kept)
        if found is None:
            too_little = limit
        else:
            cuts, enough = found, limit
    runs, before = [], 0.0
    for start, stop in itertools.pairwise(cuts):
        before += kept[start]
        fitting = [number for number, choice in choices if before + choice[start, stop] <= enough]
        runs.append((start, stop, fitting[0]))
    return runs


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


def _needed(made, kernels, kept, alone, slices):
    """Bytes that the run from one position to another needs beside what is kept, `(n + 1, n + 1)`; inf if it cannot."""
    kept = np.asarray(kept, float)
    each = np.asarray(made, float) / slices + kernels
    total = np.cumsum([0, *each])
    largest = np.zeros((len(kept), len(kept)))
    for start in range(len(made)):
        largest[start, start + 1 :] = np.maximum.accumulate(each[start:])
    whole = kept[:, None] + kept[None]
    needed = total[None] - total[:, None] + largest + whole
    if slices == 1:
        return needed
    mixing = np.cumsum([0, *np.logical_not(alone)])
    return np.where(mixing[None] > mixing[:, None], np.inf, needed + whole)
