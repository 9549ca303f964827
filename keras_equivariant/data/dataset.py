"""The data set every loader returns: checked arrays, images or volumes with a channel axis, and labels or masks."""

from dataclasses import dataclass, replace

import numpy as np

from keras_equivariant.data.shards import Shards
from keras_equivariant.data.targets import check_targets
from keras_equivariant.utils.arrays import as_numbers


@dataclass(frozen=True)
class Dataset:
    """Images `(B, H, W, C)` or volumes `(B, D, H, W, C)` as uint8 or float32 and what they show, in a training and a
    test part. An array of four axes holds volumes without channels if it is a cube above each row, images otherwise.

    For classification that is a label each, `(B,)` as int32. For segmentation it is a mask each, `(B, H, W, 1)` as
    float32: 1 on the pixels looked for (the boundaries, the membranes), 0 elsewhere.

    Attributes:
        name: The name or path it was loaded by.
        description: One line that says where the images come from, for reports.
        x_train, y_train, x_test, y_test: The arrays; x_train may be `Shards`, images that stay on disk.
        x_val, y_val: A validation part, or None.
        num_classes: One more than the largest label; 1 for masks.
        task: "classification" or "segmentation".
        default_epochs, default_batch_size: What suits this set when a recipe was written for a larger one, or None.
    """

    name: str
    description: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    x_val: np.ndarray | None = None
    y_val: np.ndarray | None = None
    num_classes: int = 0
    default_epochs: int | None = None
    default_batch_size: int | None = None
    task: str = "classification"

    def __post_init__(self):
        parts = ("train", "test") if self.x_val is None else ("train", "val", "test")
        for part in parts:
            images = getattr(self, f"x_{part}")
            if not isinstance(images, Shards):  # else its loader has checked them, file by file
                images = check_images(self.name, part, images)
            targets = check_targets(self.task, self.name, part, getattr(self, f"y_{part}"), images)
            object.__setattr__(self, f"x_{part}", images)
            object.__setattr__(self, f"y_{part}", targets)
        shapes = {part: getattr(self, f"x_{part}").shape[1:] for part in parts}
        if len(set(shapes.values())) > 1:
            raise ValueError(
                f"All parts of a data set must hold images of one shape. Received: {self.name} with {shapes}. "
                "Crop, pad or resize them to the same height, width and channels."
            )
        largest = max(int(getattr(self, f"y_{part}").max()) for part in parts)
        count = 1 if self.task == "segmentation" else max(self.num_classes, largest + 1)
        object.__setattr__(self, "num_classes", count)

    @property
    def image_shape(self):
        """`(H, W, C)`, of volumes `(D, H, W, C)`."""
        return self.x_train.shape[1:]

    def limited(self, count):
        """The same set with at most `count` training, validation and test images each, drawn evenly over the
        file by a fixed shuffle (a file sorted by class keeps all its classes)."""
        if count is None:
            return self
        if count < 1:
            raise ValueError(f"`limit` must be at least 1. Received: limit={count}. Leave it out to use every image.")
        parts = {}
        for part in ("train", "val", "test"):
            images, labels = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            if images is not None:
                chosen = np.sort(np.random.default_rng(0).permutation(len(images))[:count])
                parts |= {f"x_{part}": images[chosen], f"y_{part}": labels[chosen]}
        return replace(self, **parts)

    def with_validation(self, count):
        """The same set with the last `count` training images held out for validation."""
        if not count:
            return self
        if not 0 < count < len(self.x_train):
            raise ValueError(
                "The validation part must leave at least one training image. "
                f"Received: validation={count} of {len(self.x_train)} training images. Use a smaller number."
            )
        return replace(
            self,
            x_train=self.x_train[:-count],
            y_train=self.y_train[:-count],
            x_val=np.asarray(self.x_train[-count:]),
            y_val=self.y_train[-count:],
        )


def check_images(name, part, images):
    """Images or volumes in one form, `(B, H, W, C)` or `(B, D, H, W, C)`; anything else raises a ValueError."""
    images = np.asarray(images)
    if images.ndim == 3 or is_cube(images.shape):
        images = images[..., np.newaxis]
    if images.ndim not in (4, 5) or 0 in images.shape:
        raise ValueError(
            "Images must be a non-empty array (count, height, width) or (count, height, width, channels), volumes "
            "(count, size, size, size) or (count, depth, height, width, channels). "
            f"Received: {name} with x_{part} of shape {images.shape}. Reshape the array before saving it."
        )
    if images.dtype.kind not in "buif":
        raise ValueError(
            f"Images must be numbers. Received: {name} with x_{part} of dtype {images.dtype}. "
            "Save them as uint8 (0 to 255) or float32."
        )
    if images.dtype.kind == "f":
        if not np.isfinite(images).all():
            raise ValueError(
                f"Images must be finite. Received: {name} with {int((~np.isfinite(images)).sum())} NaN or infinite "
                f"values in x_{part}. Remove or replace them before training."
            )
    if images.ndim == 5:
        _check_filled(name, part, images)
    bytes_ = images.dtype.kind != "f" and images.min() >= 0 and images.max() <= 255
    return as_numbers(images, "uint8" if bytes_ else "float32", f"Images, x_{part} of {name},")


def is_cube(shape):
    """Whether an array of this shape holds volumes without channels: four axes, the last three alike."""
    return len(shape) == 4 and len(set(shape[1:])) == 1 and shape[-1] > 4


def _check_filled(name, part, volumes):
    flat = volumes.reshape(len(volumes), -1)
    empty = np.flatnonzero((flat == flat[:, :1]).all(axis=1))
    if len(empty):
        raise ValueError(
            "Every volume must hold something. "
            f"Received: {name} with {len(empty)} empty ones in x_{part}, the first at {empty[0]}. Remove them and "
            "their labels."
        )
