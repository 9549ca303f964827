"""Images and volumes as pictures: gray or color from 0 to 1, of a volume one slice."""

import numpy as np


def shown(image, slice_=None):
    """`(H, W)` or `(H, W, 3)` from 0 to 1, of an image or a volume, which may have any number of channels.

    Args:
        image: `(H, W, C)` or `(D, H, W, C)`.
        slice_: of the volume's first axis; default: the middle one.
    """
    image = plane(np.asarray(image), slice_)
    image = image if image.shape[-1] == 3 else image.astype("float64").mean(axis=-1)
    if image.dtype == np.uint8:
        return image / 255
    low, high = float(image.min()), float(image.max())
    return (image - low) / ((high - low) or 1.0)


def plane(array, slice_=None):
    """The array itself where it is an image `(H, W, C)`; one slice where it is a volume."""
    if array.ndim < 4:
        return array
    return array[len(array) // 2 if slice_ is None else slice_]


def fullest(mask):
    """The slice of a volume's mask `(D, H, W, 1)` that holds most of it; None for an image's."""
    return None if mask.ndim < 4 else int(np.argmax((mask > 0).sum(axis=(1, 2, 3))))


def overlay(image, colored):
    """A gray picture with masks in colors: `colored` is `{(r, g, b): (H, W) of bool}`."""
    gray = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
    gray = 0.15 + 0.85 * gray
    for color, mask in colored.items():
        gray = np.where(mask[..., None], 0.45 * gray + 0.55 * np.asarray(color), gray)
    return gray
