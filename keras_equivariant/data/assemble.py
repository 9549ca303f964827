"""Data sets from lists of files: one size, one number of channels, parts for training and testing."""

import collections
import logging

import numpy as np

from keras_equivariant.data import files, pictures, resampling, sizes
from keras_equivariant.data import masks as masks_of_files
from keras_equivariant.data.cuts import drawn, others
from keras_equivariant.data.dataset import Dataset

TEST_SHARE = 0.2
PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}

_DEEPER = 257  # white of 16 bits by white of 8

log = logging.getLogger("keras_equivariant.data")


def part_of(name):
    """ "train", "val" or "test" by what people call it; None for another name."""
    return next((part for part, names in PARTS.items() if str(name).strip().lower() in names), None)


def assembled(name, parts, masks=None, size=None, fit="pad", seed=0, description=None, voxel_size=None, **fields):
    """A `Dataset` of files.

    Args:
        name: what it is called.
        parts: `{part: (paths, targets)}`; without "test" a fifth of the training files is drawn for it.
        masks: `{part: paths of masks}` in place of targets, or None.
        size, fit: as in `sizes.fitted`; None where all files have one size.
        seed: of the draw.
        voxel_size: what the voxels of volumes are brought to, in the files' own units; None leaves them.
        fields: of the `Dataset`.

    Raises:
        ValueError: files of several sizes without `size`, or fewer than two.
    """
    parts = {part: (list(paths), targets) for part, (paths, targets) in parts.items()}
    masks = dict(masks or {})
    if "train" not in parts or not parts["train"][0]:
        raise ValueError(
            f"A data set needs files to train on. Received: {name} with the parts {', '.join(parts) or 'none'}. Name "
            "the folder of the training files `train`, or leave out the folders of parts."
        )
    _check_apart(name, parts)
    classes = fields.get("task") == "classification"
    names = fields.get("class_names", ())
    if "test" not in parts:
        _draw_test(name, parts, masks, seed, names if classes else None)
    if classes:
        _check_trained(name, parts, names)
    of = _numbers_of(parts["train"][0])
    if of.max() + 1 < len(of):  # so that parts cut later do not share a file either
        fields["groups"] = of
    every = [path for paths, _ in parts.values() for path in paths]
    wanted = resampling.check_voxels(voxel_size)
    by_path, depths, voxels = _kinds(name, every, wanted)
    dtype, deep = _depth(name, depths)
    shapes = collections.Counter(by_path[path] for path in every)
    channels = _channels(name, shapes)
    target_size = _common_size(name, shapes, sizes.check_size(size, fit), fit)

    def bring(array, path):
        if deep and array.dtype == np.uint16:
            array = array / np.float32(_DEEPER)
        if array.shape[-1] != channels:
            array = np.repeat(array[..., :1], channels, axis=-1)
        return sizes.fitted(array, target_size, fit)

    arrays = {}
    for part, (paths, targets) in parts.items():
        arrays[f"x_{part}"] = files.Files(paths, bring, (*target_size, channels), dtype, voxel_size=wanted).loaded()
        arrays[f"y_{part}"] = None if masks else np.asarray(targets)
    if masks:
        images = {part: paths for part, (paths, _) in parts.items()}
        found = masks_of_files.beside(
            masks, images, by_path, lambda mask: sizes.fitted(mask, target_size, fit, mask=True), wanted
        )
        arrays |= {f"y_{part}": array for part, array in found.items()}
    what = f"{len(every):,} files of {name}" if description is None else description
    return Dataset(name=str(name), description=what, voxel_size=voxels, **arrays, **fields)


def _numbers_of(paths):
    """For each path the number of its file, by first appearance, whatever the name or link it is given by."""
    numbers = {}
    return np.array([numbers.setdefault(file, len(numbers)) for file in files.identities(paths)], "int64")


def _check_apart(name, parts):
    found = {}
    for part, (paths, _) in parts.items():
        for path, file in zip(paths, files.identities(paths), strict=True):
            other = found.setdefault(file, part)
            if other != part:
                raise ValueError(
                    f"A file is in one part only, else a network is tested on what it has seen. Received: {name} with "
                    f"{path} in {other} and in {part}. Take it out of one."
                )


def _check_trained(name, parts, names):
    trained = set(np.asarray(parts["train"][1]).tolist())
    lost = {label for _, labels in parts.values() for label in np.asarray(labels).tolist()} - trained
    if lost:
        raise ValueError(
            f"Every class has images to train on. Received: {name} without any of {_listed(sorted(lost), names)} in "
            "train. Add some, or take the class out of the other parts."
        )


