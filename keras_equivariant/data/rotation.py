"""Rotating images by any angle, for making rotated sets and for testing at all angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant.utils.optional import require


def rotate_images(images: ArrayLike, degrees: ArrayLike, order: int = 3, outside: str = "constant") -> np.ndarray:
    """Rotate each image about its center by spline interpolation; positive is counter-clockwise.

    out(x) = in(R(-degrees) x). Quarter turns are exact: `np.rot90`.

    Args:
        images: Array `(B, H, W, C)`, uint8 or float.
        degrees: One angle, or an array of B angles.
        order: Of the spline: 3 for images; 0, the nearest pixel, for masks.
        outside: What lies outside the image: `"constant"` (zero) or `"reflect"`.

    Returns:
        An array of the same shape and dtype; values stay within the range of `images` (splines overshoot).
    """
    angles = np.broadcast_to(np.asarray(degrees, "float64"), (len(images),))
    if np.ndim(degrees) == 0 and float(degrees) % 90 == 0 and images.shape[1] == images.shape[2]:
        return np.ascontiguousarray(np.rot90(images, int(degrees // 90), axes=(1, 2)))
    ndimage = require("scipy.ndimage", "Rotating images")
    source = images.astype("float32", copy=False)
    rotated = np.empty_like(source)
    for image, angle, out in zip(source, angles, rotated, strict=True):
        ndimage.rotate(image, angle, axes=(1, 0), reshape=False, order=order, mode=outside, output=out)
    rotated = np.clip(rotated, source.min(initial=0), source.max(initial=0))
    return np.rint(rotated).astype(images.dtype) if images.dtype.kind in "ui" else rotated.astype(images.dtype)


def random_rotations(count, seed=0):
    """So many rotations of space, uniform over all there are, `(count, 3, 3)`."""
    rotations = require("scipy.spatial.transform", "Rotating volumes").Rotation
    return rotations.from_quat(np.random.default_rng(seed).normal(size=(count, 4))).as_matrix()


def rotate_volumes(volumes: ArrayLike, seed: int = 0) -> np.ndarray:
    """Each volume rotated about its center by a random rotation of its own, by trilinear interpolation.

    Args:
        volumes: Array `(B, D, H, W, C)`.
        seed: Seed of the rotations, which are uniform over all there are.

    Returns:
        A float32 array of the same shape; outside the volume is zero.
    """
    ndimage = require("scipy.ndimage", "Rotating volumes")
    matrices = random_rotations(len(volumes), seed)
    center = (np.array(volumes.shape[1:4]) - 1) / 2
    rotated = np.empty(volumes.shape, "float32")
    for volume, matrix, out in zip(volumes, matrices, rotated, strict=True):
        for channel in range(volumes.shape[-1]):
            source = volume[..., channel].astype("float32")
            out[..., channel] = ndimage.affine_transform(source, matrix.T, center - matrix.T @ center, order=1)
    return rotated
