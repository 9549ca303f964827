"""Files that appear all at once or not at all: written in a folder beside, then renamed."""

import contextlib
import os
import pathlib
import shutil
import tempfile
import time

from keras_equivariant.utils.files import room

LOCK = ".export-lock"
ABANDONED = 3600  # seconds after which a folder without a lock is a killed export's


@contextlib.contextmanager
def staging(folder, name):
    """A new folder inside `folder`, on the same disk; removed at the end with whatever is still in it.

    Those that killed exports of this name left are removed first.
    """
    folder = pathlib.Path(folder)
    created = not folder.exists()
    try:
        if folder.is_symlink() and created:
            raise FileNotFoundError(2, "it is a symbolic link to nothing")
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):  # else another export could take the new folder, not yet locked, for a killed one's
            _clear(folder, name)
            stage = pathlib.Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
            lock = open(stage / LOCK, "w")
            _lock(lock.fileno())
    except OSError as error:
        raise type(error)(
            error.errno,
            f"`path` must be a folder that can be written to; choose another one ({error.strerror}). Received: path=",
            str(folder),
        ) from error
    try:
        with room(folder / name), lock:
            yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if created:
            with contextlib.suppress(OSError):  # not empty, or removed by another that made it, too
                folder.rmdir()


def _clear(folder, name):
    """Removes the stages of exports of this name whose process is no more."""
    for stage in folder.glob(f".{name}-????????"):
        lock = stage / LOCK
        try:
            if not lock.exists():
                dead = stage.is_dir() and time.time() - stage.stat().st_mtime > ABANDONED
            else:
                with open(lock, "r+") as file:
                    dead = _lock(file.fileno(), wait=False)
        except OSError:  # of another user, or removed meanwhile
            continue
        if dead:
            shutil.rmtree(stage, ignore_errors=True)


def _lock(handle, wait=True):
    """Holds an open file or folder until it is closed or the process ends; False if another process does."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return wait
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def check_free(targets, overwrite):
    """Raises FileExistsError where a target is there already, or a file is in the way of its folder."""
    for target in targets:
        blocking = next((parent for parent in target.parents if parent.exists() and not parent.is_dir()), None)
        if blocking is not None:
            raise FileExistsError(
                f"The folder of a target must be a folder. Received: the file {blocking} in the way of {target}; move "
                "it, or pass another `path` or `name`."
            )
    taken = [str(target) for target in targets if os.path.lexists(target)]
    if taken and not overwrite:
        raise FileExistsError(
            f"Nothing is overwritten unasked. Received: {', '.join(taken)} already there; "
            "pass overwrite=True (--overwrite on the command line), or another `version` or `name`."
        )


def publish(folder, stage, files, overwrite):
    """Moves `(staged, target)` pairs to where they belong; what was there before goes into the stage.

    One process at a time does so in a folder, and looks again what is there: of two that export the same one wins.

    Raises:
        FileExistsError: as `check_free`; then nothing is moved.
    """
    with _alone(folder):
        check_free([target for _, target in files], overwrite)
        for i, (staged, target) in enumerate(files):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir() or (os.path.lexists(target) and staged.is_dir()):
                os.replace(target, stage / f"replaced-{i}")
            os.replace(staged, target)


@contextlib.contextmanager
def _alone(folder):
    """No other process is in here with the same folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        yield
        return
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def size(path):
    """Bytes of a file, or of all files in a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
