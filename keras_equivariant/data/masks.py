"""Masks in files of their own, brought beside their images: as large as these, in one kind of numbers, in one code."""

import logging

import numpy as np

from keras_equivariant.data import files, pictures, resampling, sizes
from keras_equivariant.data.targets import whole

MOST_GRAYS = 32  # of masks whose gray values are taken for classes
OBJECTS = "objects"
_NOISE = 40  # gray values by which a lossy compression changes black and white

_MANY = (
    "The masks have %d classes. If their numbers are those of objects, all of which are looked for, read them with the "
    'option mask_values="objects".'
)

log = logging.getLogger("keras_equivariant.data")


def beside(masks, images, form, values=None):
    """`{part: array (count, *size, 1)}` of the masks of all parts, and the values of their classes as `numbered` says.

    Args:
        masks, images: `{part: paths}`, a mask for each image.
        form: the `CommonForm` of the images.
        values: as in `numbered`.

    Raises:
        ValueError: a mask of another size or with other axes than its image, or with a value of no class; one that is
            padded where every pixel has a class.
    """
    found, turned, outside = {}, 0, Outside(form.size, form.fit, values)
    for part, paths in masks.items():
        found[part] = []
        for path, image in zip(paths, images[part], strict=True):
            mask = resampling.resampled(*files.read(path, mask=True), form.wanted, True)
            _check_size(path, mask.shape[:-1], image, form.shapes[image][:-1])
            _check_sides(path, image)
            turned += _turned(image) and not _turned(path)
            outside.look_at(mask, path, mask.shape[:-1])
            found[part].append(form.mask(mask))
    if turned:
        log.warning(
            "%d images are shown as their camera noted, rotated: their masks must be as they are shown.", turned
        )
    found = {part: [*map(outside.filled, fitted, masks[part])] for part, fitted in found.items()}
    return numbered(_of_one_kind(_whole(found), merging=values is None or len(values) == 2), values)


class Outside:
    """What the masks say of the pixels with which they are padded to a size: 0, as images do, where that is one of
    their numbers, else the rest, where there is one.

    Args:
        size, fit: as in `sizes.fitted`.
        values: of the classes, as in `numbered`.
    """

    def __init__(self, size, fit, values=None):
        self.size, self.fit, self.values = size, fit, values
        self.spaces, self.found = {}, set()

    def look_at(self, mask, name, space):
        """Note the numbers of a mask, or of several, and their size."""
        self.spaces[name] = tuple(space)
        if 0 not in self.found:  # else it is known
            self.found |= {0} if (mask == 0).any() else set(np.unique(mask).tolist())

    def filled(self, mask, name):
        """A mask in the common size `(*size, 1)`, or several, with its number outside of what it was.

        Raises:
            ValueError: every pixel has one of several classes, none of which is that of what lies outside.
        """
        space = self.spaces[name]
        if 0 in self.found or not sizes.is_padded(space, self.size, self.fit):
            return mask
        return np.where(sizes.inside(space, self.size, self.fit), mask, mask.dtype.type(self._number(name)))

    def _number(self, name):
        classes = self.values
        if classes is None:
            classes = sorted(self.found)
            if self.found <= {1, 255} or len(classes) > MOST_GRAYS or any(value % 1 for value in classes):
                return 0
        if classes == OBJECTS or 0 in classes:
            return 0
        if len(classes) == 2:  # the rest and what is looked for
            return classes[0]
        listed = ", ".join(f"{value:g}" for value in classes)
        raise ValueError(
            "Masks in which every pixel has a class are not padded, since what lies outside has none of these. "
            f"Received: {name} of {_by(self.spaces[name])}, to be brought to {_by(self.size)}, with the classes "
            f"{listed}. Give a size that no image falls short of, or a class to what lies outside, --option "
            f"mask_values=[0,{listed.replace(' ', '')}]."
        )


def _check_size(path, size, image, wanted):
    if size == wanted:
        return
    how = "Save it in that size."
    if size == wanted[::-1]:
        how = "A picture is taken as it is shown, as its camera noted: rotate the mask likewise."
    raise ValueError(
        f"A mask has the size of its image. Received: {path} of {_by(size)} for {image} of {_by(wanted)}. {how}"
    )


def _check_sides(path, image):
    own, wanted = files.sides(path), files.sides(image)
    if own and wanted and own != wanted:
        raise ValueError(
            f"A mask has the axes of its image. Received: {path}, whose axes lead to {own}, for {image}, whose axes "
            f"lead to {wanted}. Save both as nibabel.as_closest_canonical gives them."
        )


def _turned(path):
    return files.suffix_of(path) in files.PICTURES and pictures.orientation_of(path) > 1


