"""The boundary benchmark: precision and recall of thin maps against several people's, pixels matched one to one."""

import dataclasses

import numpy as np

from keras_equivariant.data.thinning import suppressed, thinned
from keras_equivariant.utils.optional import require

TOLERANCE = 0.0075  # of the diagonal of the image
THRESHOLDS = 33


def matched(found, wanted, tolerance=TOLERANCE, nearest=False):
    """Which pixels of two maps have a partner in the other: as many pairs as can be, one to one.

    Args:
        found, wanted: `(H, W)`, true on the boundaries.
        tolerance: the largest distance of a pair, as a fraction of the diagonal.
        nearest: whether, of all ways to make as many pairs, to take that of the smallest sum of distances, as the
            benchmark does; eight times slower. The number of pairs is the same.

    Returns:
        Two masks `(H, W)`, of the pixels of `found` and of `wanted` that are in a pair.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data.boundaries import matched
        >>> hit, met = matched(np.eye(9), np.roll(np.eye(9), 1, axis=1), tolerance=0.1)
        >>> int(hit.sum()), int(met.sum())
        (8, 8)

    Reference: Martin, Fowlkes & Malik, Learning to detect natural image boundaries, IEEE PAMI 26, 2004
    (`correspondPixels` of the benchmark's code).
    """
    found, wanted = np.asarray(found, bool), np.asarray(wanted, bool)
    hit, met = np.zeros_like(found), np.zeros_like(wanted)
    first, second = np.argwhere(found), np.argwhere(wanted)
    rows, columns = _near(first, second, tolerance * np.hypot(*found.shape)).pairs(nearest)
    hit[tuple(first[rows].T)], met[tuple(second[columns].T)] = True, True
    return hit, met


@dataclasses.dataclass(frozen=True)
class _Graph:
    """Which of `sizes` points may be partners: the pairs `(rows, columns)`, and their distances."""

    rows: np.ndarray
    columns: np.ndarray
    distances: np.ndarray

    def of(self, kept):
        """The graph of the rows in a mask; they keep their numbers."""
        there = kept[self.rows]
        return _Graph(self.rows[there], self.columns[there], self.distances[there])

    def pairs(self, nearest=False):
        """`(rows, columns)` of as many pairs as can be without a partner twice."""
        if not len(self.rows):
            return self.rows, self.columns
        used, rows = np.unique(self.rows, return_inverse=True)
        wanted, columns = np.unique(self.columns, return_inverse=True)
        rows, columns = (_nearest if nearest else _most)(rows, columns, self.distances, len(used), len(wanted))
        return used[rows], wanted[columns]


def _most(rows, columns, distances, height, width):
    """The pairs, by the largest flow from a source through both sides to a sink."""
    graph = require("scipy.sparse.csgraph", "Scoring boundaries", "boundaries")
    source, sink, ones = height + width, height + width + 1, np.ones(len(rows) + height + width, "int32")
    tails = np.concatenate([rows, np.full(height, source), height + np.arange(width)])
    heads = np.concatenate([height + columns, np.arange(height), np.full(width, sink)])
    edges = require("scipy.sparse", "Scoring boundaries", "boundaries").csr_matrix(
        (ones, (tails, heads)), shape=(sink + 1,) * 2
    )
    flow = graph.maximum_flow(edges, source, sink, method="dinic").flow.tocoo()
    inside = (flow.data > 0) & (flow.row < height) & (flow.col < source)
    return flow.row[inside], flow.col[inside] - height


def _nearest(rows, columns, distances, height, width):
    """The pairs of the smallest sum of distances, where to have no partner costs more than any detour."""
    if height > width:
        return _nearest(columns, rows, distances, width, height)[::-1]
    graph = require("scipy.sparse.csgraph", "Scoring boundaries", "boundaries")
    alone = np.arange(height)
    costs = np.concatenate([distances + 1e-3, np.full(height, 100 * (distances.max() + 1))])  # an edge of 0 is none
    places = np.concatenate([rows, alone]), np.concatenate([columns, width + alone])
    edges = require("scipy.sparse", "Scoring boundaries", "boundaries").csr_matrix(
        (costs, places), shape=(height, width + height)
    )
    first, second = graph.min_weight_full_bipartite_matching(edges)
    together = second < width
    return first[together], second[together]


def _near(first, second, radius):
    """The `_Graph` of the points of two lists within a radius of each other."""
    if not len(first) or not len(second):
        none = np.zeros(0, "int64")
        return _Graph(none, none, np.zeros(0))
    tree = require("scipy.spatial", "Scoring boundaries", "boundaries").KDTree
    pairs = tree(first).sparse_distance_matrix(tree(second), radius, output_type="ndarray")
    return _Graph(pairs["i"], pairs["j"], pairs["v"])


