"""Boundaries of one pixel's width: non-maximum suppression of soft maps, thinning of masks."""

import numpy as np

from keras_equivariant.utils.optional import require

SMOOTHING = 4  # pixels to either side, of the map whose curvature says how a boundary runs
MARGIN = 1.01  # by which a neighbor must be larger
FADED = 5  # pixels along the border, where a convolution has seen little


def suppressed(probabilities):
    """A soft map with zero where a neighbor across the boundary is larger: lines of about one pixel.

    The direction across is that of the largest curvature of the map, smoothed by a triangle; the neighbors one pixel
    to either side are interpolated. What lies within 5 pixels of the border fades to it.

    Args:
        probabilities: `(H, W)` from 0 to 1.

    Returns:
        `(H, W)` float64.

    Reference: Dollár & Zitnick, Structured Forests for Fast Edge Detection, arXiv 1406.5549 (`edgesNms` of their code).
    """
    ndimage = require("scipy.ndimage", "Scoring boundaries", "boundaries")
    found = np.asarray(probabilities, "float64")
    triangle = np.minimum(np.arange(1, 2 * SMOOTHING + 2), np.arange(2 * SMOOTHING + 1, 0, -1)) / (SMOOTHING + 1) ** 2
    smooth = found
    for axis in (0, 1):
        smooth = ndimage.correlate1d(smooth, triangle, axis=axis, mode="reflect")
    down, right = np.gradient(smooth)
    down_down, right_down = np.gradient(down)[0], np.gradient(right)[0]
    right_right = np.gradient(right)[1]
    # The eigenvector of [[xx, xy], [xy, yy]] with the largest eigenvalue in absolute value, which has the trace's sign.
    angle = 0.5 * np.arctan2(2 * right_down, right_right - down_down)
    angle += np.pi / 2 * (right_right + down_down < 0)
    rows, columns = np.indices(found.shape)
    largest = np.maximum(
        *(
            ndimage.map_coordinates(
                found, (rows + way * np.sin(angle), columns + way * np.cos(angle)), order=1, mode="nearest"
            )
            for way in (1, -1)
        )
    )
    distance = np.minimum(*(np.minimum(i, n - 1 - i) for i, n in zip((rows, columns), found.shape, strict=True)))
    return np.where(found * MARGIN < largest, 0.0, found) * np.minimum(1.0, distance / FADED)


def thinned(mask):
    """A mask with its lines thinned to one pixel; what is connected stays connected.

    Args:
        mask: `(H, W)`, true on the lines.

    Returns:
        `(H, W)` booleans.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data.thinning import thinned
        >>> int(thinned(np.ones((3, 9))).sum())
        7

    Reference: Guo & Hall, Parallel thinning with two-subiteration algorithms, Comm. ACM 32, 1989, as in MATLAB's
    `bwmorph(mask, "thin", inf)`, which the benchmark calls.
    """
    return require("skimage.morphology", "Scoring boundaries", "boundaries").thin(np.asarray(mask, bool))