def _draw_test(name, parts, masks, seed, names):
    """Move a fifth of the training files to a test part; rows of one file stay together.

    Args:
        names: of the classes, of which each keeps a file to train on; None where targets are no classes.
    """
    paths, targets = parts["train"]
    of = _numbers_of(paths)
    total, first = int(of.max()) + 1, np.unique(of, return_index=True)[1]
    count = round(TEST_SHARE * total)
    if count < 1:
        raise ValueError(
            f"A data set needs files to train on and to test on. Received: {name} with {total} in all. Add more."
        )
    labels = np.zeros((len(paths), 1)) if targets is None else np.asarray(targets)
    chosen = drawn(labels[first], count, seed, leave=names is not None)
    if names is not None:
        found, times = np.unique(labels[first], return_counts=True)
        if not len(chosen):
            raise ValueError(
                f"A class needs a file to train on and one to test on. Received: {name} with {len(found)} classes of "
                "one file each. Add more, or a part for testing."
            )
        if (times == 1).any():
            alone = _listed(found[times == 1].tolist(), names)
            log.info("Classes of one file alone are trained on, but not tested: %s.", alone)
    test = np.flatnonzero(np.isin(of, chosen))
    kept = others(test, len(paths))
    for part, rows in (("test", test), ("train", kept)):
        parts[part] = [paths[i] for i in rows], None if targets is None else labels[rows]
        if masks:
            masks[part] = [masks["train"][i] for i in rows] if part == "test" else masks["train"]
    if masks:
        masks["train"] = [masks["train"][i] for i in kept]
    log.info(
        "No folder or column says what is for testing: %d of %d files are drawn (seed %d).", len(chosen), total, seed
    )


def _listed(labels, names, most=8):
    """The first of some classes by their names."""
    said = ", ".join(str(names[label] if len(names) else label) for label in labels[:most])
    return said + (f" and {len(labels) - most} more" if len(labels) > most else "")


def _kinds(name, paths, wanted=None):
    """`({path: shape}, Counter of dtypes, voxel size)` of all files, brought to a voxel size where one is wanted.

    Pictures are not decoded for that. NIfTI files hold numbers of one scale, whatever their type.
    """
    shapes, (depths, voxels) = {}, (collections.Counter() for _ in range(2))
    for path in dict.fromkeys(paths):
        voxel = None
        if files.suffix_of(path) in files.PICTURES:
            shape, depth = pictures.header(path)
        else:
            array, voxel = files.read(path)
            shape, depth = resampling.resampled_shape(array.shape, voxel, wanted), array.dtype
        if wanted is not None and voxel is None:
            raise ValueError(
                f"`voxel_size` resamples NIfTI volumes, whose files know how large their voxels are. Received: "
                f"{path} of {name} with voxel_size={wanted}. Leave it out, or save the volumes as NIfTI."
            )
        voxels[voxel if wanted is None else wanted] += 1
        shapes[path] = shape
        depths["float32" if files.suffix_of(path) in files.NIFTIS else np.dtype(depth).name] += 1
    voxels.pop(None, None)
    if len(voxels) > 1:
        raise ValueError(
            f"Volumes of a data set have voxels of one size. Received: {', '.join(map(str, voxels))}. Bring them to "
            "one with voxel_size=1.0 (--option voxel_size=1.0), in the units of the files."
        )
    return shapes, depths, next(iter(voxels), None)


def _channels(name, shapes):
    """The number of channels of all images: that of each, or three where some are gray and some are colored."""
    found = collections.Counter()
    for shape, count in shapes.items():
        found[shape[-1]] += count
    if len(found) > 1 and set(found) != {1, 3}:
        listed = ", ".join(f"{channels} channels ({count:,})" for channels, count in sorted(found.items()))
        raise ValueError(
            f"Images of a data set have the same channels, or are gray and in three colors. Received: {name} with "
            f"{listed}. Save them alike."
        )
    if len(found) > 1:
        log.info("Gray images stand beside colored ones: the gray ones are given three equal channels.")
    return max(found)


def _depth(name, depths):
    """`(dtype of all images, whether those of 16 bits are divided by 257)`."""
    kinds = {np.dtype(depth).kind.replace("u", "i").replace("b", "i") for depth in depths}
    if len(kinds) > 1:
        listed = ", ".join(f"{depth} ({count:,})" for depth, count in depths.most_common())
        raise ValueError(
            f"Images of a data set have numbers of one kind, else they are of several scales. Received: {name} with "
            f"{listed}. Save them alike."
        )
    deep = {"uint8", "uint16"} <= set(depths)
    if deep:
        log.info("Images of 16 bits stand beside some of 8: the numbers of the first are divided by %d.", _DEEPER)
    return "uint8" if set(depths) == {"uint8"} else "float32", deep


def _common_size(name, shapes, size, fit):
    spaces = collections.Counter()
    for shape, count in shapes.items():
        spaces[shape[:-1]] += count
    ranks = {len(space) for space in spaces}
    if len(ranks) > 1 or (size is not None and ranks != {len(size)}):
        raise ValueError(
            "Files of a data set are all images or all volumes, and `size` has a number for each of their axes. "
            "Received: "
            f"{name} with {', '.join(_by(s) for s in list(spaces)[:4])} and size={size}. Sort them, or correct --size."
        )
    if size is None:
        if len(spaces) > 1:
            listed = ", ".join(f"{_by(space)} ({count:,})" for space, count in spaces.most_common(4))
            common = spaces.most_common(1)[0][0]
            raise ValueError(
                f"Images of a data set have one size. Received: {name} with {listed}"
                f"{' and others' if len(spaces) > 4 else ''}. Use --size {' '.join(map(str, common))}, which cuts "
                "and pads "
                "(with --fit resize it scales, proportions kept)."
            )
        return next(iter(spaces))
    sizes.announce(spaces, size, fit)
    return size


def _by(space):
    return "x".join(map(str, space))
