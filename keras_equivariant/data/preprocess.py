"""Preprocessing that a network needs outside itself: resizing, contrast normalization, whitening."""

from dataclasses import dataclass, field

import numpy as np

from keras_equivariant.data.rows import Rows
from keras_equivariant.data.stored import Stored

STEPS = ("resize", "contrast", "zca")
ZCA_REGULARIZER = 1e-5


@dataclass
class Preprocess:
    """Steps applied to images before the network, in the order given.

    - `"contrast"`: each image minus its mean, divided by its standard deviation (all channels together).
    - `"zca"`: x ↦ (x − mean) W with W = (C + 1e-5 I)^(-1/2), C the covariance of the training images. C and the mean
      are averaged over the eight symmetries of the square, so that W commutes with them and the network behind it
      stays exactly equivariant; the square images this needs are checked.
    - `{"resize": n}`: bilinear to n x n, half-pixel centers; commutes with the same symmetries.

    Of volumes only the contrast.

    `fit` learns what the steps need from the training images; `state` holds it, as arrays, for saving.
    """

    steps: tuple = ()
    state: dict = field(default_factory=dict)

    def __post_init__(self):
        self.steps = tuple(self.steps)
        for step in self.steps:
            _parts(step)

    def __bool__(self):
        return bool(self.steps)

    def fit(self, images):
        """Learn from the training images and return them transformed."""
        self.check(images)
        if isinstance(images, Rows):
            return images
        for name, value in map(_parts, self.steps):
            if name == "zca":
                self.state |= dict(zip(("zca_mean", "zca_matrix"), _fit_zca(images), strict=True))
            images = self._apply(name, value, images)
        return images

    def check(self, images):
        """ValueError where the steps are none for such images."""
        if isinstance(images, Rows):
            self(images)
            return
        if self.steps and isinstance(images, Stored):
            raise ValueError(
                f"Images that stay on disk are not preprocessed. Received: preprocess={list(self.steps)} for a data "
                "set of several files. Save them preprocessed, or as one file."
            )
        self.output_shape(images.shape[1:])

    def __call__(self, images):
        if isinstance(images, Rows):
            if self.steps:
                raise ValueError(
                    f"Points are not preprocessed. Received: preprocess={list(self.steps)} for {images!r}. Leave "
                    "`preprocess` out of the recipe."
                )
            return images
        if not self.steps and isinstance(images, Stored):
            return images
        images = np.asarray(images)
        for name, value in map(_parts, self.steps):
            images = self._apply(name, value, images)
        return images

    def output_shape(self, shape):
        """`(H, W, C)` after the steps; of volumes, which none changes in size, `(D, H, W, C)`."""
        for name, value in map(_parts, self.steps):
            _check_planar(name, shape)
            if name == "zca":
                _check_square(*shape[:2])
            shape = (value, value, shape[-1]) if name == "resize" else tuple(shape)
        return shape

    def _apply(self, name, value, images):
        _check_planar(name, images.shape[1:])
        if name == "resize":
            return _resize(images, value)
        if name == "contrast":
            images = images.astype("float32", copy=False)
            axes = tuple(range(1, images.ndim))
            centered = images - images.mean(axis=axes, keepdims=True)
            return centered / np.maximum(centered.std(axis=axes, keepdims=True), 1e-8)
        if "zca_matrix" not in self.state:
            raise ValueError(
                "Whitening must be fitted on the training images first. Received: no fitted state. "
                "Call fit(training_images), or load the state saved with the run."
            )
        flat = images.reshape(len(images), -1) - self.state["zca_mean"]
        return (flat @ self.state["zca_matrix"]).reshape(images.shape).astype("float32")


def _parts(step):
    """A step as (name, value)."""
    name, value = next(iter(step.items())) if isinstance(step, dict) and len(step) == 1 else (step, None)
    if name not in STEPS or (name == "resize") != isinstance(value, int):
        raise ValueError(
            f'A preprocessing step must be "contrast", "zca" or {{"resize": pixels}}. Received: {step!r}. '
            "Correct the `preprocess` list of the recipe."
        )
    return name, value


def _check_planar(name, shape):
    if name != "contrast" and len(shape) == 4:
        raise ValueError(
            f"Volumes cannot be preprocessed by {name}. Received: volumes of shape {tuple(shape)}. Leave the step out, "
            "and set the spec's size by --set size."
        )


def _check_square(height, width):
    if height != width:
        raise ValueError(
            "Whitening that keeps rotations exact needs square images. "
            f"Received: {height}x{width}. Crop or pad them to a square, or leave out `zca`."
        )


def _resize(images, size):
    import keras

    parts = [
        keras.ops.convert_to_numpy(
            keras.ops.image.resize(part.astype("float32"), (size, size), data_format="channels_last")
        )
        for part in np.array_split(images, max(1, len(images) // 4096))
    ]
    return np.concatenate(parts)


def _fit_zca(images):
    height, width, channels = images.shape[1:]
    flat = images.reshape(len(images), -1).astype("float32")
    mean = flat.mean(axis=0)
    centered = flat - mean
    covariance = (centered.T @ centered / len(flat)).astype("float64")
    pixels = np.arange(height * width * channels).reshape(height, width, channels)
    moves = [np.rot90(p, r).ravel() for p in (pixels, pixels[:, ::-1]) for r in range(4)]
    mean = np.mean([mean[t] for t in moves], axis=0)
    covariance = np.mean([covariance[np.ix_(t, t)] for t in moves], axis=0)
    values, vectors = np.linalg.eigh(covariance)
    matrix = (vectors / np.sqrt(np.maximum(values, 0) + ZCA_REGULARIZER)) @ vectors.T
    return mean.astype("float32"), matrix.astype("float32")