def boundary_counts(probabilities, people, thresholds=THRESHOLDS, tolerance=TOLERANCE, thin=True, nearest=False):
    """The counts of one image at each threshold, `(thresholds, 4)` integers.

    They are: pixels found that have a partner in at least one person's map; pixels found; pixels of all people's maps
    that have a partner among those found; pixels of all people's maps. Precision is the first by the second, recall the
    third by the fourth.

    Args:
        probabilities: `(H, W)` from 0 to 1, how sure it is of a boundary. Non-maxima are suppressed, and at each
            threshold the map is thinned.
        people: `(people, H, W)`, true on the boundaries of each.
        thresholds: how many, evenly between 0 and 1; or an array of them.
        tolerance, nearest: as in `matched`.
        thin: whether to suppress and thin; False for maps of thin lines.
    """
    soft = suppressed(probabilities) if thin else np.asarray(probabilities, "float64")
    return counts_of_lines(soft, people, thresholds_of(thresholds), tolerance, thin, nearest)


def counts_of_lines(soft, people, thresholds, tolerance=TOLERANCE, thin=True, nearest=False):
    """`boundary_counts` of a map whose non-maxima are suppressed already, at thresholds in rising order."""
    people = [np.asarray(one, bool) for one in people]
    counts = np.zeros((len(thresholds), 4), "int64")
    counts[:, 3] = sum(int(one.sum()) for one in people)
    places = np.argwhere(soft >= thresholds[0])
    radius = tolerance * np.hypot(*soft.shape)
    graphs = [_near(places, np.argwhere(one), radius) for one in people if one.any()]
    before = None
    for row, threshold in enumerate(thresholds):
        mask = soft >= threshold
        mask = thinned(mask) if thin else mask
        kept = mask[tuple(places.T)]
        if before is not None and np.array_equal(kept, before):
            counts[row] = counts[row - 1]
            continue
        hit, before = np.zeros(len(places), bool), kept
        for graph in graphs:
            rows, columns = graph.of(kept).pairs(nearest)
            hit[rows] = True
            counts[row, 2] += len(columns)
        counts[row, :2] = hit.sum(), kept.sum()
    return counts


def thresholds_of(thresholds):
    """So many thresholds evenly between 0 and 1, the ends left out; an array stays."""
    if np.ndim(thresholds):
        return np.sort(np.asarray(thresholds, "float64"))
    return np.arange(1, thresholds + 1) / (thresholds + 1)


def boundary_scores(counts, thresholds=THRESHOLDS):
    """The numbers of the benchmark, from the counts of all images.

    ODS is the largest F = 2 P R / (P + R) at one threshold for all images, the counts of which are summed; OIS that of
    the counts summed where each image has its own best threshold; AP the mean precision over the recalls 0, 0.01, …, 1,
    0 where none is so small or so large. F is not interpolated between thresholds, as the benchmark's code does: where
    probabilities crowd, that promises more than any threshold gives.

    Args:
        counts: `(images, thresholds, 4)`, of `boundary_counts`.
        thresholds: as there.

    Returns:
        A dict of `ods`, `ois`, `ap` and `threshold`, that of ODS.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data.boundaries import boundary_counts, boundary_scores
        >>> lines = np.eye(40)
        >>> boundary_scores([boundary_counts(lines, [lines, lines], 3, thin=False)], 3)["ods"]
        1.0

    Reference: Arbelaez et al., Contour detection and hierarchical image segmentation, IEEE PAMI 33, 2011.
    """
    counts, thresholds = np.asarray(counts), thresholds_of(thresholds)
    total = counts.sum(axis=0)
    precision, recall = rates(total)
    f = _f(precision, recall)
    best = np.argmax(_f(*rates(counts)), axis=1)
    own = np.take_along_axis(counts, best[:, None, None], axis=1).sum(axis=(0, 1))
    return {
        "ods": float(f.max()),
        "ois": float(_f(*rates(own))),
        "ap": _average(precision, recall),
        "threshold": float(thresholds[np.argmax(f)]),
    }


def thresholds_among(softs, count=THRESHOLDS):
    """Thresholds that keep evenly many of the lines' pixels of several maps: probabilities crowd where they like."""
    values = np.concatenate([soft[soft > 0] for soft in softs])
    if not len(values):
        return thresholds_of(1)
    return np.unique(np.quantile(values, np.arange(count) / count, method="lower"))


def rates(counts):
    """Precision and recall of counts `(..., 4)`; 1 where nothing is found, or nothing is to be found."""
    hit, found, met, wanted = np.moveaxis(np.asarray(counts, "float64"), -1, 0)
    return (
        np.where(found > 0, hit / np.maximum(found, 1), 1.0),
        np.where(wanted > 0, met / np.maximum(wanted, 1), 1.0),
    )


def _f(precision, recall):
    return 2 * precision * recall / np.maximum(precision + recall, 1e-300)


def _average(precision, recall):
    recalls, last = np.unique(recall[::-1], return_index=True)  # of a recall that is there twice, the larger threshold
    if len(recalls) < 2:
        return float(precision[-1] * recall[-1])
    at = np.linspace(0, 1, 101)
    return float(np.interp(at, recalls, precision[::-1][last], left=0, right=0).sum() / 101)
