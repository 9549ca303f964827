"""Generated images with the statistics of natural ones, for what is learned from images without labels."""

from __future__ import annotations

import numpy as np

SUPERSAMPLING = 3
DISCS = 400


def dead_leaves(count: int, size: int = 32, seed: int = 0) -> np.ndarray:
    """Images of discs that cover each other, `(count, size, size, 1)` float32 from 0 to 1.

    Disc radii r have the density r^-3 and all discs have random gray values. Such images have what natural
    ones have: sharp edges at all scales and orientations, and a spectrum that falls as 1 / frequency^2. Everything
    follows from `seed`; image i is the same whatever `count` is.

    Reference: Lee, Mumford & Huang, Occlusion Models for Natural Images, IJCV 41, 2001.

    Example:
        >>> from keras_equivariant import data
        >>> data.dead_leaves(2, 16).shape
        (2, 16, 16, 1)
    """
    streams = np.random.SeedSequence(seed).spawn(count)
    return np.stack([_draw(np.random.default_rng(stream), size) for stream in streams])[..., None].astype("float32")


def _draw(rng, size):
    fine = SUPERSAMPLING * size
    image, smallest, largest = np.full((fine, fine), rng.uniform()), 1.0, float(size)
    # Inverse of the distribution function of r^-3 between the smallest and the largest radius.
    u = rng.uniform(size=DISCS)
    radii = SUPERSAMPLING / np.sqrt(u / smallest**2 + (1 - u) / largest**2)
    centers = rng.uniform(-0.5, 1.5, (DISCS, 2)) * fine
    for radius, (y, x), grey in zip(radii, centers, rng.uniform(size=DISCS), strict=True):
        rows, columns = (slice(max(int(c - radius), 0), max(int(c + radius) + 2, 0)) for c in (y, x))
        part = image[rows, columns]
        if part.size:
            below = np.arange(rows.start, rows.start + part.shape[0])[:, None] - y
            right = np.arange(columns.start, columns.start + part.shape[1]) - x
            part[below**2 + right**2 <= radius**2] = grey
    return image.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING).mean(axis=(1, 3))
