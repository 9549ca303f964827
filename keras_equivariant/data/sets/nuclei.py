"""Nuclei of cells, to be marked pixel by pixel: grey fluorescence micrographs from a file."""

import numpy as np

from keras_equivariant.data import sizes
from keras_equivariant.data.archive import needed
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.references import ObjectCounts
from keras_equivariant.utils.arrays import read_arrays

ARCHIVE, KEYS = "dsb2018_nuclei.npz", ("x", "instances", "split")
SMALLEST = 10  # pixels of a piece that counts as a nucleus; the smallest of the file has 21


def load_dsb2018_nuclei(seed=0, size=None, fit=None):
    """Nuclei under a fluorescence microscope (Data Science Bowl 2018): images (256, 256, 1), uint8; 1 in the mask =
    nucleus.

    The grey images of 256x256 pixels, 268 for training and 66 for testing, as the file splits them; instances are
    merged to one mask, but counted: a network's pieces are compared with the true number of nuclei on each test image.
    `seed` has no effect.

    Args:
        seed: not used.
        size: height and width to bring all images to, None for those of the file.
        fit: "resize", the one meant by a size alone, scales them, masks by the nearest pixel; "pad" cuts the middle
            out, or pads.

    Raises:
        FileNotFoundError: dsb2018_nuclei.npz is not in the folder KERAS_EQUIVARIANT_DATA.
        ValueError: the file holds something else.
    """
    holds = "x and instances of shape (count, height, width), split with 0 = train and 1 = test"
    path = needed(ARCHIVE, "The nuclei are", holds, "cells")
    arrays = read_arrays(path, KEYS)
    shapes = {key: array.shape for key, array in arrays.items()}
    x = shapes.get("x", ())
    if len(x) != 3 or shapes != {"x": x, "instances": x, "split": x[:1]}:
        raise ValueError(
            f"The nuclei must be arrays x and instances of shape (count, height, width) and split (count,). Received: "
            f"{path} with {shapes}. The file is another one: fetch it again."
        )
    images, instances, scale = arrays["x"][..., None], arrays["instances"][..., None], 1.0
    fit = fit or ("pad" if size is None else "resize")
    size = sizes.check_size(size, fit)
    if size is not None:
        sizes.announce({x[1:]: len(images)}, size, fit)
        images, instances = (
            np.stack([sizes.fitted(image, size, fit, mask) for image in array])
            for array, mask in ((images, False), (instances, True))
        )
        scale = min(n / s for n, s in zip(size, x[1:], strict=True)) if fit == "resize" else 1.0
    masks = (instances > 0).astype("uint8")
    parts = {"train": arrays["split"] == 0, "test": arrays["split"] == 1}
    height, width = images.shape[1:3]
    counts = np.array([len(np.unique(one[one > 0])) for one in instances[parts["test"]]])
    smallest = max(1, round(SMALLEST * scale**2))
    return Dataset(
        name="dsb2018_nuclei",
        description=f"DSB2018 nuclei, grey, {height}x{width}" + (f" of {x[1]}x{x[2]}" if size is not None else ""),
        task="segmentation",
        default_epochs=30,
        default_batch_size=8,
        references=ObjectCounts(images[parts["test"]], counts, smallest),
        **{
            f"{key}_{part}": array[which]
            for key, array in (("x", images), ("y", masks))
            for part, which in parts.items()
        },
    )
