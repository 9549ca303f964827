"""Pictures that an archive holds as the bytes of JPEG files, one after the other."""

import io

import numpy as np

from keras_equivariant.utils.optional import require


def decoded(data, offsets, path):
    """Each picture, `(H, W, 3)` uint8.

    Args:
        data: `(bytes,)` uint8, the files one after the other.
        offsets: `(count + 1,)`, where each begins and the last ends.
        path: of the archive, for errors.

    Raises:
        ValueError: bytes that are no picture.
    """
    reader = require("PIL.Image", "Reading JPEG pictures", "files")
    for first, last in zip(offsets[:-1], offsets[1:], strict=True):
        try:
            with reader.open(io.BytesIO(data[first:last].tobytes())) as picture:
                yield np.asarray(picture.convert("RGB"))
        except OSError as error:
            raise ValueError(
                f"A picture of an archive must be a whole JPEG file. Received: {path}, bytes {first} to {last} "
                f"({error}). Fetch the archive again."
            ) from error
