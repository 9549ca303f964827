"""What a network is to answer: classes, masks, numbers or vectors, checked and in one form."""

import numpy as np

from keras_equivariant.data.rows import Rows
from keras_equivariant.utils.arrays import as_numbers

MOST_CLASSES = 256  # of masks, which are pictures


def task_of(images, targets):
    """The task that arrays describe: masks are as large as their images, classes are whole numbers, texts or one-hot
    rows, one a row, several labels are other rows of 0 and 1, and what is none of these is numbers."""
    shape, targets = np.shape(images), np.asarray(targets)
    if targets.ndim > 2 and targets.shape[1:3] == shape[1:3]:
        return "segmentation"
    if are_labels(targets):
        return "classification" if is_one_hot(targets) else "multilabel"
    if targets.dtype.kind not in "f" or targets.shape[1:] in ((), (1,)) and np.array_equal(targets, np.floor(targets)):
        return "classification"
    return "regression"


def are_labels(targets):
    """Whether each row `(rows, labels)` holds 0 and 1 alone, in two places or more."""
    targets = np.asarray(targets)
    if targets.ndim != 2 or targets.shape[1] < 2 or targets.dtype.kind not in "buif":
        return False
    return bool(np.isin(targets, (0, 1)).all())


def is_one_hot(targets):
    """Whether each row `(rows, classes)` is 1 in one place and 0 elsewhere."""
    return are_labels(targets) and bool((np.asarray(targets).sum(axis=1) == 1).all())


def class_numbers(parts, dense=True):
    """Labels of all parts as class numbers, and the names of the classes (empty where the labels are 0, 1, 2, …).

    Texts, and numbers of which some are left out (1, 2, 3), become the places of the names in their order, one-hot rows
    the place of the one.

    Args:
        parts: dict of arrays of labels.
        dense: False for numbers that are known to be class numbers, whichever of them there are.
    """
    parts = {key: np.asarray(labels) for key, labels in parts.items()}
    parts = {key: np.argmax(y, axis=1) if is_one_hot(y) else y for key, y in parts.items()}
    flat = {key: y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y for key, y in parts.items()}
    if all(y.dtype.kind in "US" for y in flat.values()):
        names = np.unique(np.concatenate([y.astype(str) for y in flat.values()]))
        return {key: np.searchsorted(names, y.astype(str)) for key, y in flat.items()}, tuple(map(str, names))
    if not dense or not all(map(_are_numbers, flat.values())):
        return parts, ()
    names = np.unique(flat["train"]).astype("int64")
    if names[-1] == len(names) - 1 or not all(np.isin(y, names).all() for y in flat.values()):
        return parts, ()
    return {key: np.searchsorted(names, y) for key, y in flat.items()}, tuple(map(str, names))


def _are_numbers(labels):
    """Whether labels are whole numbers from 0 on."""
    if labels.ndim != 1 or not labels.size or labels.dtype.kind not in "buif":
        return False
    return labels.min() >= 0 and np.array_equal(labels, np.floor(labels))


def whole(parts):
    """Masks of all parts, `{part: array}`, as integers where they are whole numbers in floats, as many tools save them;
    as they are where any lies between, or all from 0 to 1."""
    parts = {part: np.asarray(masks) for part, masks in parts.items()}
    floats = [masks for masks in parts.values() if masks.dtype.kind == "f" and masks.size]
    most = max((masks.max() for masks in floats), default=0)
    if not 1 < most <= np.iinfo("int32").max or not all(np.array_equal(m, np.floor(m)) for m in floats):
        return parts
    return {part: masks.astype("int32") if masks.dtype.kind == "f" else masks for part, masks in parts.items()}


def several_classes(parts):
    """Whether masks are class numbers: those of one part at least are whole numbers that are neither 0 and 1 nor 0 and
    255. All parts are judged together, so that a number means the same in each."""
    found = [np.unique(masks) for masks in map(np.asarray, parts) if masks.dtype.kind in "ui" and masks.size]
    return any(len(values) > 1 and values[-1] > 1 and not set(values.tolist()) <= {0, 255} for values in found)


def check_targets(task, name, part, targets, images, several=None):
    """Targets of a task in their one form; anything else raises a ValueError.

    Labels are `(B,)` int32, several `(B, n)` float32 of 0 and 1; masks `(B, *space, 1)`, float32 from 0 to 1, or int32
    class numbers where there are several classes; numbers `(B, n)` and vectors `(B, n)` or `(B, *space, n)`
    float32; those of `Rows` float32 each, but for energies, float64: what differs between molecules is less than
    what their atoms have alone by many digits.

    Args:
        task, name, part: of the data set.
        targets, images: of the part.
        several: whether masks are class numbers; None where these alone tell.
    """
    if task not in _CHECKS:
        raise ValueError(
            f"`task` must be one of {', '.join(_CHECKS)}. Received: {name} with task={task!r}. Choose one."
        )
    targets = targets if isinstance(targets, Rows) else np.asarray(targets)
    more = {"several": several_classes([targets]) if several is None else several} if task == "segmentation" else {}
    return _CHECKS[task](name, part, targets, images, **more)


