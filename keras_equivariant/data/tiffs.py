"""TIFF files as arrays: images and volumes, with their channels last, as the file says they are to be seen."""

import numpy as np

from keras_equivariant.data import pictures
from keras_equivariant.utils.optional import require

_ORIENTATION = 274
# What is done to an image by its orientation: rows and columns change places, then these axes are reversed.
_REVERSED = {1: (), 2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (1,), 7: (0, 1), 8: (0,)}
_ALPHA = (1, 2)
_KINDS = ("MINISBLACK", "MINISWHITE", "RGB", "PALETTE", "SEPARATED")


def read(path, mask=False):
    """`(array (*space, C), whether that is an image)` of the first series of a file.

    Gray that counts from white is turned over, palettes and cyan, magenta, yellow and black become red, green and blue,
    alpha is left out, planes of colors or of a microscope's channels become the last axis. The numbers of a mask stay.

    Raises:
        ValueError: axes that are none of space, or colors or a compression that cannot be decoded.
    """
    reader = require("tifffile", "Reading .tif files", "files")
    with reader.TiffFile(path) as file:
        series, page = file.series[0], file.series[0].keyframe
        axes, kind = series.axes.upper(), page.photometric.name
        if kind not in _KINDS:
            return _by_pillow(path, mask, page, len(file.pages), f"its colors are {kind}; save it in gray or RGB"), True
        try:
            array = series.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            return _by_pillow(path, mask, page, len(file.pages), error), True
        tag = page.tags.get(_ORIENTATION)
        extra, bits, colormap = [int(e) for e in page.extrasamples], page.bitspersample, page.colormap
    array, axes = _channels_last(array, axes)
    if kind in ("RGB", "MINISBLACK", "MINISWHITE"):
        array = _without_extra(array, kind, extra)
    if not mask:
        array = _as_seen(array, kind, bits if isinstance(bits, int) else bits[0], colormap)
    return _upright(array, axes, tag.value if tag else 1), len(axes) == 3


def series(path):
    """How many images or volumes of their own a file holds; smaller copies of one are none."""
    with require("tifffile", "Reading .tif files", "files").TiffFile(path) as file:
        return len(file.series)


def _channels_last(array, axes):
    """The array with its samples, or the channels of a microscope, on the last axis, and the axes' letters."""
    at = next((axes.index(letter) for letter in "SC" if letter in axes), None)
    if at is None:
        array, axes = array[..., None], f"{axes}S"
    else:
        array, axes = np.moveaxis(array, at, -1), axes.replace(axes[at], "") + "S"
    if len(axes) not in (3, 4):
        raise ValueError(f"its axes are {axes[:-1]}, which are none of an image or a volume")
    return array, axes


def _without_extra(array, kind, extra):
    """Colors without what follows them, gray without its transparency."""
    if kind == "RGB":
        return array[..., :3]
    alpha = sum(one in _ALPHA for one in extra)
    return array[..., : array.shape[-1] - alpha] if alpha < array.shape[-1] else array


def _as_seen(array, kind, bits, colormap):
    if kind == "PALETTE":
        return (np.asarray(colormap) >> 8).astype("uint8").T[array[..., 0].astype(int)]
    if bits < 8:  # they span as much as 8
        array, bits = (array.astype("uint16") * (255 // (2**bits - 1))).astype("uint8"), 8
    if array.dtype.kind != "u":
        return array
    whole = 2**bits - 1
    if kind == "MINISWHITE":
        return array.dtype.type(whole) - array
    if kind == "SEPARATED":
        light = whole - array[..., :4].astype("float64")
        return np.rint(light[..., :3] * light[..., 3:] / whole).astype(array.dtype)
    return array


def _upright(array, axes, orientation):
    """The array with its rows and columns as the file says they are seen."""
    y, x = (axes.index(letter) if letter in axes else i - 3 for i, letter in enumerate("YX"))
    if orientation not in _REVERSED or orientation == 1:
        return array
    array = np.swapaxes(array, y, x) if orientation > 4 else array
    return np.flip(array, [(y, x)[axis] for axis in _REVERSED[orientation]])


def _by_pillow(path, mask, page, pages, why):
    """One page of 8 bits in colors or a compression that only Pillow can decode."""
    bits = page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)
    if pages > 1 or bits > 8:
        raise ValueError(f"{why}; of one page in 8 bits it can be read without")
    array = pictures.read(path, mask)
    if mask and page.photometric.name == "MINISWHITE":  # Pillow has turned them over
        array = ~array
    return array if array.ndim == 3 else array[..., None]
