"""What a data set knows of its test images besides their masks, and the scores that follow from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from keras_equivariant.data.boundaries import boundary_scores, counts_of_lines, thresholds_among
from keras_equivariant.data.thinning import suppressed
from keras_equivariant.utils.optional import require

Answer = Callable[[Sequence[np.ndarray]], Iterable[np.ndarray]]


@dataclasses.dataclass(frozen=True)
class HumanMaps:
    """Whole photographs of any size, on which several people marked the boundaries.

    Args:
        images: of each test image the whole, `(H, W, C)`.
        maps: the maps of those who marked it, `(people, H, W)`.
    """

    images: Sequence[np.ndarray]
    maps: Sequence[np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, rows: Iterable[int]) -> HumanMaps:
        """That of these test images."""
        rows = list(rows)
        return HumanMaps([self.images[i] for i in rows], [self.maps[i] for i in rows])

    def scores(self, answer: Answer, threshold: float) -> dict[str, float]:
        """ODS, OIS and AP of the boundary benchmark in percent, with the threshold of ODS, as a summary has them.

        Args:
            answer: function of a list of images that gives the probability of a boundary at every pixel, `(H, W)` each.
            threshold: not used; the benchmark has its own.
        """
        softs = [suppressed(one).astype("float32") for one in answer(self.images)]
        thresholds = thresholds_among(softs)
        counts = [counts_of_lines(*pair, thresholds) for pair in zip(softs, self.maps, strict=True)]
        found = boundary_scores(counts, thresholds)
        shares = {f"test_{name}_percent": round(100 * found[name], 4) for name in ("ods", "ois", "ap")}
        return {**shares, "ods_threshold": round(found["threshold"], 6)}


@dataclasses.dataclass(frozen=True)
class ObjectCounts:
    """How many objects there are on each test image; those that touch are one in the mask, but not here.

    Args:
        images: `(B, H, W, C)`.
        counts: `(B,)`.
        smallest: pixels of the smallest piece that counts as an object.
    """

    images: np.ndarray
    counts: np.ndarray
    smallest: int = 1

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, rows: Iterable[int]) -> ObjectCounts:
        """That of these test images."""
        rows = list(rows)
        return ObjectCounts(self.images[rows], self.counts[rows], self.smallest)

    def scores(self, answer: Answer, threshold: float) -> dict[str, float]:
        """The mean of |found - there| over the images, the mean of found - there, and how many there are on average.

        Args:
            answer: function of a list of images that gives the probability of an object at every pixel, `(H, W)` each.
            threshold: from which on a pixel belongs to one; its connected pieces are counted.
        """
        found = [objects(soft >= threshold, self.smallest) for soft in answer(self.images)]
        off = np.array(found) - self.counts
        named = {
            "test_count_error": np.abs(off).mean(),
            "test_count_bias": off.mean(),
            "mean_count": self.counts.mean(),
        }
        return {name: float(f"{value:.6g}") for name, value in named.items()}


def objects(mask: np.ndarray, smallest: int = 1) -> int:
    """How many pieces of at least so many pixels a mask `(H, W)` has; pixels hang together along their edges.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data.references import objects
        >>> objects(np.array([[1, 1, 0], [0, 0, 1]])), objects(np.array([[1, 1, 0], [0, 0, 1]]), smallest=2)
        (2, 1)
    """
    labels, _ = require("scipy.ndimage", "Counting objects").label(mask)
    return int(np.sum(np.bincount(labels.ravel())[1:] >= smallest))
