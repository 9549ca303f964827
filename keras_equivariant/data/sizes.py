"""Images of other sizes brought to one: cut and padded about the middle, or scaled with their proportions kept."""

import logging
import math

import numpy as np

from keras_equivariant.utils.optional import require

FITS = ("pad", "resize")
MOST_FIRST = 4  # channels that are taken for such before the axes of space
_LEAST_SPACE = 8  # pixels that an axis of space has at least, where another could be that of channels

log = logging.getLogger("keras_equivariant.data")


def are_space(numbers):
    """Whether numbers look like those of pixels along the axes of space, none of them like that of channels."""
    return min(numbers) >= max(_LEAST_SPACE, max(numbers) / 4)


def check_size(size, fit="pad"):
    """A size as a tuple of positive integers; None stays.

    Raises:
        ValueError: other numbers, an unknown way to fit, or one without a size.
    """
    if fit not in FITS:
        raise ValueError(f"`fit` must be one of {', '.join(FITS)}. Received: fit={fit!r}. Choose one.")
    if size is None:
        if fit != "pad":
            raise ValueError(
                f"`fit` is how images are brought to `size`. Received: fit={fit!r} without it. Give a size, as in "
                "--size 96 128 or size=(96, 128), or leave `fit` out."
            )
        return None
    size = (size,) * 2 if isinstance(size, int) else tuple(size)
    if len(size) not in (2, 3) or any(not isinstance(n, int) or isinstance(n, bool) or n < 1 for n in size):
        raise ValueError(
            f"`size` must be the height and width, of volumes the depth too, in whole pixels. Received: size={size}. "
            "Write --size 96 128, or size=(96, 128)."
        )
    return size


def fitted(array, size, fit="pad", mask=False):
    """An image `(*space, C)` in the size wanted.

    With `"pad"` it is cut where it is larger and padded with zeros where it is smaller, about its middle, pixel for
    pixel. With `"resize"` it is scaled, all axes alike, until it fits inside, then padded: never squashed.

    Args:
        array: `(*space, C)`.
        size: one number an axis of space.
        fit: `"pad"` or `"resize"`.
        mask: whether to take the nearest pixel when it is scaled.
    """
    space = array.shape[:-1]
    if space == tuple(size):
        return array
    within = covered(space, size, fit)
    if fit == "resize" and within != space:
        array = _scaled(array, within, mask)
    for axis, wanted in enumerate(size):
        array = _cut_or_padded(array, axis, wanted)
    return array


def covered(space, size, fit="pad"):
    """How many pixels along each axis an image of this size has when it is cut or padded to another."""
    if fit != "resize":
        return tuple(space)
    factor = min(n / s for n, s in zip(size, space, strict=True))
    return tuple(min(n, max(1, round(s * factor))) for n, s in zip(size, space, strict=True))


def is_padded(space, size, fit="pad"):
    """Whether an image of this size gets pixels of which it says nothing."""
    return any(have < wanted for have, wanted in zip(covered(space, size, fit), size, strict=True))


def inside(space, size, fit="pad"):
    """`(*size, 1)`, true at the pixels of which an image of this size says something."""
    return fitted(np.ones((*covered(space, size, fit), 1), bool), size)


def restored(array, size):
    """What lies on the pixels of a `fitted(…, fit="resize")` image, `(*space, C)`, on those that the image had before.

    Args:
        array: `(*space, C)`.
        size: of the image before.
    """
    space = array.shape[:-1]
    if space == tuple(size):
        return array
    for axis, n in enumerate(covered(size, space, "resize")):
        array = _cut_or_padded(array, axis, n)
    return _scaled(array, size, mask=False)


def _scaled(array, sizes, mask):
    zoom = require("scipy.ndimage", "Resizing images").zoom
    factors = [n / s for n, s in zip(sizes, array.shape[:-1], strict=True)]
    source = array.astype("float32")
    if not mask and min(factors) < 1:  # what the smaller grid cannot carry would fold onto other frequencies
        blur = [max(0.0, 0.5 * math.sqrt(max(1 / f**2 - 1, 0))) for f in factors]
        source = require("scipy.ndimage", "Resizing images").gaussian_filter(source, [*blur, 0])
    scaled = zoom(source, [*factors, 1], order=0 if mask else 1, mode="nearest", grid_mode=True)
    scaled = np.clip(scaled, array.min(), array.max())
    return np.rint(scaled).astype(array.dtype) if array.dtype.kind in "ui" else scaled.astype(array.dtype)


def _cut_or_padded(array, axis, wanted):
    have = array.shape[axis]
    if have > wanted:
        start = (have - wanted) // 2
        return np.take(array, np.arange(start, start + wanted), axis=axis)
    before = (wanted - have) // 2
    widths = [(0, 0)] * array.ndim
    widths[axis] = (before, wanted - have - before)
    return np.pad(array, widths) if have < wanted else array


def announce(shapes, size, fit, what="images"):
    """Say aloud what happens to images of these shapes, `{(*space): how many}`."""
    size = tuple(size)
    counts = {"kept as they are": 0, "cut": 0, "padded with zeros": 0, "scaled": 0}
    for space, count in shapes.items():
        if space == size:
            counts["kept as they are"] += count
            continue
        counts["scaled"] += count if covered(space, size, fit) != space else 0
        space = covered(space, size, fit)
        counts["cut"] += count if any(s > n for s, n in zip(space, size, strict=True)) else 0
        counts["padded with zeros"] += count if is_padded(space, size) else 0
    said = ", ".join(f"{count:,} {how}" for how, count in counts.items() if count)
    log.info("All %s have the size %s now: %s.", what, " x ".join(map(str, size)), said)
