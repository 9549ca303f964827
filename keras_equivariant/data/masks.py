"""Masks in files of their own, brought beside their images: as large as these, in one kind of numbers, in one code."""

import logging

import numpy as np

from keras_equivariant.data import files, pictures, resampling

MOST_GRAYS = 32  # of masks whose gray values are taken for classes
_NOISE = 40  # gray values by which a lossy compression changes black and white

log = logging.getLogger("keras_equivariant.data")


def beside(masks, images, shapes, fit, voxel_size=None):
    """`{part: array (count, *size, 1)}` of the masks of all parts.

    Args:
        masks, images: `{part: paths}`, a mask for each image.
        shapes: `{path: (*space, C)}` of the images, with voxels of the size wanted.
        fit: function that brings a mask to the common size.
        voxel_size: what voxels are brought to, or None.

    Raises:
        ValueError: a mask of another size than its image.
    """
    found, turned = {}, 0
    for part, paths in masks.items():
        found[part] = []
        for path, image in zip(paths, images[part], strict=True):
            mask = resampling.resampled(*files.read(path, mask=True), voxel_size, True)
            _check_size(path, mask.shape[:-1], image, shapes[image][:-1])
            turned += _turned(image) and not _turned(path)
            found[part].append(fit(mask))
    if turned:
        log.warning(
            "%d images are shown as their camera noted, rotated: their masks must be as they are shown.", turned
        )
    return ranked(_of_one_kind(found))


def _check_size(path, size, image, wanted):
    if size == wanted:
        return
    how = "Save it in that size."
    if size == wanted[::-1]:
        how = "A picture is taken as it is shown, as its camera noted: rotate the mask likewise."
    raise ValueError(
        f"A mask has the size of its image. Received: {path} of {_by(size)} for {image} of {_by(wanted)}. {how}"
    )


def _turned(path):
    return files.suffix_of(path) in files.PICTURES and pictures.orientation_of(path) > 1


def _of_one_kind(masks):
    """The masks of each part as one array, all of a type that holds the numbers of every file.

    Where each is in black and white, be it bits, 0 and 1, or 0 and 255, white is the same in all.
    """
    every = [mask for part in masks.values() for mask in part]
    whites = {_white(mask) for mask in every} - {0}
    white = 255 if whites == {1, 255} else 1  # what white becomes where it is 1
    dtype = np.result_type(*{np.dtype("uint8") if mask.dtype.kind == "b" else mask.dtype for mask in every})
    return {
        part: np.stack([mask.astype(dtype) * dtype.type(white if _white(mask) == 1 else 1) for mask in found])
        for part, found in masks.items()
    }


def _white(mask):
    """1 of a mask of 0 and 1, 255 of one of 0 and 255, 0 of an empty one, None of others."""
    top = mask.max()
    two = mask.dtype.kind in "bui" and top in (0, 1, 255) and np.isin(mask, (0, top)).all()
    return int(top) if two else None


def ranked(masks):
    """Masks of a few gray values that do not count from 0 as class numbers; 0 and 255 stay as they are.

    Many values of which nearly all lie near 0 and 255 are those two behind a lossy compression.

    Args:
        masks: dict of arrays, judged together.
    """
    found = [np.unique(mask, return_counts=True) for mask in masks.values()]
    values, where = np.unique(np.concatenate([values for values, _ in found]), return_inverse=True)
    counts = np.bincount(where, np.concatenate([counts for _, counts in found]))
    counted = np.array_equal(values, np.arange(len(values))) or set(values.tolist()) <= {0, 255}
    if values.dtype.kind not in "iu" or counted or len(values) < 2:
        return masks
    if len(values) <= MOST_GRAYS:
        log.info("The gray values %s of the masks are the classes 0 to %d.", values.tolist(), len(values) - 1)
        return {key: np.searchsorted(values, mask).astype("int32") for key, mask in masks.items()}
    black, white = values <= _NOISE, (values >= 255 - _NOISE) & (values <= 255)
    if counts[black].any() and counts[white].any() and counts[black | white].sum() > 0.9 * counts.sum():
        log.info("The masks are black and white but for a lossy compression: values above 127 count as 255.")
        return {key: np.where(mask > 127, 255, 0).astype("uint8") for key, mask in masks.items()}
    return masks


def _by(space):
    return "x".join(map(str, space))
