"""What a network is to answer: class numbers of whole images, or masks of their pixels, checked and in one form."""

import numpy as np

from keras_equivariant.utils.arrays import as_numbers


def task_of(images, targets):
    """The task that arrays describe: masks are as high and wide as their images, labels are one a row."""
    images, targets = np.shape(images), np.shape(targets)
    return "segmentation" if len(targets) > 2 and targets[:3] == images[:3] else "classification"


def check_targets(task, name, part, targets, images):
    """Labels `(B,)` as int32, or masks `(B, H, W, 1)` as float32 from 0 to 1; anything else raises a ValueError."""
    if task not in _CHECKS:
        raise ValueError(
            f"`task` must be one of {', '.join(_CHECKS)}. Received: {name} with task={task!r}. Choose one."
        )
    return _CHECKS[task](name, part, np.asarray(targets), images)


def _check_labels(name, part, labels, images):
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (len(images),):
        raise ValueError(
            f"There must be one label for each image. Received: {name} with {len(images)} images in x_{part} and "
            f"y_{part} of shape {labels.shape}. Save integer labels, one a row (not one-hot), or masks as high and "
            "wide as the images."
        )
    if labels.dtype.kind not in "buif" or not np.array_equal(labels, np.floor(labels)) or labels.min() < 0:
        raise ValueError(
            "Labels must be class numbers 0, 1, 2, … "
            f"Received: {name} with y_{part} of dtype {labels.dtype} such as {labels[:5].tolist()}. "
            "Number the classes from 0."
        )
    return as_numbers(labels, "int32", f"Labels, y_{part} of {name},")


def _check_masks(name, part, masks, images):
    if images.ndim == 5:
        raise ValueError(
            f"Masks of volumes cannot be learnt. Received: {name} with y_{part} of shape {masks.shape}. Save one label "
            "a volume, or cut the volumes to slices (count, height, width) with a mask each."
        )
    if masks.ndim == 3:
        masks = masks[..., np.newaxis]
    if masks.shape != (*images.shape[:3], 1):
        raise ValueError(
            f"There must be one mask for each image, as high and wide as it is. Received: {name} with x_{part} of "
            f"shape {images.shape} and y_{part} of shape {masks.shape}. Save masks (count, height, width)."
        )
    if masks.dtype.kind in "ui" and set(np.unique(masks)) <= {0, 255}:
        masks = masks > 0
    low, high = (masks.min(), masks.max()) if masks.dtype.kind in "buif" else (np.nan, np.nan)
    if not 0 <= low <= high <= 1:
        raise ValueError(
            "A mask must hold 1 where a pixel belongs to the boundary and 0 elsewhere, or what lies between. "
            f"Received: {name} with y_{part} of dtype {masks.dtype} from {low} to {high}. "
            "Save masks of 0 and 1 (or 0 and 255)."
        )
    if low >= 0.5 or high < 0.5:
        raise ValueError(
            "The masks of each part must hold both kinds of pixels, else nothing can be learnt or measured. "
            f"Received: {name} with y_{part} from {low} to {high}. Use more images."
        )
    return masks.astype("float32")


_CHECKS = {"classification": _check_labels, "segmentation": _check_masks}
