"""The data set every loader returns: checked arrays, images or volumes with a channel axis, and labels or masks."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from keras_equivariant.data.cuts import count_of, drawn, others, taken
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.scales import are_apart, scale_of
from keras_equivariant.data.sizes import MOST_FIRST, are_space
from keras_equivariant.data.stored import Stored, joined
from keras_equivariant.data.targets import check_targets, class_numbers, several_classes, whole
from keras_equivariant.utils.arrays import as_numbers

log = logging.getLogger("keras_equivariant.data")


@dataclass(frozen=True, repr=False)
class Dataset:
    """Images `(B, H, W, C)` or volumes `(B, D, H, W, C)` as uint8 or float32 and what they show, in a training and a
    test part. An array of four axes holds volumes without channels if it is a cube above each row, images otherwise.

    What they show is, by task: for classification a label each, `(B,)` int32, given as class numbers, texts or one-hot
    rows; for segmentation a mask each, `(B, *space, 1)`, float32 with 1 on the pixels looked for, or int32 with a
    class number a pixel; for multilabel `(B, n)` numbers 0 and 1, any of them 1 in a row; for regression `(B, n)`
    numbers that stay as they are when the image rotates; for vectors `(B, n)` or `(B, *space, n)` that rotate with
    it. Molecules and trajectories have `Rows` of several arrays on both sides.

    Attributes:
        name: The name or path it was loaded by.
        description: One line that says where the images come from, for reports.
        x_train, y_train, x_test, y_test: The arrays; x_train may be `Stored`, images that stay on disk.
        x_val, y_val: A validation part, or None.
        num_classes: The number of classes, given where some have no image; 1 for masks of one class, and for numbers
            and vectors.
        task: "classification", "multilabel", "segmentation", "regression", "vectors", "molecules" or "trajectories".
        default_epochs, default_batch_size: What suits this set when a recipe was written for a larger one, or None.
        class_names: The names of the classes, or empty.
        target_type: How vectors rotate, a field type such as "1x1"; of angles, directions `(cos, sin)`, counted
            counter-clockwise from the right; "1x2" are axes, which half a turn leaves as they are.
        target_names: The names of the numbers, or empty.
        voxel_size: Lengths of the edges of a voxel, or None.
        groups: For each training image a number of what it belongs to, such as its patient, or None. Parts of the
            training set (`with_fraction`, `with_validation`) are drawn by groups, so that none is in two of them.
        options: What a task needs besides, such as the time `dt` between the states of trajectories.
        reading: Options of `load` by which other files are read as these were, such as the elements of molecules; a run
            keeps them.
        references: What is known of the test images besides y_test, one entry each, or None: an object with `len`,
            `subset(rows)` and `scores(answer, threshold)`, such as `HumanMaps` or `ObjectCounts`.
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
    class_names: tuple = ()
    target_type: str = ""
    target_names: tuple = ()
    voxel_size: tuple | None = None
    options: dict = field(default_factory=dict)
    references: Any = None
    groups: np.ndarray | None = None
    reading: dict = field(default_factory=dict)

    def __post_init__(self):
        parts = ("train", "test") if self.x_val is None else ("train", "val", "test")
        if self.task == "classification":
            given = {part: getattr(self, f"y_{part}") for part in parts}
            numbered, names = class_numbers(given, dense=not (self.num_classes or self.class_names))
            for part, labels in numbered.items():
                object.__setattr__(self, f"y_{part}", labels)
            object.__setattr__(self, "class_names", self.class_names or names)
        if self.task == "segmentation":
            for part, masks in whole({part: getattr(self, f"y_{part}") for part in parts}).items():
                object.__setattr__(self, f"y_{part}", masks)
        several = self.task == "segmentation" and self._several_classes(parts)
        for part in parts:
            images = getattr(self, f"x_{part}")
            if not isinstance(images, Stored | Rows):  # else its loader has checked them, file by file
                images = check_images(self.name, part, images)
            targets = check_targets(self.task, self.name, part, getattr(self, f"y_{part}"), images, several)
            object.__setattr__(self, f"x_{part}", images)
            object.__setattr__(self, f"y_{part}", targets)
        if self.groups is not None and np.shape(self.groups) != (len(self.x_train),):
            raise ValueError(
                f"`groups` has a number for each training image. Received: {self.name} with groups of shape "
                f"{np.shape(self.groups)} for {len(self.x_train)} images. Give one each, or None."
            )
        shapes = {part: getattr(self, f"x_{part}").shape[1:] for part in parts}
        if len(set(shapes.values())) > 1:
            raise ValueError(
                f"All parts of a data set must hold images of one shape. Received: {self.name} with {shapes}. "
                "Crop, pad or resize them to the same height, width and channels: --size H W does."
            )
        self._log_scales(parts)
        object.__setattr__(self, "num_classes", self._count_classes(parts))

    def __repr__(self):
        counts = {part: getattr(self, f"x_{part}") for part in ("train", "val", "test")}
        listed = ", ".join(f"{len(x):,} for {part}" for part, x in counts.items() if x is not None)
        return f"<Dataset {self.name!r}, {self.task} of {self.layout} {tuple(self.image_shape)}: {listed}>"

    def _log_scales(self, parts):
        """Name parts of bytes beside parts of fractions of them: a network would see other images in the latter."""
        images = {part: getattr(self, f"x_{part}") for part in parts}
        images = {part: x for part, x in images.items() if isinstance(x, np.ndarray)}
        if len({x.dtype.kind for x in images.values()}) < 2:
            return
        found = {part: scale_of(x) for part, x in images.items()}
        if are_apart(found.values()):
            listed = ", ".join(f"x_{part} {scale['dtype']} up to {scale['largest']:g}" for part, scale in found.items())
            log.warning("The parts of %s seem to be of several scales: %s. Save them alike.", self.name, listed)

    def _several_classes(self, parts):
        """Whether masks are class numbers; of a few rows of such masks it is known."""
        masks = [np.asarray(getattr(self, f"y_{part}")) for part in parts]
        return (self.num_classes > 1 and all(m.dtype == "int32" for m in masks)) or several_classes(masks)

    def _count_classes(self, parts):
        targets = [getattr(self, f"y_{part}") for part in parts]
        if not (self.task == "classification" or self.task == "segmentation" and targets[0].dtype.kind == "i"):
            return 1
        return max(self.num_classes, len(self.class_names), 1 + max(int(y.max()) for y in targets))

    @property
    def image_shape(self):
        """`(H, W, C)`, of volumes `(D, H, W, C)`; of points that of the first array."""
        return self.x_train.shape[1:]

    @property
    def layout(self):
        """What the inputs are: "images", "volumes", "points" or "states"."""
        if isinstance(self.x_train, Rows):
            return "states" if "state" in self.x_train.arrays else "points"
        return "volumes" if self.x_train.ndim == 5 else "images"

    def sample(self, part, count=None, seed=0):
        """`(x, y)` of at most `count` rows of a part, drawn with the seed, each class in its share."""
        x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
        rows = self._drawn(part, count, seed)
        return (x, y) if rows is None else (x[rows], y[rows])

    def _drawn(self, part, count, seed):
        """Numbers of at most `count` rows of a part, or None for all."""
        targets = getattr(self, f"y_{part}")
        return None if count is None or count >= len(targets) else drawn(targets, count, seed)

    def limited(self, count, seed=0):
        """The same set with at most `count` training, validation and test images each, drawn with the seed, each class
        in its share."""
        if count is None:
            return self
        if count < 1:
            raise ValueError(f"`limit` must be at least 1. Received: limit={count}. Leave it out to use every image.")
        parts = {}
        for part in ("train", "val", "test"):
            rows = None if getattr(self, f"x_{part}") is None else self._drawn(part, count, seed)
            if rows is None:
                continue
            parts |= {name: getattr(self, name)[rows] for name in (f"x_{part}", f"y_{part}")}
            if part == "train" and self.groups is not None:
                parts["groups"] = self.groups[rows]
            if part == "test" and self.references is not None:
                parts["references"] = self.references.subset(rows)
        return replace(self, num_classes=self.num_classes, **parts)

    def all_tested(self):
        """The same set with the images of every part to test on, as of data that a network has never seen."""
        parts = [part for part in ("train", "val", "test") if getattr(self, f"x_{part}") is not None]
        arrays = {f"{kind}_test": joined(getattr(self, f"{kind}_{part}") for part in parts) for kind in "xy"}
        return replace(self, num_classes=self.num_classes, references=None, **arrays)

    def with_fraction(self, fraction, seed=0, block=1):
        """The same set with this fraction of its training images, drawn with the seed, each class in its share, or by
        `groups`; validation and test stay whole.

        Raises:
            ValueError: a fraction that is not above 0 and at most 1.
        """
        if fraction is None or fraction == 1:
            return self
        if not 0 < fraction < 1:
            raise ValueError(
                f"`fraction` is the part of the training images to use, above 0 and at most 1. Received: "
                f"fraction={fraction}. Use 0.1 for a tenth."
            )
        count = max(1, round(fraction * len(self.x_train)))
        rows = drawn(self.y_train, count, seed, block, self.groups)
        self._log_lost(rows, f"a fraction of {fraction}")
        return replace(self, **self._training_rows(rows))

    def _log_lost(self, rows, behind):
        """Name the classes of which none of these training rows is."""
        if self.task == "classification" and len(lost := np.setdiff1d(self.y_train, self.y_train[rows])):
            log.warning(
                "Behind %s no image is left to train on of %d classes: %s.", behind, len(lost), self._some(lost)
            )

    def log_untaught(self):
        """Name the classes that are tested on and of which no image is there to train on."""
        if self.task == "classification" and len(lost := np.setdiff1d(self.y_test, self.y_train)):
            log.warning(
                "%d classes are tested on that no training image is of, all of whose images count as errors: %s.",
                len(lost),
                self._some(lost),
            )

    def _some(self, classes):
        return ", ".join(str(self.class_names[k] if self.class_names else k) for k in classes[:8])

    def _training_rows(self, rows):
        groups = None if self.groups is None else self.groups[rows]
        return {"x_train": taken(self.x_train, rows), "y_train": self.y_train[rows], "groups": groups}

    def with_validation(self, amount, seed=0, block=1):
        """The same set with so many training images, or such a fraction of them, held out for validation.

        They are drawn with the seed, each class in its share, or by `groups`. A class keeps an image to train on. A
        validation part that the set has is not used then, which is logged.

        Raises:
            ValueError: nothing would be left, or there is a single group, or one image of each class.
        """
        if not amount:
            return self
        total = len(self.x_train)
        count = count_of(amount, total, "validation")
        held = drawn(self.y_train, count, seed, block, self.groups, leave=self.task == "classification")
        if not len(held):
            raise ValueError(
                f"A class keeps an image to train on. Received: {self.name} with one training image of each class, of "
                f"which {count} were to be held out for validation. Leave the validation part out, or use more images."
            )
        if len(held) == total:
            raise ValueError(
                f"A validation part needs several groups. Received: {self.name} with {total} training images of one "
                "group. Leave the validation part out, or give a set that has one."
            )
        kept = others(held, total)
        if self.x_val is not None:
            log.warning(
                "%s has a validation part of its own, of %d, which is not used: %d training images are held out.",
                self.name,
                len(self.x_val),
                len(held),
            )
        self._log_lost(kept, f"{len(held)} images held out for validation")
        return replace(
            self,
            **self._training_rows(kept),
            x_val=self.x_train[held],
            y_val=self.y_train[held],
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
    if images.shape[1] <= MOST_FIRST and are_space(images.shape[2:]):
        raise ValueError(
            f"Channels are the last axis. Received: {name} with x_{part} of shape {images.shape}, which looks like "
            f"{images.shape[1]} channels before the axes of space. Save numpy.moveaxis(x, 1, -1)."
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