def _check_labels(name, part, labels, images):
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (len(images),):
        raise ValueError(
            f"There must be one label for each image. Received: {name} with {len(images)} images in x_{part} and "
            f"y_{part} of shape {labels.shape}. Save integer labels, texts or one-hot rows, one a row, or masks as "
            "high and wide as the images; rows of several labels, 0 and 1, are for task multilabel."
        )
    if labels.dtype.kind not in "buif" or not np.array_equal(labels, np.floor(labels)) or labels.min() < 0:
        raise ValueError(
            "Labels must be class numbers 0, 1, 2, … "
            f"Received: {name} with y_{part} of dtype {labels.dtype} such as {labels[:5].tolist()}. "
            "Number the classes from 0."
        )
    return as_numbers(labels, "int32", f"Labels, y_{part} of {name},")


def _check_masks(name, part, masks, images, several):
    if masks.ndim == images.ndim - 1:
        masks = masks[..., np.newaxis]
    if masks.shape != (*images.shape[:-1], 1):
        raise ValueError(
            f"There must be one mask for each image, as high and wide as it is. Received: {name} with x_{part} of "
            f"shape {images.shape} and y_{part} of shape {masks.shape}. Save masks (count, height, width)."
        )
    if several:
        return _check_classes(name, part, masks)
    if masks.dtype.kind in "ui" and np.isin(masks, (0, 255)).all():
        masks = masks > 0
    low, high = (masks.min(), masks.max()) if masks.dtype.kind in "buif" else (np.nan, np.nan)
    if not 0 <= low <= high <= 1:
        raise ValueError(
            "A mask must hold 1 where a pixel belongs to the boundary and 0 elsewhere, or what lies between. "
            f"Received: {name} with y_{part} of dtype {masks.dtype} from {low} to {high}. "
            "Save masks of 0 and 1 (or 0 and 255), or of class numbers as integers."
        )
    if low >= 0.5 or high < 0.5:
        raise ValueError(
            "The masks of each part must hold both kinds of pixels, else nothing can be learned or measured. "
            f"Received: {name} with y_{part} from {low} to {high}. Use more images."
        )
    return masks.astype("float32")


def _check_classes(name, part, masks):
    whole = masks.dtype.kind in "bui" or (masks.dtype.kind == "f" and np.array_equal(masks, np.floor(masks)))
    low, high = (masks.min(), masks.max()) if whole else (np.nan, np.nan)
    if not 0 <= low <= high < MOST_CLASSES:
        raise ValueError(
            f"Masks of several classes hold class numbers from 0 to {MOST_CLASSES - 1}. Received: {name} with y_{part} "
            f"of dtype {masks.dtype}, {f'from {low} to {high}' if whole else 'of which some are no whole numbers'}. "
            "Number the classes from 0, in all parts alike."
        )
    return masks.astype("int32")


def _check_numbers(name, part, numbers, images):
    numbers = numbers[:, None] if numbers.ndim == 1 else numbers
    if numbers.ndim != 2 or len(numbers) != len(images):
        raise ValueError(
            f"There must be one row of numbers for each image. Received: {name} with {len(images)} images in x_{part} "
            f"and y_{part} of shape {numbers.shape}. Save numbers (count,) or (count, n)."
        )
    return as_numbers(numbers, "float32", f"Targets, y_{part} of {name},")


def _check_several(name, part, labels, images):
    if labels.shape[:1] != (len(images),) or not are_labels(labels):
        raise ValueError(
            f"Several labels an image are rows of 0 and 1, one a row. Received: {name} with {len(images)} images in "
            f"x_{part} and y_{part} of shape {labels.shape} and dtype {labels.dtype}. Save them so, (count, labels)."
        )
    return labels.astype("float32")


def _check_vectors(name, part, vectors, images):
    fits = vectors.ndim == 2 or vectors.shape[:-1] == images.shape[:-1]
    if vectors.ndim < 2 or not fits or len(vectors) != len(images):
        raise ValueError(
            f"Vectors are (count, n), one an image, or one a pixel. Received: {name} with x_{part} of shape "
            f"{images.shape} and y_{part} of shape {vectors.shape}. Save them so."
        )
    return as_numbers(vectors, "float32", f"Vectors, y_{part} of {name},")


def _check_rows(name, part, targets, images):
    if not isinstance(targets, Rows) or len(targets) != len(images):
        raise ValueError(
            "Targets of molecules and trajectories are `Rows`, one a sample. "
            f"Received: {name} with {len(images)} samples and y_{part} {targets!r:.80}. Use ke.data.load."
        )
    return Rows(
        **{
            k: as_numbers(a, "float64" if k == "energy" else "float32", f"Targets, {k} of the {part} part of {name},")
            for k, a in targets.arrays.items()
        }
    )


_CHECKS = {
    "classification": _check_labels,
    "multilabel": _check_several,
    "segmentation": _check_masks,
    "regression": _check_numbers,
    "vectors": _check_vectors,
    "molecules": _check_rows,
    "trajectories": _check_rows,
}
