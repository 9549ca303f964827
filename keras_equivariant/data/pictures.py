"""Pictures as arrays, gray or in red, green and blue, upright as their camera noted it."""

import numpy as np

from keras_equivariant.utils.optional import require

_ORIENTATION = 0x0112  # of the EXIF standard


def read(path, mask=False):
    """A picture `(H, W)` or `(H, W, 3)`; of a mask the numbers of its palette stay."""
    pillow = require("PIL.Image", "Reading pictures", "files")
    with pillow.open(path) as opened:
        picture = require("PIL.ImageOps", "Reading pictures", "files").exif_transpose(opened)
        if mask and picture.mode == "P":
            return np.asarray(picture)
        if picture.mode in ("P", "RGBA", "LA", "CMYK", "YCbCr", "LAB", "HSV", "PA"):
            picture = picture.convert("L" if picture.mode == "LA" else "RGB")
        if picture.mode == "1" and not mask:
            picture = picture.convert("L")
        array = np.asarray(picture)
        return array.astype("uint16") if picture.mode == "I" else array  # how some readers call 16 bits


def header(path):
    """`(shape (H, W, C), dtype)` of what `read` gives, without decoding it.

    Raises:
        ValueError: a damaged file.
    """
    pillow = require("PIL.Image", "Reading pictures", "files")
    try:
        with pillow.open(path) as picture:
            height, width = picture.size if orientation(picture) > 4 else picture.size[::-1]
            mode = picture.mode
    except Exception as error:
        raise ValueError(
            f"A data file must be whole. Received: {path} ({error}). Remove it or make it again."
        ) from error
    gray = mode in ("1", "L", "LA") or mode.startswith(("I", "F"))
    depth = {"I": "uint16", "F": "float32"}.get(mode[0], "uint8")
    return (height, width, 1 if gray else 3), np.dtype(depth)


def frames(path):
    """How many pictures a file shows one after the other. What a camera adds to a photograph is none of them."""
    with require("PIL.Image", "Reading pictures", "files").open(path) as picture:
        return 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)


def orientation(picture):
    """How a picture's camera noted that it was held, 1 (upright) to 8; above 4 height and width change places."""
    found = picture.getexif().get(_ORIENTATION, 1)
    return found if found in range(1, 9) else 1


def orientation_of(path):
    """`orientation` of a file that is whole."""
    with require("PIL.Image", "Reading pictures", "files").open(path) as picture:
        return orientation(picture)
