"""Volumes brought to another size of voxels, so that one voxel is as long along each axis."""

import numpy as np

from keras_equivariant.utils.optional import require


def check_voxels(size):
    """A voxel size as three positive numbers; one number stands for cubes, None stays.

    Raises:
        ValueError: anything else.
    """
    if size is None:
        return None
    try:
        found = tuple(float(length) for length in (size if isinstance(size, list | tuple) else [size] * 3))
    except (TypeError, ValueError):
        found = ()
    if len(found) != 3 or not all(0 < length < float("inf") for length in found):
        raise ValueError(
            f"`voxel_size` is a positive length, or one for each of the three axes. Received: voxel_size={size!r}. "
            "Write voxel_size=1.0, or --option voxel_size=1.0."
        )
    return found


def resampled_shape(shape, voxel_size, wanted):
    """The shape `(D, H, W, C)` of a volume after `resampled`."""
    if wanted is None or voxel_size is None:
        return tuple(shape)
    factors = [have / want for have, want in zip(voxel_size, wanted, strict=True)]
    return (*(max(1, round(n * factor)) for n, factor in zip(shape[:3], factors, strict=True)), *shape[3:])


def resampled(volume, voxel_size, wanted, mask=False):
    """A volume `(D, H, W, C)` with voxels of another size, in its own dtype.

    out(p) = in(p wanted / voxel_size), p counted from the middle, by a cubic spline; a mask takes the nearest voxel.

    Args:
        volume: `(D, H, W, C)`.
        voxel_size: its own, three lengths; None where it is not known, then it stays.
        wanted: three lengths, or None.
        mask: whether its numbers are classes.
    """
    shape = resampled_shape(volume.shape, voxel_size, wanted)
    if shape == volume.shape:
        return volume
    ndimage = require("scipy.ndimage", "Resampling volumes")
    scale = np.array([want / have for have, want in zip(voxel_size, wanted, strict=True)])
    middle, new_middle = ((np.array(s[:3]) - 1) / 2 for s in (volume.shape, shape))
    order = 0 if mask else 3
    channels = [
        ndimage.affine_transform(
            volume[..., c].astype(volume.dtype if mask else "float32"),
            scale,
            middle - scale * new_middle,
            shape[:3],
            order=order,
            mode="nearest",
        )
        for c in range(volume.shape[-1])
    ]
    found = np.stack(channels, axis=-1)
    found = np.clip(found, volume.min(), volume.max())  # splines overshoot
    return (np.rint(found) if volume.dtype.kind in "bui" else found).astype(volume.dtype)
