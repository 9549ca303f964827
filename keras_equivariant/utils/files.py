"""Files that appear whole or not at all, and what is said where a disk does not take them."""

import contextlib
import errno
import os
import pathlib

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def replaced(path):
    """A name beside `path` to write to; at the end the file takes its place in one step.

    A killed process leaves the old file or the new one; one that fails leaves the old file alone.

    Raises:
        OSError: the file cannot be written; the message names it.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        with room(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def write_text(path, text):
    """Writes a text file in one step."""
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def room(path, remedy="Free some and repeat the command"):
    """What is raised within because a disk is full names the file or folder, and says what to do.

    Args:
        path: the file or folder that is written.
        remedy: what to do, the last sentence of the message.
    """
    try:
        yield
    except DiskFull as error:  # which file it was is known better inside, what to do outside
        raise DiskFull(error.errno, _text(error.errno, remedy), error.filename) from error
    except Exception as error:  # TensorFlow and HDF5 have errors of their own
        found = _full(error)
        if found is None:
            raise
        raise DiskFull(found, _text(found, remedy), str(path)) from error


def _text(code, remedy):
    return f"A file needs room on its disk. Received: {os.strerror(code)}. {remedy}. Not written"


class DiskFull(OSError):
    """A file that did not find room; the message names it and says what to do."""


def _full(error):
    """The number of the error that a full disk gave, or None."""
    number = getattr(error, "errno", None)
    if number in FULL:
        return number
    # NumPy writes arrays past Python's files, and says only how much of them was written.
    if isinstance(error, OSError) and "requested and" in str(error):
        return errno.ENOSPC
    return next((code for code in FULL if os.strerror(code) in str(error)), None)
