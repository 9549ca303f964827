"""Data sets from folders: a folder for each class, or images beside their masks, in parts or to be cut."""

import logging
import os
import re
from pathlib import Path

from keras_equivariant.data import files
from keras_equivariant.data.assemble import assembled
from keras_equivariant.data.masks import check_no_values, check_values
from keras_equivariant.data.parts import part_of

IMAGES = ("images", "image", "imgs", "img", "x", "volumes")
MASKS = ("masks", "mask", "labels", "label", "annotations", "segmentations", "y")
_LETTERS = ("x", "y")  # which may be classes, too
_TRUTH = ("annotation", "segmentation", "truth", "gt")  # what folders of masks are called besides
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_OF_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx")

log = logging.getLogger("keras_equivariant.data")


def load_folder(path, seed=0, size=None, fit="pad", voxel_size=None, bits=None, mask_values=None, target=None):
    """A data set from a folder of files: pictures, .tif, .npy, FITS, DICOM, or volumes as NIfTI or .npy.

    Either with a folder for each class, whose name is that of the class; or with a folder `images` and one `masks`, in
    which a mask has the name of its image (or that name and `_mask`), in folders of the same names where there are
    some. Both may lie inside `train`, `val` and `test`; without `test` a fifth of the files is drawn. Hidden files and
    folders, whose names begin with a dot, are passed over; any other file that is left out is named in the log.

    Args:
        path: the folder.
        seed: of the draw.
        size: height and width (and depth) to bring all to; None where they have one size.
        fit: `"pad"` cuts and pads about the middle, `"resize"` scales with the proportions kept.
        voxel_size: of NIfTI volumes, a length or three, in the units of the files: all are resampled to it first.
        bits: of the scale of the pictures, 8 or 16, to which others are brought; by default 8 where some have 8.
        mask_values: what the classes have in the masks, in the order of their numbers, such as [0, 100, 200], of two
            the second is what is looked for; "objects" where each object has a number of its own, and all are looked
            for. By default the values that occur.
        target: `"class"` where folders are classes though they are called as those of images and masks are.

    Raises:
        ValueError: a folder with nothing of that kind, an image without its mask, files of several sizes without
        `size`, a mask with a value of no class, `mask_values` for a folder without masks.
    """
    check_values(mask_values)
    if target not in (None, "class"):
        raise ValueError(
            f'`target` of a folder says "class" or nothing: its folders are classes, or images and masks. Received: '
            f"target={target!r}. Leave it out, or give numbers in a CSV file of file names."
        )
    path = Path(path).expanduser()
    roots = _roots(path)
    pairs = {part: None if target else _pair(root) for part, root in roots.items()}
    options = {"size": size, "fit": fit, "seed": seed, "voxel_size": voxel_size, "bits": bits}
    if _all_paired(path, pairs):
        found = {part: _with_masks(*pair) for part, pair in pairs.items()}
        _log_letters(path, pairs)
        _log_left_out(path, [file for lists in found.values() for files_ in lists for file in files_])
        images = {part: (images, None) for part, (images, _) in found.items()}
        return assembled(
            path,
            images,
            {part: masks for part, (_, masks) in found.items()},
            task="segmentation",
            mask_values=mask_values,
            **options,
        )
    check_no_values(path, mask_values)
    deep = {part: {f.name: _deep(f) for f in _subfolders(root)} for part, root in roots.items()}
    classes = sorted({name for found in deep.values() for name, listed in found.items() if listed})
    if len(classes) < 2:
        if not classes:
            _check_endings(path)
        folders = _subfolders(path)
        raise ValueError(
            "A data folder holds a folder for each class, of two or more, or the folders `images` and `masks`, perhaps "
            f"inside `train`, `val` and `test`. Received: {path} with {_told(folders)} and {len(files.listed(path))} "
            "images of its own. Sort the files so, with images of another class if there is one alone, or give a CSV "
            "file of file names and numbers."
        )
    if target is None:
        _check_no_masks(path, classes)
    _check_parts_above(path, [root / name for root in roots.values() for name in classes if (root / name).is_dir()])
    parts = {}
    for part, found in deep.items():
        labeled = [(file, classes.index(name)) for name, listed in found.items() for file in listed]
        parts[part] = [file for file, _ in labeled], [label for _, label in labeled]
    _log_left_out(path, [file for found, _ in parts.values() for file in found])
    return assembled(path, parts, task="classification", class_names=tuple(classes), **options)


