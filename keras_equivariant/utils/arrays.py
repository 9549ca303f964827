"""Arrays from files and from users: the one reader of .npz and HDF5 files, and casts that keep the numbers."""

import contextlib
import math
import pathlib
import zipfile

import numpy as np

from keras_equivariant.utils import hdf5

_REMEDY = "The file is damaged, incomplete or of another kind: make or fetch it again."


def read_arrays(path, keys=None, what="A data archive", largest=None):
    """The arrays of an .npz or HDF5 file, without running code and without trusting what the file declares.

    Args:
        path: the file.
        keys: names to read, of which some may be missing; None for all.
        what: what the file is, as the first words of an error.
        largest: bytes that its arrays may take in memory together; None for no bound.

    Returns:
        dict from name to array.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, incomplete or of another kind. It names the file and the damage.
    """
    path = pathlib.Path(path).expanduser()
    if path.is_dir() or not path.exists():
        raise FileNotFoundError(f"No such file. Received: {path}. Give the path of an existing .npz file.")
    try:
        if hdf5.is_hdf5(path):
            return hdf5.arrays(path, keys, largest)
        with _opened(path) as archive:
            members = _members(archive, keys)
            total = sum(member.file_size for member in members.values())
            if largest is not None and total > largest:
                raise ValueError(f"it unpacks to {total:,} bytes, which is more than {largest:,} bytes")
            return {key: _read(archive, member) for key, member in members.items()}
    except Exception as error:
        raise _damaged(path, what, error) from error


def array_names(path, what="A data archive"):
    """Names of the arrays of an .npz or HDF5 file, without reading them; errors as those of `read_arrays`."""
    path = pathlib.Path(path).expanduser()
    try:
        if hdf5.is_hdf5(path):
            return hdf5.names(path)
        with _opened(path) as archive:
            return list(_members(archive))
    except Exception as error:
        raise _damaged(path, what, error) from error


def _damaged(path, what, error):
    """The error of a file; what zipfile, the decompressors and NumPy's parser raise on one has no common base."""
    reason = str(error) if isinstance(error, (ValueError, OSError, zipfile.BadZipFile)) else repr(error)
    return ValueError(
        f"{what} must be a complete .npz file, or HDF5 file, of plain arrays. Received: {path} "
        f"({reason or type(error).__name__}). {_REMEDY}"
    )


@contextlib.contextmanager
def naming(path):
    """Every ValueError about what stands in a file names the file."""
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{error} It stands in {path}.") from error


def _opened(path):
    if not zipfile.is_zipfile(path):
        raise ValueError(_kind_of(path))
    return zipfile.ZipFile(path)


def _kind_of(path):
    """What a file that is no archive is, for a message."""
    with open(path, "rb") as file:
        start = file.read(6)
    if start == b"\x93NUMPY":
        return "the file holds a single array; save it with numpy.savez(path, name=array)"
    return "the file is empty" if not start else "it is not a zip archive, or cut short"


def _members(archive, keys=None):
    names = {info.filename.removesuffix(".npy"): info for info in archive.infolist() if info.filename.endswith(".npy")}
    if not names:
        raise ValueError("it holds no arrays")
    return {name: info for name, info in names.items() if keys is None or name in keys}


def _read(archive, member):
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"array {member.filename} of version {version}")
        shape, _, dtype = readers[version](file)
        if dtype.hasobject:
            raise ValueError(f"array {member.filename} holds Python objects")
        # Before memory is taken for it: the size that the header declares is the size that is there.
        if file.tell() + math.prod(shape) * dtype.itemsize != member.file_size:
            raise ValueError(f"array {member.filename} declares the shape {shape} of {dtype}, which is not its content")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def as_numbers(values, dtype, what):
    """Real, finite numbers as an array of this dtype that holds the same numbers, up to rounding.

    Args:
        values: anything that NumPy makes an array of.
        dtype: the wanted one, floating or integer.
        what: what the numbers are, as the first words of an error, such as "Labels".

    Raises:
        ValueError: complex or other values, NaN or infinite ones, or numbers that the dtype cannot hold.
    """
    values, dtype = np.asarray(values), np.dtype(dtype)
    if values.dtype.kind not in "buif":
        raise ValueError(f"{what} must be real numbers. Received: dtype {values.dtype}. Save them as {dtype}.")
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"{what} must be finite. Received: {int(bad.sum())} NaN or infinite ones, the first at index "
            f"{_first(bad)}. Remove or replace them."
        )
    limits = np.iinfo(dtype) if dtype.kind in "ui" else np.finfo(dtype)
    if values.size and values.dtype.kind != "b":
        outside = (values < limits.min) | (values > limits.max)
        fractional = (values != np.floor(values)) if dtype.kind in "ui" else np.zeros_like(outside)
        if outside.any():
            raise ValueError(
                f"{what} must lie between {limits.min:.4g} and {limits.max:.4g}. Received: "
                f"{values[outside].reshape(-1)[0]!r} at index {_first(outside)}. Rescale or correct them."
            )
        if fractional.any():
            raise ValueError(
                f"{what} must be whole numbers. Received: {values[fractional].reshape(-1)[0]!r} at index "
                f"{_first(fractional)}. Round or correct them."
            )
    return values.astype(dtype, copy=False)


def _first(where):
    index = tuple(int(i) for i in np.argwhere(where)[0])
    return index[0] if len(index) == 1 else index
