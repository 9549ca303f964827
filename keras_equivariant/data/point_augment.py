"""Random rotations and mirrors of points, with whatever of inputs and targets rotates with them."""

import numpy as np

from keras_equivariant.data.motion import about, check_axis, generator
from keras_equivariant.utils.periodic import space_of

# Names of arrays whose last axis holds coordinates, of positions those of the lattice vectors behind them, too.
MOVING = ("positions", "state", "forces", "dipole", "states")


def augment_points(inputs, targets, seed, rotate, mirror, part=None, axis=None):
    """Dicts of arrays `(B, ..., d)`, each sample rotated by a random rotation of its own about the origin.

    Args:
        inputs, targets: dicts by name; those in `MOVING` rotate.
        seed: pair of integers that decides the draws.
        rotate: largest angle in degrees; in space about an axis that is uniform over the sphere.
        mirror: whether to mirror the first coordinate, with probability 1/2.
        part: `(first, of)` where these are the samples from number `first` on of a batch of `of`, else None.
        axis: the axis of space to rotate about; None for any.
    """
    moving = [array for part_ in (inputs, targets) for name, array in part_.items() if name in MOVING]
    d, count = space_of(moving[0].shape[-1]), len(moving[0])
    first, of = part or (0, count)
    random = generator(seed)
    draws, axes = (array[..., first : first + count] for array in (random.random((2, of)), random.normal(size=(3, of))))
    check_axis(axis, d)
    angles = np.deg2rad((2 * draws[0] - 1) * rotate)
    if d == 3:
        axes = axes.T if axis is None else np.broadcast_to(np.eye(3)[axis], (count, 3))
        matrices = about(axes, angles)
    elif d == 2:
        cos, sin = np.cos(angles), np.sin(angles)
        matrices = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    else:
        return inputs, targets
    matrices[:, 0] *= np.where((draws[1] < 0.5) & mirror, -1.0, 1.0)[:, None]

    def moved(name, array):
        if name not in MOVING:
            return array
        points = array.reshape(len(array), -1, d)
        return np.einsum("bij,bnj->bni", matrices, points).reshape(array.shape).astype(array.dtype)

    return tuple({name: moved(name, array) for name, array in part_.items()} for part_ in (inputs, targets))