def _told(folders):
    """The folders by their names, and which of them hold nothing."""
    if not folders:
        return "the folders none"
    named = [folder.name if _deep(folder) else f"{folder.name} (without images)" for folder in folders[:8]]
    return f"the folders {', '.join(named)}{' and others' if len(folders) > 8 else ''}"


def _log_letters(path, pairs):
    """Name folders called by a letter that are taken for images and masks: they may be classes."""
    letters = [folder.name for folder in next(iter(pairs.values())) if folder.name.lower() in _LETTERS]
    if letters:
        images, masks = (folder.name for folder in next(iter(pairs.values())))
        log.warning(
            "%s and %s of %s are read as images and their masks. If they are classes, say --target class.",
            images,
            masks,
            path,
        )


def _subfolders(path):
    return sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] != "." and p.name.lower() not in _OF_SYSTEMS)


def _deep(folder, above=()):
    """The files below a folder that can be read; a link back to a folder above is not followed."""
    here = os.path.realpath(folder)
    if here in above:
        return []
    found = files.listed(folder)
    for inner in _subfolders(folder):
        found += _deep(inner, (*above, here))
    return found


def _roots(path):
    """`{part: folder}`; one folder for training alone where there are no parts.

    A single folder called `train` beside others, in which there are files alone, is a class of that name.
    """
    found = {}
    for folder in _subfolders(path):
        if part_of(folder.name):
            found.setdefault(part_of(folder.name), []).append(folder)
    inside = any(_deep(inner) for inner in _subfolders(found["train"][0])) if "train" in found else False
    if not found or (len(found) == 1 and not inside):
        return {"train": path}
    for part, folders in found.items():
        if len(folders) > 1:
            raise ValueError(
                f"A part is one folder. Received: {path} with {' and '.join(f.name for f in folders)}, which both mean "
                f"`{part}`. Put their files into one, or move one elsewhere."
            )
    return {part: folders[0] for part, folders in found.items()}


def _pair(root):
    """The folders of images and of masks, or None. Letters are classes where there are others beside them."""
    folders = _subfolders(root)
    names = {folder.name.lower(): folder for folder in folders}
    pair = [next((names[n] for n in wanted if n in names), None) for wanted in (IMAGES, MASKS)]
    if not all(pair):
        return None
    beside = [folder.name for folder in folders if folder not in pair and _deep(folder)]
    if beside and any(folder.name.lower() in _LETTERS for folder in pair):
        return None
    if beside:
        images, masks = (folder.name for folder in pair)
        raise ValueError(
            f"The folders of images and of masks stand alone, else it is not known what the others are. Received: "
            f"{root} with {images} and {masks} beside {', '.join(beside[:4])}. Move those elsewhere, or say --target "
            "class where all are classes."
        )
    return tuple(pair)


def _all_paired(path, pairs):
    """Whether each part has images and masks."""
    words = [pair for pair in pairs.values() if pair and not any(folder.name.lower() in _LETTERS for folder in pair)]
    if words and not all(pairs.values()):
        lacking = ", ".join(part for part, pair in pairs.items() if not pair)
        raise ValueError(
            f"Every part has folders of images and of masks. Received: {path} without such in {lacking}. Add them, or "
            "move that part elsewhere."
        )
    return all(pairs.values())


