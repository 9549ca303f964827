"""The one way in which rows of a data set are chosen: drawn with a seed, each class in its share."""

import numpy as np

from keras_equivariant.data.rows import Rows


def drawn(labels, count, seed=0, block=1, groups=None, leave=False):
    """Numbers of `count` rows, in rising order: drawn without replacement, of each class as many as its share.

    A file sorted by class has all its classes in every cut. Shares are rounded so that they add up; where there are
    fewer rows to draw than classes, the largest ones come first. Targets that are no classes (masks, numbers, vectors)
    are drawn without regard to what they say.

    Args:
        labels: array with one entry a row; integers and texts `(rows,)` are classes.
        count: how many rows, at least 1, at most all.
        seed: of the draw.
        block: rows that stay together, such as one of each class; `count` is rounded down to whole blocks.
        groups: one number a row; rows with the same one, such as those of a patient, are drawn together or not at all,
            as many as come nearest to `count`, whatever their classes. One group at least is drawn, and of
            several one is left.
        leave: whether a row of each class is left, if need be with fewer rows drawn than `count`, perhaps none.

    Raises:
        ValueError: a `count` below 1.

    Example:
        >>> from keras_equivariant.data.cuts import drawn
        >>> drawn([0, 0, 0, 0, 1, 1], 3).size
        3
    """
    check_count("count", count)
    total, rng = len(labels), np.random.default_rng(seed)
    count = min(count, total)
    if groups is not None and count < total:
        _, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        order = rng.permutation(len(sizes))
        off = np.abs(np.cumsum(sizes[order])[: max(1, len(sizes) - 1)] - count)
        return np.flatnonzero(np.isin(which, order[: 1 + int(np.argmin(off))]))
    if block > 1:
        first = np.sort(rng.permutation(total // block)[: max(1, count // block)]) * block
        return (first[:, None] + np.arange(block)).ravel()
    order = rng.permutation(total)
    labels = np.zeros((total, 1)) if isinstance(labels, Rows) else np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iuUS":
        return np.sort(order[:count])
    classes, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    share = sizes * (count / total)
    wanted = np.floor(share + 1e-9).astype(int)
    # What rounding left over goes to the largest remainders.
    wanted[np.argsort(wanted - share, kind="stable")[: count - wanted.sum()]] += 1
    if leave:
        wanted = np.minimum(wanted, sizes - 1)
        while wanted.sum() < count and (wanted < sizes - 1).any():
            wanted[np.argmin(np.where(wanted < sizes - 1, wanted - share, np.inf))] += 1
    shuffled = which[order]
    rows = [order[shuffled == k][:n] for k, n in enumerate(wanted)]
    return np.sort(np.concatenate(rows))


def check_count(what, count):
    """Raise where a number of rows to draw is below 1; None stands for all."""
    if count is not None and count < 1:
        raise ValueError(f"`{what}` is how many rows to draw, at least 1. Received: {what}={count}. Give more.")


def others(rows, total):
    """Numbers of the rows that are not among `rows`."""
    kept = np.ones(total, bool)
    kept[rows] = False
    return np.flatnonzero(kept)


def taken(array, rows):
    """These rows of an array; of one that stays on disk a view that stays there."""
    return array.subset(rows) if hasattr(array, "subset") else array[rows]


def count_of(amount, total, what):
    """A number of rows, given as such or as a fraction of all.

    Raises:
        ValueError: nothing, everything, or more would be taken.
    """
    fraction = isinstance(amount, float) and not amount.is_integer()
    count = round(amount * total) if fraction else int(amount)
    if (fraction and not 0 < amount < 1) or not 0 < count < total:
        raise ValueError(
            f"The {what} part must leave at least one training image. Received: {what}={amount} of {total} training "
            "images. Use a smaller number, or a fraction such as 0.2."
        )
    return count
