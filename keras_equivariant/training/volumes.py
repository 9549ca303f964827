"""predict_volume(): the answer of a network for patches, on a volume or image of any size, in overlapping windows."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike


def predict_volume(
    model: keras.Model,
    volume: ArrayLike,
    patch: tuple[int, ...] | None = None,
    overlap: float = 0.5,
    batch_size: int = 1,
) -> np.ndarray:
    """The answer of a network at every voxel of a volume that is larger than what it was trained on.

    y(p) = sum over windows w of b(p - w) f(x_w)(p - w) / sum over windows of b(p - w)

    with a bump b that falls from the middle of a window to its border: what the network says near the border of a
    window, where it sees less, counts little, and windows leave no seams.

    Args:
        model: a `keras.Model` that answers at every voxel, `(B, *space, C)` to `(B, *space, K)`.
        volume: `(*space, C)`, one volume or image.
        patch: size of the windows along each axis; default: that of the model's input. It may not be larger than the
            volume, which is padded by reflection where it is smaller.
        overlap: share of a window that the next one covers, from 0 to below 1.
        batch_size: windows in one prediction.

    Returns:
        `(*space, K)` float32.

    Equivariance: windows lie symmetrically about the middle of the volume and b is the same along all axes, so that the
    answer rotates with the volume where the network's does and the axes that are swapped have one size.

    Raises:
        ValueError: a volume or patch of another rank than the model takes, an overlap outside its range.

    Example:
        >>> import keras, numpy as np, keras_equivariant as ke
        >>> inputs = keras.Input((8, 8, 1))
        >>> model = keras.Model(inputs, keras.layers.Conv2D(2, 3, padding="same")(inputs))
        >>> ke.predict_volume(model, np.ones((20, 13, 1))).shape
        (20, 13, 2)

    Reference: Isensee et al., nnU-Net, Nature Methods 18, 2021 (sliding windows with Gaussian weights).
    """
    volume = np.asarray(volume, "float32")
    patch = tuple(patch or model.input_shape[1:-1])
    if not 0 <= overlap < 1:
        raise ValueError(f"`overlap` must be from 0 to below 1. Received: overlap={overlap}. Use 0.5.")
    if volume.ndim != len(patch) + 1 or len(model.input_shape) != volume.ndim + 1 or None in patch:
        raise ValueError(
            "A volume is (*space, channels), and a patch has a number for each axis of space. Received: volume "
            "of shape "
            f"{volume.shape}, patch={patch} for a model of input shape {model.input_shape}. Give patch=(64, 64, "
            "64), say."
        )
    space = volume.shape[:-1]
    missing = [max(0, p - s) for p, s in zip(patch, space, strict=True)]
    before = [m // 2 for m in missing]
    widths = [(b, m - b) for b, m in zip(before, missing, strict=True)]
    padded = np.pad(volume, [*widths, (0, 0)], mode="symmetric")
    starts = [_starts(size, p, overlap) for size, p in zip(padded.shape, patch, strict=False)]
    bump: Any = _bump(patch)
    total = weights = None
    places = list(itertools.product(*starts))
    for first in range(0, len(places), batch_size):
        windows = [
            tuple(slice(a, a + p) for a, p in zip(at, patch, strict=True)) for at in places[first : first + batch_size]
        ]
        found = np.asarray(model.predict_on_batch(np.stack([padded[w] for w in windows])), "float32")
        if total is None:
            total = np.zeros((*padded.shape[:-1], found.shape[-1]), "float64")
            weights = np.zeros((*padded.shape[:-1], 1), "float64")
        for window, answer in zip(windows, found, strict=True):
            total[window] += bump * answer
            weights[window] += bump
    inside = tuple(slice(b, b + s) for b, s in zip(before, space, strict=True))
    return (total / weights)[inside].astype("float32")


def _starts(size, patch, overlap):
    """Where windows begin along an axis: evenly, the first at its start and the last at its end."""
    rest, step = size - patch, max(1, round(patch * (1 - overlap)))
    count = 1 + -(-rest // step)
    while True:
        first = [i * rest // max(1, count - 1) for i in range((count + 1) // 2)]
        starts = first + [rest - start for start in reversed(first[: count // 2])]
        # Mirrored about the middle, no window may be missing and none lie half a voxel off it.
        symmetric = count % 2 == 0 or 2 * first[-1] == rest
        if symmetric and all(b - a <= step for a, b in itertools.pairwise(starts)):
            return starts
        count += 1


def _bump(patch):
    """A Gaussian about the middle of a window, 3 deviations from there to its border, `(*patch, 1)`."""
    axes = np.meshgrid(*((np.arange(n) - (n - 1) / 2) / (n / 6) for n in patch), indexing="ij")
    return np.exp(-0.5 * sum(a**2 for a in axes))[..., None]
