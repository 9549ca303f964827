"""Data sets from folders: a folder for each class, or images beside their masks, in parts or to be cut."""

import re
from pathlib import Path

from keras_equivariant.data import files
from keras_equivariant.data.assemble import assembled, part_of

IMAGES = ("images", "image", "imgs", "img", "x", "volumes")
MASKS = ("masks", "mask", "labels", "label", "annotations", "segmentations", "y")


def load_folder(path, seed=0, size=None, fit="pad", voxel_size=None):
    """A data set from a folder of files: pictures, .tif, .npy, or volumes as NIfTI or .npy.

    Either with a folder for each class, whose name is that of the class; or with a folder `images` and one `masks`, in
    which a mask has the name of its image (or that name and `_mask`). Both may lie inside `train`, `val` and `test`;
    without `test` a fifth of the files is drawn.

    Args:
        path: the folder.
        seed: of the draw.
        size: height and width (and depth) to bring all to; None where they have one size.
        fit: `"pad"` cuts and pads about the middle, `"resize"` scales with the proportions kept.
        voxel_size: of NIfTI volumes, a length or three, in the units of the files: all are resampled to it first.

    Raises:
        ValueError: a folder with nothing of that kind, an image without its mask, files of several sizes without
        `size`.
    """
    path = Path(path).expanduser()
    folders = _subfolders(path)
    by_part = {part_of(folder.name): folder for folder in folders if part_of(folder.name)}
    roots = by_part if "train" in by_part else {"train": path}
    pairs = {part: _pair(root) for part, root in roots.items()}
    options = {"size": size, "fit": fit, "seed": seed, "voxel_size": voxel_size}
    if all(pairs.values()):
        found = {part: _with_masks(*pair) for part, pair in pairs.items()}
        images = {part: (images, None) for part, (images, _) in found.items()}
        return assembled(
            path, images, {part: masks for part, (_, masks) in found.items()}, task="segmentation", **options
        )
    classes = sorted({f.name for root in roots.values() for f in _subfolders(root) if _deep(f)})
    if len(classes) < 2:
        raise ValueError(
            "A data folder holds a folder for each class, or the folders `images` and `masks`, perhaps inside `train`, "
            f"`val` and `test`. Received: {path} with the folders {', '.join(f.name for f in folders) or 'none'} and "
            f"{len(files.listed(path))} images of its own. Sort the files so, or give a CSV file of file names "
            "and numbers."
        )
    parts = {}
    for part, root in roots.items():
        found = [(file, classes.index(f.name)) for f in _subfolders(root) for file in _deep(f)]
        parts[part] = [file for file, _ in found], [label for _, label in found]
    return assembled(path, parts, task="classification", class_names=tuple(classes), **options)


def _subfolders(path):
    return sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] not in "._")


def _deep(folder):
    found = files.listed(folder)
    for inner in _subfolders(folder):
        found += _deep(inner)
    return found


def _pair(root):
    """The folders of images and of masks, or None."""
    names = {folder.name.lower(): folder for folder in _subfolders(root)}
    pair = [next((names[n] for n in wanted if n in names), None) for wanted in (IMAGES, MASKS)]
    return tuple(pair) if all(pair) else None


def _with_masks(images, masks):
    by_stem = {
        re.sub(r"[_-](mask|seg|label)s?$", "", files.stem_of(path), flags=re.I): path for path in files.listed(masks)
    }
    found = files.listed(images)
    missing = [path.name for path in found if files.stem_of(path) not in by_stem]
    if missing or not found:
        raise ValueError(
            f"Every image has a mask of its name. Received: {images} with {len(found)} images, of which "
            f"{len(missing)} have "
            f"none in {masks}{f', such as {missing[0]}' if missing else ''}. Add them, or take the images away."
        )
    return found, [by_stem[files.stem_of(path)] for path in found]
