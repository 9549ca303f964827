"""The parts of a data set, for training, validation and testing: what people call them, and which rows each has."""

import logging

import numpy as np

from keras_equivariant.data.cuts import drawn, others

TEST_SHARE = 0.2
PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}

log = logging.getLogger("keras_equivariant.data")


def part_of(name):
    """ "train", "val" or "test" by what people call it; None for another name."""
    return next((part for part, names in PARTS.items() if str(name).strip().lower() in names), None)


def rows_of_parts(name, what, labels, split=None, seed=0, groups=None, leave=True, share=TEST_SHARE):
    """`{part: numbers of rows}` of what nobody has divided: as `split` says, or with some drawn for testing.

    Args:
        name, what: of the archive, and what a row is, in the plural, for messages.
        labels: one entry a row, as in `cuts.drawn`.
        split: train, val or test of each row, or None.
        seed: of the draw.
        groups: a number for each row of what it belongs to, drawn together, or None.
        leave: whether a row of each class is left to train on.
        share: of the rows that are drawn for testing.

    Raises:
        ValueError: a `split` that says something else, or no row for training or for testing.
    """
    count = len(labels)
    if split is None:
        test = drawn(labels, max(1, round(share * count)), seed, groups=groups, leave=leave)
        parts = {"train": others(test, count), "test": test}
        log.info("Nothing says what is for testing: %d of %d %s are drawn (seed %d).", len(test), count, what, seed)
    else:
        said = np.ravel(split).tolist()
        where = [part_of(part) for part in said]
        if None in where or len(where) != count:
            wrong = f"split={said[where.index(None)]!r}" if None in where else f"{len(where)} for {count} {what}"
            raise ValueError(
                f"`split` says train, val or test of each of the {what}. Received: {name} with {wrong}. Write one of "
                "these for each."
            )
        parts = {part: np.flatnonzero([found == part for found in where]) for part in ("train", "val", "test")}
    if not len(parts["train"]) or not len(parts["test"]):
        of_numbers = leave and np.asarray(labels).dtype.kind in "iu"
        raise ValueError(
            f"A data set needs {what} to train on and to test on, of each class. Received: {name} with "
            f"{', '.join(f'{len(rows)} for {part}' for part, rows in parts.items())}. Add more, or say which in an "
            f"array `split`{'; numbers that are no classes are learned with --target number' if of_numbers else ''}."
        )
    _warn_of_lost(name, what, np.asarray(labels), parts["train"])
    return {part: rows for part, rows in parts.items() if len(rows)}


def _warn_of_lost(name, what, labels, train):
    """Name the classes of which none of the rows to train on is."""
    lost = np.setdiff1d(labels, labels[train]) if labels.ndim == 1 and labels.dtype.kind in "biuUS" else ()
    if len(lost):
        listed = ", ".join(map(str, lost[:8]))
        log.warning("None of the %s to train on of %s is of the classes %s.", what, name, listed)
