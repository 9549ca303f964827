"""Where specs come from: a file, a packaged name, or a dict."""

from __future__ import annotations

import errno
import importlib.resources
import os
import stat
from pathlib import Path

from keras_equivariant.compiler.grammar.errors import Where
from keras_equivariant.compiler.grammar.limits import MAX_BYTES
from keras_equivariant.compiler.grammar.nodes import from_python
from keras_equivariant.compiler.grammar.parser import parse_yaml
from keras_equivariant.utils.text import nearest, shown

SUFFIX = ".yaml"


def list_specs() -> tuple[str, ...]:
    """Names of the packaged specs, as `build_from_spec` takes them."""
    found = (entry.name for entry in _packaged().iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)))


def read(source):
    """The tree of a spec.

    Args:
        source: path of a YAML file; the name of a packaged spec, with or without `.yaml`; or a dict. A file in the
            working directory comes before a packaged spec only if it is written with its suffix.

    Returns:
        The root Node.

    Raises:
        SpecError: no such file or packaged spec, a file that cannot be read, bad YAML.
        TypeError: something else than a path, name or dict.
    """
    if isinstance(source, dict):
        name = source.get("name")
        return from_python(source, Where(name if isinstance(name, str) and len(name) < 100 else "spec"))
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"A spec must be a path, the name of a packaged spec, or a dict. Received: {shown(source)}")
    text = os.fspath(source)
    path = _expanded(text)
    if path.suffix and _is_there(path):
        return parse_yaml(_read_file(path), _shown_name(path.name))
    name = text.removesuffix(SUFFIX)
    if name in list_specs():
        return parse_yaml((_packaged() / (name + SUFFIX)).read_bytes(), name + SUFFIX)
    if _is_there(path):
        return parse_yaml(_read_file(path), _shown_name(path.name))
    raise Where(_shown_name(text)).error(
        f"there is no such file, nor a packaged spec of this name. {nearest(path.stem, list_specs())}"
    )


def _expanded(text):
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):  # ~ and the name of nobody, or none at all
        return Path(text)


def _shown_name(name):
    """A name as messages begin with it: on one line."""
    return name if 0 < len(name) < 100 and name.isprintable() and name == name.strip() else shown(name, limit=100)


def _is_there(path):
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long for the file system, or with a null character
        return False


def _read_file(path):
    try:
        # Not blocking: to open a FIFO waits for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                raise Where(_shown_name(path.name)).error("a spec must be a regular file. Received: a device or pipe")
            with open(handle, "rb", closefd=False) as file:
                return file.read(MAX_BYTES + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise Where(_shown_name(path.name)).error(f"the file cannot be read: {error.strerror or error}") from None


def _packaged():
    """The folder of the packaged specs: installed beside the package, or next to it in a checkout."""
    try:
        return importlib.resources.files("keras_equivariant.specs")
    except ModuleNotFoundError:
        return Path(__file__).resolve().parents[3] / "specs"
