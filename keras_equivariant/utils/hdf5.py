"""The arrays of HDF5 files, those of the file itself alone: no links into other files, no objects."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
SUFFIXES = (".h5", ".hdf5")


def is_hdf5(path):
    """Whether a file that exists is one, by how it begins."""
    with open(path, "rb") as file:
        return file.read(len(_SIGNATURE)) == _SIGNATURE


def names(path):
    """Names of the arrays at the top of a file."""
    import h5py

    with h5py.File(path) as file:
        return _names(h5py, file)


def arrays(path, keys=None, largest=None):
    """`{name: array}` of the arrays at the top of a file.

    Args:
        path: the file.
        keys: names to read, of which some may be missing; None for all.
        largest: bytes that they may take in memory together; None for no bound.

    Raises:
        ValueError: arrays of objects, in files of their own, or larger than that.
        OSError: a damaged file.
    """
    import h5py

    with h5py.File(path) as file:
        found = {name: file[name] for name in _names(h5py, file) if keys is None or name in keys}
        total = sum(array.nbytes for array in found.values())
        if largest is not None and total > largest:
            raise ValueError(f"it unpacks to {total:,} bytes, which is more than {largest:,} bytes")
        return {name: _read(h5py, name, array) for name, array in found.items()}


def _names(h5py, file):
    own = [name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink)]
    found = [name for name in own if isinstance(file[name], h5py.Dataset)]
    if not found:
        raise ValueError("it holds no arrays at its top")
    return found


def _read(h5py, name, array):
    if array.external or array.is_virtual:
        raise ValueError(f"array {name} lies in another file")
    if h5py.check_string_dtype(array.dtype):
        return array.asstr()[()].astype(str)
    if array.dtype.kind not in "buif":
        raise ValueError(f"array {name} holds {array.dtype}")
    return array[()]