def _whole(found):
    """The masks of each part as integers, if all of them are whole numbers."""
    every = whole({(part, i): mask for part, masks in found.items() for i, mask in enumerate(masks)})
    return {part: [every[part, i] for i in range(len(masks))] for part, masks in found.items()}


def _of_one_kind(masks, merging):
    """The masks of each part as one array, all of a type that holds the numbers of every file.

    Where each is in black and white, be it bits, 0 and 1, or 0 and 255, white is the same in all if `merging`.
    """
    every = [mask for part in masks.values() for mask in part]
    whites = {_white(mask) for mask in every} - {0} if merging else set()
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


def numbered(masks, values=None):
    """Masks as class numbers, and the values that the classes have in the files.

    A few gray values that do not count from 0 are numbered by size; 0 and 255 stay as they are. Many values of which
    nearly all lie near 0 and 255 are those two behind a lossy compression.

    Args:
        masks: dict of arrays, judged together.
        values: of the classes, in the order of their numbers, of two the second is what is looked for; "objects" where
            each object has a number of its own and all are looked for; None for those that occur.

    Returns:
        The masks, and a tuple of values; None for masks of what is looked for and the rest.

    Raises:
        ValueError: a value of no class; `values` that are not two whole numbers or more.
    """
    if values is not None:
        return _as_given(masks, check_values(values))
    found = [np.unique(mask, return_counts=True) for mask in masks.values()]
    values, where = np.unique(np.concatenate([values for values, _ in found]), return_inverse=True)
    counts = np.bincount(where, np.concatenate([counts for _, counts in found]))
    black_and_white = set(values.tolist()) <= {0, 255} or values.tolist() == [0, 1]
    if values.dtype.kind not in "iu" or len(values) < 2 or black_and_white:
        return masks, None
    if np.array_equal(values, np.arange(len(values))):
        if len(values) > MOST_GRAYS:
            log.warning(_MANY, len(values))
        return masks, tuple(values.tolist())
    if len(values) <= MOST_GRAYS:
        log.info("The gray values %s of the masks are the classes 0 to %d.", values.tolist(), len(values) - 1)
        ranks = {key: np.searchsorted(values, mask).astype("int32") for key, mask in masks.items()}
        return ranks, tuple(values.tolist()) if len(values) > 2 else None
    black, white = values <= _NOISE, (values >= 255 - _NOISE) & (values <= 255)
    if counts[black].any() and counts[white].any() and counts[black | white].sum() > 0.9 * counts.sum():
        log.info("The masks are black and white but for a lossy compression: values above 127 count as 255.")
        return {key: np.where(mask > 127, 255, 0).astype("uint8") for key, mask in masks.items()}, None
    log.warning(_MANY, 1 + int(values[-1]))
    return masks, None


def told(values):
    """The fields of a `Dataset` that the values of the classes decide."""
    if values is None or values == OBJECTS or len(values) == 2:
        return {}
    return {"num_classes": len(values), "class_names": tuple(map(str, values))}


def check_values(values):
    """ "objects", or the values as a tuple of whole numbers; else a ValueError."""
    if values is None or values == OBJECTS:
        return values
    whole = isinstance(values, list | tuple) and all(type(value) is int for value in values)
    if not whole or len(set(values)) != len(values) or len(values) < 2:
        raise ValueError(
            "`mask_values` lists the whole numbers that the classes have in the masks, each once, in the order of the "
            f'classes. Received: mask_values={values!r}. Give two or more, such as [0, 100, 200], or "{OBJECTS}" where '
            "every object has a number of its own."
        )
    return tuple(values)


def check_no_values(name, values):
    """ValueError where values of masks are given for data that have none."""
    if values is not None:
        raise ValueError(
            f"`mask_values` are those of masks. Received: mask_values={values!r} for {name}, which has none. Leave "
            "them out."
        )


def _as_given(masks, values):
    if values == OBJECTS:
        return {key: (mask > 0).astype("uint8") for key, mask in masks.items()}, OBJECTS
    order = np.argsort(values)
    known = np.asarray(values)[order]
    unknown = sorted({value for mask in masks.values() for value in np.setdiff1d(mask, known).tolist()})
    if unknown:
        raise ValueError(
            f"The values of the masks are those of the classes. Received: {', '.join(map(str, unknown[:10]))}, where "
            f"the classes have {', '.join(map(str, values))}. Save the masks in these, or train on all with "
            "mask_values=[…]."
        )
    found = {key: order[np.searchsorted(known, mask)].astype("int32") for key, mask in masks.items()}
    return found, values


def _by(space):
    return "x".join(map(str, space))