def _check_no_masks(path, classes):
    """ValueError where all classes are called in the words for images and for masks, such as imagesTr and labelsTr."""
    words = [{word.lower() for word in _WORD.findall(name)} - {*_LETTERS} for name in classes]
    kinds = [(bool(found & {*IMAGES}), bool(found & {*MASKS, *_TRUTH})) for found in words]
    if {*kinds} == {(True, False), (False, True)}:
        raise ValueError(
            "Folders called as those of images and of masks are no classes. Received: "
            f"{path} with {', '.join(classes[:8])}. Call them images and masks, inside `train` and `test` where they "
            "are divided, or say --target class."
        )


def _check_parts_above(path, folders):
    inside = [{part_of(inner.name) for inner in _subfolders(folder)} - {None} for folder in folders]
    if inside and all("train" in parts and len(parts) > 1 for parts in inside):
        raise ValueError(
            "The folders `train`, `val` and `test` lie above those of classes, or of images and masks. Received: "
            f"{path} with {', '.join(sorted(inside[0]))} inside {folders[0].name}. Swap them: "
            f"train/{folders[0].name} in place of {folders[0].name}/train."
        )


def _with_masks(images, masks):
    _check_parts_above(images.parent, [images, masks])
    found = _by_place(images, _deep(images))
    exact = _by_place(masks, _deep(masks))
    shortened = {}
    for (place, stem), path in exact.items():
        shortened.setdefault((place, re.sub(r"[_-](mask|seg|label)s?$", "", stem, flags=re.I)), path)
    pairs = [(path, exact.get(place) or shortened.get(place)) for place, path in found.items()]
    missing = [path.relative_to(images) for path, mask in pairs if mask is None]
    if not found:
        raise ValueError(f"A data set needs images. Received: {images} without a file that can be read. Add some.")
    if missing:
        raise ValueError(
            "Every image has a mask of its name, in a folder of the same name where it lies in one. Received: "
            f"{images} with {len(found)} images, of which {len(missing)} have none in {masks}, such as {missing[0]}. "
            "Add them, or take the images away."
        )
    return [path for path, _ in pairs], [mask for _, mask in pairs]


def _by_place(root, paths):
    """`{(folder inside the root, name without its ending): file}`."""
    found = {}
    for path in paths:
        place = path.parent.relative_to(root).as_posix(), files.stem_of(path)
        other = found.setdefault(place, path)
        if other is not path:
            raise ValueError(
                "Images and masks are paired by their names without the endings, so that each is there once. Received: "
                f"{other} and {path.name}. Give one another name, or take it away."
            )
    return found


def _check_endings(path):
    """ValueError where folders hold files, but with endings of nothing that is read."""
    other = [file for file in _left_out(path, []) if os.path.dirname(file) != str(path) and not files.suffix_of(file)]
    if other:
        known, first = ", ".join(files.SUFFIXES), os.path.relpath(other[0], path)
        raise ValueError(
            f"A data file is known by its ending, {known}. Received: {path} with {len(other)} others in its folders, "
            f"such as {first}. Convert them, or give them the ending of what they are, such as .dcm; clouds of points "
            "are one .npz file, `positions` (clouds, points, 3) beside labels `y`."
        )


def _log_left_out(path, read):
    """Name what lies below the folder and was not read."""
    left = _left_out(path, read)
    if left:
        more = f" and {len(left) - 3:,} more" if len(left) > 3 else ""
        log.warning(
            "Files below %s that are left out: %s%s.",
            path,
            ", ".join(os.path.relpath(file, path) for file in left[:3]),
            more,
        )


def _left_out(path, read):
    """What lies below the folder and is not among the files that are read."""
    read, left = set(files.identities(read)), []
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(n for n in inner if n[0] != "." and n.lower() not in _OF_SYSTEMS)
        shown = [os.path.join(folder, n) for n in sorted(names) if n[0] != "." and n.lower() not in _OF_SYSTEMS]
        left += [f for f, file in zip(shown, files.identities(shown), strict=True) if file not in read]
    return left
