"""Boundaries in photographs, marked by several people: crops to train on, whole photographs to score."""

import numpy as np

from keras_equivariant.data.archive import needed
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.jpeg import decoded
from keras_equivariant.data.references import HumanMaps
from keras_equivariant.utils.arrays import read_arrays

ARCHIVE = "bsds500.npz"
KEYS = ("jpeg", "jpeg_offsets", "split", "height", "width", "maps", "map_offsets", "annotators")
PARTS = {"train": 0, "val": 1, "test": 2}
TARGETS = ("mean", "consensus")


def load_bsds500(seed=0, size=128, crops=4, target="mean", photographs=200):
    """Boundaries in photographs (BSDS500): crops (size, size, 3), uint8; masks from 0 to 1.

    200 photographs of 321x481 or 481x321 pixels for training, 100 for validation, 200 for testing, each marked by 4
    to 9 people. Of each training photograph so many crops are drawn with the seed; validation and test have the middle
    of each. Beside its crop, each test photograph is scored whole, against every person's map: ODS and OIS of the
    benchmark.

    Args:
        seed: of the places of the crops.
        size: height and width of the crops.
        crops: of each training photograph.
        photographs: how many of the 200 are tested on, the first of the file; all but reduced runs take all.
        target: what a mask holds: "mean" is the share of the people who marked the pixel, "consensus" 1 where half did.

    Raises:
        FileNotFoundError: bsds500.npz is not in the folder KERAS_EQUIVARIANT_DATA.
        ValueError: the file holds something else, or an option is out of its range.

    Reference: Arbelaez et al., Contour detection and hierarchical image segmentation, IEEE PAMI 33, 2011.
    """
    if target not in TARGETS:
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}. Received: target={target!r}. Choose one.")
    holds = f"{', '.join(KEYS)}, made of the images and human maps of github.com/BIDS/BSDS500"
    path = needed(ARCHIVE, "The photographs are", holds, "cells")
    arrays = read_arrays(path, KEYS)
    if set(arrays) != set(KEYS):
        raise ValueError(
            f"The photographs must be an archive of {', '.join(KEYS)}. Received: {path} with {', '.join(arrays)}. The "
            "file is another one: fetch it again."
        )
    smallest = int(min(arrays["height"].min(), arrays["width"].min()))
    given = (("size", size, smallest), ("crops", crops, 1000), ("photographs", photographs, 200))
    for name, value, most in given:
        if not isinstance(value, int) or not 1 <= value <= most:
            raise ValueError(f"`{name}` must be from 1 to {most}. Received: {name}={value!r}. Choose a smaller one.")
    rng, split = np.random.default_rng(seed), arrays["split"]
    parts = {part: [] for part in PARTS}
    images, maps = {part: [] for part in PARTS}, []
    for i, image in enumerate(decoded(arrays["jpeg"], arrays["jpeg_offsets"], path)):
        people = maps_of(arrays, i)
        part = next(part for part, number in PARTS.items() if number == split[i])
        if part == "test" and len(maps) == photographs:
            continue
        mask = people.mean(axis=0)
        mask = mask if target == "mean" else (mask >= 0.5).astype("float32")
        if part == "test":
            images[part].append(image)
            maps.append(people)
        room = np.array(image.shape[:2]) - size
        corners = rng.integers(0, room + 1, (crops, 2)) if part == "train" else [room // 2]
        for row, column in corners:
            where = slice(row, row + size), slice(column, column + size)
            parts[part].append((image[where], mask[where]))
    stacked = {
        f"{key}_{part}": np.stack([pair[k] for pair in pairs])
        for part, pairs in parts.items()
        for k, key in enumerate("xy")
    }
    return Dataset(
        name="bsds500",
        description=f"BSDS500 boundaries, crops of {size}x{size}, {len(maps)} whole test photographs",
        task="segmentation",
        default_epochs=30,
        default_batch_size=8,
        groups=np.repeat(np.arange(len(parts["train"]) // crops), crops),
        references=HumanMaps(images["test"], maps),
        **stacked,
    )


def maps_of(arrays, number):
    """The maps of one photograph, `(people, H, W)` booleans; a byte of the file holds eight rows."""
    first, last = arrays["map_offsets"][number : number + 2]
    height, width, people = (int(arrays[key][number]) for key in ("height", "width", "annotators"))
    bits = arrays["maps"][first:last].reshape(people, -(-height // 8), width)
    return np.unpackbits(bits, axis=1, count=height).astype(bool)
