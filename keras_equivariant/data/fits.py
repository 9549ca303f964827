"""FITS files as images: the rows as they are displayed, the bands last."""

import numpy as np

from keras_equivariant.utils.optional import require


def read(path, mask=False):
    """The image `(H, W, C)` of the first extension of a file that holds one.

    The second axis of FITS counts from below, so that the rows are reversed; planes of a third axis, bands or
    polarizations, become channels, further axes of one entry are left out. Numbers are float32, those that the header
    scales or shifts what it says they are; the numbers of a mask stay.

    Raises:
        ValueError: tables alone, or axes that are none of an image and its bands.
    """
    fits = require("astropy.io.fits", "Reading FITS files", "astronomy")
    with fits.open(path, memmap=False) as file:
        array = next((hdu.data for hdu in file if hdu.is_image and hdu.data is not None), None)
    if array is None:
        raise ValueError("it holds no image")
    bands = array.reshape([n for n in array.shape[:-2] if n > 1] + list(array.shape[-2:]))
    if bands.ndim not in (2, 3) or array.ndim < 2:
        axes = "x".join(map(str, array.shape[::-1]))
        raise ValueError(f"its axes are {axes}, which are none of an image and its bands")
    image = np.moveaxis(bands.reshape(-1, *bands.shape[-2:]), 0, -1)[::-1]
    return image if mask else image.astype("float32")
