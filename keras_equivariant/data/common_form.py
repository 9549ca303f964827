"""Files brought to one form: one size, one number of channels, numbers of one kind."""

import collections
import logging

import numpy as np

from keras_equivariant.data import files, pictures, resampling, sizes

_BITS = {"uint8": 8, "uint16": 16}
_DEEPER = 257  # white of 16 bits by white of 8

log = logging.getLogger("keras_equivariant.data")


class CommonForm:
    """What images or volumes in files have in common, and what brings each to it.

    Args:
        name: what they are called in messages.
        paths: the files.
        size, fit: as in `sizes.fitted`; None where all have one size.
        voxel_size: what the voxels of volumes are brought to, in the files' own units; None leaves them.
        bits: of the pictures that these are to be like, 8 or 16: others are scaled; None for those of the files.
        channels: how many are wanted; None for those of the files.

    Raises:
        ValueError: files of several sizes without `size`, of other channels or of another kind of numbers.
    """

    def __init__(self, name, paths, size=None, fit="pad", voxel_size=None, bits=None, channels=None):
        self.fit, self.wanted = fit, resampling.check_voxels(voxel_size)
        self.shapes, depths, self.voxel_size = _kinds(name, paths, self.wanted)
        self.bits = _bits(name, depths, bits)
        self.dtype = "uint8" if self.bits == 8 and set(depths) == {"uint8"} else "float32"
        counts = collections.Counter(self.shapes[path] for path in paths)
        self.channels = _channels(name, counts, channels)
        self.size = _common_size(name, counts, sizes.check_size(size, fit), fit)

    def files(self, paths):
        """These files as one array, each read when it is asked for."""
        return files.Files(paths, self.image, (*self.size, self.channels), self.dtype, voxel_size=self.wanted)

    def image(self, array, path=None):
        """What a file holds, `(*space, C)`, in the common form."""
        own = _BITS.get(array.dtype.name)
        if own and self.bits and own != self.bits:
            array = array / np.float32(_DEEPER) if own == 16 else array * np.float32(_DEEPER)
        if array.shape[-1] != self.channels:
            array = np.repeat(array[..., :1], self.channels, axis=-1)
        return sizes.fitted(array, self.size, self.fit)

    def mask(self, mask):
        """The mask of an image, in its common size."""
        return sizes.fitted(mask, self.size, self.fit, mask=True)


def _kinds(name, paths, wanted=None):
    """`({path: shape}, Counter of dtypes, voxel size)` of all files, brought to a voxel size where one is wanted.

    Pictures are not decoded for that. NIfTI files hold numbers of one scale, whatever their type.
    """
    shapes, (depths, voxels, sides) = {}, (collections.Counter() for _ in range(3))
    several = {}
    for path in dict.fromkeys(paths):
        voxel = None
        if files.suffix_of(path) in files.PICTURES:
            shape, depth = pictures.header(path)
        else:
            array, voxel = files.read(path)
            shape, depth = resampling.resampled_shape(array.shape, voxel, wanted), array.dtype
        if wanted is not None and voxel is None:
            raise ValueError(
                f"`voxel_size` resamples volumes whose files know how large their voxels are, as NIfTI. Received: "
                f"{path} of {name} with voxel_size={wanted}. Leave it out, or save the volumes as NIfTI."
            )
        voxels[voxel if wanted is None else wanted] += 1
        sides[files.sides(path)] += 1
        several |= {path: count} if (count := files.frames(path)) > 1 else {}
        shapes[path] = shape
        depths["float32" if files.suffix_of(path) in files.NIFTIS else np.dtype(depth).name] += 1
    if several:
        path, count = next(iter(several.items()))
        log.warning(
            "%d files of %s hold several pictures, such as %s with %d: the first alone is read. Save the others as "
            "files of their own, or all as one volume, .npy.",
            len(several),
            name,
            path,
            count,
        )
    sides.pop(None, None)
    if len(sides) > 1:
        listed = ", ".join(f"{axes} ({count:,})" for axes, count in sides.most_common())
        log.warning(
            "The axes of the volumes of %s lead to several sides: %s. They are read as they are; "
            "nibabel.as_closest_canonical brings them to one.",
            name,
            listed,
        )
    voxels.pop(None, None)
    if len(voxels) > 1:
        raise ValueError(
            f"Volumes of a data set have voxels of one size. Received: {', '.join(map(str, voxels))}. Bring them to "
            "one with voxel_size=1.0 (--option voxel_size=1.0), in the units of the files."
        )
    return shapes, depths, next(iter(voxels), None)


def _channels(name, shapes, wanted=None):
    """The number of channels of all images: that of each, or three where some are gray and some are colored."""
    found = collections.Counter({wanted: 0} if wanted else {})
    for shape, count in shapes.items():
        found[shape[-1]] += count
    if wanted and not set(found) <= {1, wanted}:
        raise ValueError(
            f"Images have the {wanted} channels that the network was trained on. Received: {name} with "
            f"{max(set(found) - {1, wanted})}. Save them {'in gray' if wanted == 1 else 'alike'}."
        )
    if len(found) > 1 and set(found) != {1, 3}:
        listed = ", ".join(f"{channels} channels ({count:,})" for channels, count in sorted(found.items()))
        raise ValueError(
            f"Images of a data set have the same channels, or are gray and in three colors. Received: {name} with "
            f"{listed}. Save them alike."
        )
    if len(found) > 1 and found[1]:
        log.info("Gray images stand beside colored ones: the gray ones are given three equal channels.")
    return max(found)


def _bits(name, depths, wanted=None):
    """The bits of the scale that all images are brought to: 8 where some have them; None for other numbers."""
    if wanted not in (None, *_BITS.values()):
        raise ValueError(f"`bits` are those of pictures, 8 or 16. Received: bits={wanted!r}. Give one, or None.")
    kinds = {np.dtype(depth).kind.replace("u", "i").replace("b", "i") for depth in depths}
    if len(kinds | ({"i"} if wanted else set())) > 1:
        listed = ", ".join(f"{depth} ({count:,})" for depth, count in depths.most_common())
        listed += f", where pictures of {wanted} bits are wanted" if wanted else ""
        raise ValueError(
            f"Images of a data set have numbers of one kind, else they are of several scales. Received: {name} with "
            f"{listed}. Save them alike."
        )
    found = {_BITS[depth] for depth in depths if depth in _BITS}
    bits = wanted or min(found, default=None)
    if bits and found - {bits}:
        other, how = (16, "divided") if bits == 8 else (8, "multiplied")
        log.info(
            "Images of %d bits are brought to the scale of %d: their numbers are %s by %d.", other, bits, how, _DEEPER
        )
    return bits


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
