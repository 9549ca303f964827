"""Data sets from lists of files: one size, one number of channels, parts for training and testing."""

import collections
import logging

import numpy as np

from keras_equivariant.data import files, pictures, resampling, sizes
from keras_equivariant.data.cuts import drawn, others
from keras_equivariant.data.dataset import Dataset

TEST_SHARE = 0.2
PARTS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}

MOST_GRAYS = 32  # of masks whose gray values are taken for classes
_DEEPER = 257  # white of 16 bits by white of 8
_NOISE = 40  # gray values by which a lossy compression changes black and white

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
    if "test" not in parts:
        _draw_test(name, parts, masks, seed)
    every = [path for paths, _ in parts.values() for path in paths]
    wanted = resampling.check_voxels(voxel_size)
    shapes, depths, voxels = _kinds(every, wanted)
    dtype, deep = _depth(name, depths)
    channels = max(shape[-1] for shape in shapes)
    target_size = _common_size(name, shapes, sizes.check_size(size, fit), fit)

    def bring(array, path):
        if deep and array.dtype == np.uint16:
            array = array / np.float32(_DEEPER)
        if array.shape[-1] != channels:
            array = np.repeat(array[..., :1], channels, axis=-1)
        return sizes.fitted(array, target_size, fit)

    def bring_mask(array, path):
        return sizes.fitted(array, target_size, fit, mask=True)

    arrays = {}
    for part, (paths, targets) in parts.items():
        arrays[f"x_{part}"] = files.Files(paths, bring, (*target_size, channels), dtype, voxel_size=wanted).loaded()
        if masks:
            kind = _mask_dtype(masks[part][0])
            stored = files.Files(masks[part], bring_mask, (*target_size, 1), kind, mask=True, voxel_size=wanted)
            arrays[f"y_{part}"] = np.asarray(stored)
        else:
            arrays[f"y_{part}"] = np.asarray(targets)
    if masks:
        arrays |= _ranked({key: array for key, array in arrays.items() if key.startswith("y_")})
    what = f"{len(every):,} files of {name}" if description is None else description
    return Dataset(name=str(name), description=what, voxel_size=voxels, **arrays, **fields)


def _draw_test(name, parts, masks, seed):
    paths, targets = parts["train"]
    count = round(TEST_SHARE * len(paths))
    if count < 1:
        raise ValueError(
            f"A data set needs files to train on and to test on. Received: {name} with {len(paths)} in all. Add more."
        )
    labels = np.zeros((len(paths), 1)) if targets is None else np.asarray(targets)
    test = drawn(labels, count, seed)
    kept = others(test, len(paths))
    for part, rows in (("test", test), ("train", kept)):
        parts[part] = [paths[i] for i in rows], None if targets is None else labels[rows]
        if masks:
            masks[part] = [masks["train"][i] for i in rows] if part == "test" else masks["train"]
    if masks:
        masks["train"] = [masks["train"][i] for i in kept]
    log.info(
        "No folder or column says what is for testing: %d of %d files are drawn (seed %d).", count, len(paths), seed
    )


def _kinds(paths, wanted=None):
    """`(Counter of shapes, Counter of dtypes, voxel size)` of all files, brought to a voxel size where one is wanted.

    Pictures are not decoded for that. NIfTI files hold numbers of one scale, whatever their type.
    """
    shapes, depths, voxels = (collections.Counter() for _ in range(3))
    for path in paths:
        if files.suffix_of(path) in files.PICTURES:
            shape, depth = pictures.header(path)
        else:
            array, voxel = files.read(path)
            shape, depth = resampling.resampled_shape(array.shape, voxel, wanted), array.dtype
            voxels[voxel if voxel is None or wanted is None else wanted] += 1
        shapes[shape] += 1
        depths["float32" if files.suffix_of(path) in files.NIFTIS else np.dtype(depth).name] += 1
    voxels.pop(None, None)
    if len(voxels) > 1:
        raise ValueError(
            f"Volumes of a data set have voxels of one size. Received: {', '.join(map(str, voxels))}. Bring them to "
            "one with voxel_size=1.0 (--option voxel_size=1.0), in the units of the files."
        )
    return shapes, depths, next(iter(voxels), None)


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
    if len({shape[-1] for shape in shapes}) > 1:
        log.info("Gray images stand beside colored ones: the gray ones are given three equal channels.")
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


def _mask_dtype(path):
    dtype = files.read(path, mask=True)[0].dtype
    return (
        np.dtype("int32")
        if dtype.kind in "iu" and dtype.itemsize > 1
        else np.dtype(dtype if dtype.kind != "b" else "u1")
    )


def _ranked(masks):
    """Masks of a few gray values that do not count from 0 as class numbers; 0 and 255 stay as they are.

    Many values of which nearly all lie near 0 and 255 are those two behind a lossy compression.
    """
    found = [np.unique(mask, return_counts=True) for mask in masks.values()]
    values, where = np.unique(np.concatenate([values for values, _ in found]), return_inverse=True)
    counts = np.bincount(where, np.concatenate([counts for _, counts in found]))
    counted = np.array_equal(values, np.arange(len(values))) or set(values.tolist()) <= {0, 255}
    if values.dtype.kind not in "iu" or counted or len(values) < 2:
        return masks
    if len(values) <= MOST_GRAYS:
        log.info("The gray values %s of the masks are the classes 0 to %d.", values.tolist(), len(values) - 1)
        return {key: np.searchsorted(values, mask).astype("int32") for key, mask in masks.items()}
    black, white = values <= _NOISE, (values >= 255 - _NOISE) & (values <= 255)
    if counts[black].any() and counts[white].any() and counts[black | white].sum() > 0.9 * counts.sum():
        log.info("The masks are black and white but for a lossy compression: values above 127 count as 255.")
        return {key: np.where(mask > 127, 255, 0).astype("uint8") for key, mask in masks.items()}
    return masks


def _by(space):
    return "x".join(map(str, space))
