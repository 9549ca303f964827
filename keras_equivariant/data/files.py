"""Pictures and volumes in files of their own: which there are, how one is read, and many as one array on disk."""

import logging
import os
from pathlib import Path

import numpy as np

from keras_equivariant.data import dicoms, fits, niftis, pictures, resampling, sizes, tiffs
from keras_equivariant.data.stored import Stored

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".ppm", ".pgm", ".pbm", ".pnm")
TIFFS = (".tif", ".tiff")
NIFTIS = (".nii", ".nii.gz")
DICOMS = (".dcm", ".dicom")
FITS = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz")
IN_MEMORY = 2**30  # bytes; larger sets stay on disk

log = logging.getLogger("keras_equivariant.data")


def _picture(path, mask):
    return pictures.read(path, mask), None, None


def _tiff(path, mask):
    return *tiffs.read(path, mask), None


def _fits(path, mask):
    return fits.read(path, mask), True, None


def _array(path, mask):
    return np.load(path, allow_pickle=False), None, None


# By ending: function of (path, mask) that returns the array, whether that is an image with channels (None: as its
# shape says), and the edges of a voxel or None.
_READERS = {
    **dict.fromkeys(PICTURES, _picture),
    **dict.fromkeys(TIFFS, _tiff),
    **dict.fromkeys(NIFTIS, niftis.read),
    **dict.fromkeys(DICOMS, dicoms.read),
    **dict.fromkeys(FITS, _fits),
    ".npy": _array,
}
SUFFIXES = tuple(_READERS)


def suffix_of(path, suffixes=SUFFIXES):
    """The ending of a file that can be read, in small letters, or ""."""
    name = Path(path).name.lower()
    return next((s for s in sorted(suffixes, key=len, reverse=True) if name.endswith(s)), "")


def stem_of(path):
    """A file's name without its ending."""
    return Path(path).name[: len(Path(path).name) - len(suffix_of(path))]


def listed(folder, suffixes=SUFFIXES):
    """The files of a folder that can be read, by name; hidden ones are left out."""
    return sorted(p for p in Path(folder).iterdir() if p.is_file() and p.name[0] != "." and suffix_of(p, suffixes))


def sides(path):
    """To which sides the axes of a volume lead, such as "RAS"; None of files that do not say it."""
    return niftis.sides(path) if suffix_of(path) in NIFTIS else None


def identities(paths):
    """What each path leads to in the end, so that a file is known by each of its links and names."""
    folders = {}
    for path in map(str, paths):
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        yield os.path.realpath(path) if os.path.islink(path) else os.path.join(folders[folder], name)


def belongings(paths):
    """`{path: what it belongs to}`: the patient whose name the file bears, or the file itself. All paths of a data set
    are asked together, since what tells patients apart is seen from all."""
    paths = list(paths)
    found = dict(zip(paths, identities(paths), strict=True))
    scans = [path for path in found if suffix_of(path) in DICOMS]
    headers = dicoms.headers(scans)
    _log_slices(dicoms.slices(headers))
    owners = zip(scans, dicoms.patients(headers), strict=True)
    return found | {path: ("patient", owner) for path, owner in owners if owner is not None}


def _log_slices(series):
    """Say that slices of volumes are read one by one."""
    if series:
        log.warning(
            "%d DICOM files are slices of %d series and are read as images of their own. For volumes make each series "
            "one file, as `dcm2niix -z y -o FOLDER SERIES` does (.nii.gz), or save the stacked slices as .npy.",
            sum(series.values()),
            len(series),
        )


def frames(path):
    """How many pictures a file holds of which one alone is read; 1 for all others."""
    suffix = suffix_of(path)
    return pictures.frames(path) if suffix in PICTURES else tiffs.series(path) if suffix in TIFFS else 1


def read(path, mask=False):
    """`(array, voxel size or None)` of one file: an image `(H, W, C)`, or a volume `(D, H, W, C)`.

    Pictures, .tif among them, become gray or red, green and blue, upright as their camera noted it; palettes and
    transparency are dissolved, but for masks, whose numbers are classes and stay. NIfTI volumes have the axes of the
    file, x, y, z; DICOM files and FITS files are read as they are displayed.

    Raises:
        ValueError: the file is damaged, or holds something else; a mask in several colors.
    """
    suffix = suffix_of(path)
    try:
        array, image, size = _READERS.get(suffix, _array)(path, mask)
    except ImportError:
        raise
    except Exception as error:  # what the readers raise on damaged files has no common base
        why = str(error).splitlines()[0] if str(error) else repr(error)
        raise ValueError(f"A data file must be whole. Received: {path} ({why}). Remove it or make it again.") from error
    if array.dtype.kind not in "buif" or array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise ValueError(
            f"A data file must hold an image or a volume of real numbers. Received: {path} with an array of shape "
            f"{array.shape} and dtype {array.dtype}. Remove it, or save it as such."
        )
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            f"A data file must hold finite numbers. Received: {path} with {int((~np.isfinite(array)).sum())} NaN or "
            "infinite ones. Replace them, as numpy.nan_to_num does, or remove the file."
        )
    if suffix == ".npy" and array.ndim == 3 and array.shape[0] <= sizes.MOST_FIRST and sizes.are_space(array.shape[1:]):
        raise ValueError(
            f"Channels are the last axis. Received: {path} with an array of shape {array.shape}, which looks like "
            f"{array.shape[0]} channels before the axes of space. Save numpy.moveaxis(x, 0, -1), a volume of so few "
            "slices as x[..., None]."
        )
    if image is None:
        image = array.ndim == 3 and array.shape[-1] <= sizes.MOST_FIRST
    if mask:
        return _one_channel(array, image, path)[..., None], size
    return array if image or array.ndim == 4 else array[..., None], size


def _one_channel(array, image, path):
    """The numbers of a mask; of one in black and a color 0 and 255."""
    if not image:
        return array[..., 0] if array.ndim == 4 else array
    colors = array[..., :3]
    if (colors == colors[..., :1]).all():
        return colors[..., 0]
    found = np.unique(colors.reshape(-1, colors.shape[-1]), axis=0)
    if len(found) > 2:
        raise ValueError(
            f"A mask holds the number of a class at each pixel. Received: {path} in {len(found)} colors. Save it in "
            "gray values or with a palette, one for each class."
        )
    return np.where((colors == found[1]).all(axis=-1), 255, 0).astype("uint8")


class Files(Stored):
    """Files of one kind as one array `(files, *row_shape)`, each read when it is asked for.

    Args:
        paths: the files.
        fit: function of `(array, path)` that brings an array to the common shape.
        row_shape, dtype: of the result.
        voxel_size: what voxels are brought to before that, or None.
    """

    def __init__(self, paths, fit, row_shape, dtype, voxel_size=None):
        self.paths, self.fit, self.voxel_size = list(paths), fit, voxel_size
        super().__init__(len(self.paths), row_shape, dtype)

    def read(self, numbers):
        found = np.empty((len(numbers), *self.row_shape), self.dtype)
        for i, number in enumerate(numbers):
            path = self.paths[number]
            found[i] = self.fit(resampling.resampled(*read(path), self.voxel_size), path)
        return found

    def loaded(self):
        """The whole in memory, or this, where it is too large for that."""
        bytes_ = len(self) * int(np.prod(self.row_shape)) * self.dtype.itemsize
        return np.asarray(self) if bytes_ <= IN_MEMORY else self
