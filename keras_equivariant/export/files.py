"""Files that appear all at once or not at all: written in a folder beside, then renamed."""

import contextlib
import os
import pathlib
import shutil
import tempfile


@contextlib.contextmanager
def staging(folder, name):
    """A new folder inside `folder`, on the same disk; removed at the end with whatever is still in it."""
    folder = pathlib.Path(folder)
    created = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stage = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    except OSError as error:
        raise type(error)(
            error.errno,
            f"`path` must be a folder that can be written to; choose another one ({error.strerror}). Received: path=",
            str(folder),
        ) from error
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if created and not any(folder.iterdir()):
            folder.rmdir()


def check_free(targets, overwrite):
    """Raises FileExistsError where a target is there already."""
    taken = [str(target) for target in targets if target.exists()]
    if taken and not overwrite:
        raise FileExistsError(
            f"Nothing is overwritten unasked. Received: {', '.join(taken)} already there; "
            "pass overwrite=True, or another `version` or `name`."
        )


def publish(stage, files):
    """Moves `(staged, target)` pairs to where they belong; what was there before goes into the stage."""
    for i, (staged, target) in enumerate(files):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            os.replace(target, stage / f"replaced-{i}")
        os.replace(staged, target)


def size(path):
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
