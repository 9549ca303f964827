"""Random motions of images and volumes, and the resampling that carries them out: exact where pixels meet pixels."""

import functools
import math

import numpy as np

from keras_equivariant import groups
from keras_equivariant.utils.optional import require

ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
_BORDERS = {"constant": "grid-constant", "reflect": "reflect"}
# From (right, up) to (row, column).
_TO_INDEX = np.array([[0.0, -1.0], [1.0, 0.0]])


def generator(seed):
    """NumPy's generator of a pair of integers, of any sign."""
    return np.random.default_rng([int(number) % 2**32 for number in seed])


def draw_planar(part, seed, rotate, mirrors, translate, quarters):
    """Orthogonal matrices `(count, 2, 2)`, x to the right and y up, and shifts `(count, 2)` down and right.

    Args:
        part: `(first, count, of)`: of the motions of a batch of `of` those from number `first` on.
        seed: pair of integers that decides the draws.
        rotate: largest angle either way, in degrees.
        mirrors: whether to mirror left and right, and top and bottom, each with probability 1/2.
        translate: largest shift along each axis, in whole pixels.
        quarters: whether to rotate by quarter turns besides, which are not rounded.
    """
    first, count, of = part
    draws = generator(seed).random((6, of))[:, first : first + count]
    angles = np.deg2rad((2 * draws[0] - 1) * rotate)
    cos, sin = np.cos(angles), np.sin(angles)
    if quarters:
        number = np.floor(4 * draws[5]).astype(int)
        cos, sin = np.choose(number, [cos, -sin, -cos, sin]), np.choose(number, [sin, cos, -sin, -cos])
    matrices = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    signs = np.stack([np.where((draws[i + 1] < 0.5) & mirrors[i], -1.0, 1.0) for i in (0, 1)], axis=1)
    return signs[:, :, None] * matrices, _shifts(draws[[4, 3]], translate)


def draw_spatial(part, seed, rotate, mirrors, translate, quarters, axis=None):
    """Orthogonal matrices `(count, 3, 3)` and shifts `(count, 3)`, in the order of the axes.

    Args:
        part, seed, rotate, translate: as in `draw_planar`.
        mirrors: whether to mirror the first axis, and the last.
        quarters: whether to rotate by one of the 24 rotations of the cube besides, or by a quarter turn about `axis`.
        axis: which of the three to rotate about; None for one that is uniform over the sphere.
    """
    first, count, of = part
    random = generator(seed)
    draws, axes = random.random((7, of))[:, first : first + count], random.normal(size=(of, 3))[first : first + count]
    axes = axes if axis is None else np.broadcast_to(np.eye(3)[axis], axes.shape)
    matrices = about(axes, np.deg2rad((2 * draws[0] - 1) * rotate))
    signs = np.ones((count, 3))
    for mirrored, draw, on in ((0, draws[1], mirrors[0]), (2, draws[2], mirrors[1])):
        signs[:, mirrored] = np.where((draw < 0.5) & on, -1.0, 1.0)
    matrices = signs[:, :, None] * matrices
    if quarters:
        rotations = groups.get("O").matrices if axis is None else quarter_turns(axis)
        matrices = rotations[(len(rotations) * draws[3]).astype(int)] @ matrices
    return matrices, _shifts(draws[4:7], translate)


def quarter_turns(axis):
    """The four rotations about an axis of space that map voxels onto voxels, `(4, 3, 3)`."""
    return np.rint(about(np.broadcast_to(np.eye(3)[axis], (4, 3)), np.arange(4) * np.pi / 2))


def check_axis(axis, dimension):
    """ValueError where an axis of space is named for something else."""
    if axis is not None and dimension != 3:
        raise ValueError(
            f"`axis` is one of space. Received: axis={axis} for {dimension} axes. Leave it out: only space has several."
        )


def _shifts(draws, translate):
    return np.floor(draws.T * (2 * translate + 1)) - translate


def about(axes, angles):
    """Rotations about axes `(B, 3)`, of any length, by angles `(B,)`: Rodrigues' formula."""
    x, y, z = (axes / np.linalg.norm(axes, axis=1, keepdims=True)).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    sin, cos = np.sin(angles)[:, None, None], np.cos(angles)[:, None, None]
    return np.eye(3) + sin * cross + (1 - cos) * cross @ cross


def move(images, matrices, shifts=None, fill="constant", interpolation="cubic"):
    """[L_g f](p) = f(g^-1 (p - shift)) for each image or volume, p counted from the middle.

    Every pixel is copied as it is where pixels come to lie on pixels; otherwise a spline is sampled, which keeps what a
    bilinear one blurs.

    Args:
        images: `(B, *space, C)`.
        matrices: orthogonal, `(B, 2, 2)`, x to the right and y up; of volumes `(B, 3, 3)`, in the order of the axes.
        shifts: whole pixels, `(B, 2)` down and right or `(B, 3)`; None for none.
        fill: what lies outside: "reflect" or "constant" (zero).
        interpolation: "cubic", "linear" or "nearest", as masks need it.

    Returns:
        An array of that shape and dtype; values stay within the range of each image (splines overshoot).
    """
    moved = np.empty_like(images)
    dimension = images.ndim - 2
    shifts = np.zeros((len(images), dimension)) if shifts is None else shifts
    for image, matrix, shift, out in zip(images, matrices, shifts, moved, strict=True):
        matrix = np.asarray(matrix, "float64")
        matrix = _TO_INDEX @ matrix @ _TO_INDEX.T if dimension == 2 else matrix
        places = _whole(matrix, shift, image.shape[:-1])
        if places is None:
            _resample(image, matrix, shift, fill, ORDERS[interpolation], out)
        else:
            out[...] = _copied(image, *places, fill)
    return moved


def _whole(matrix, shift, space):
    """`(axes, indices)`: for each axis of the image the axis of the result that runs along it, and the pixel at each of
    its places; None where pixels do not come to lie on pixels."""
    axes = np.argmax(np.abs(matrix), axis=0)
    if not np.allclose(np.abs(matrix), np.eye(len(space))[:, axes], atol=1e-9):
        return None
    indices = []
    for axis, from_axis in enumerate(axes):
        middle, length = (space[axis] - 1) / 2, space[from_axis]
        sign = math.copysign(1.0, matrix[from_axis, axis])
        found = sign * (np.arange(length) - (length - 1) / 2 - shift[from_axis]) + middle
        if abs(found[0] - round(found[0])) > 1e-6:
            return None
        indices.append(np.rint(found).astype(int))
    return axes, indices


def _copied(image, axes, indices, fill):
    sizes = image.shape[:-1]
    if fill == "constant":
        inside = [(index >= 0) & (index < n) for index, n in zip(indices, sizes, strict=True)]
        indices = [np.clip(index, 0, n - 1) for index, n in zip(indices, sizes, strict=True)]
    else:
        folded = [np.mod(index, 2 * n) for index, n in zip(indices, sizes, strict=True)]
        indices = [np.minimum(index, 2 * n - 1 - index) for index, n in zip(folded, sizes, strict=True)]
    found = image[np.ix_(*indices)]
    if fill == "constant" and not all(part.all() for part in inside):
        found = np.where(functools.reduce(np.logical_and.outer, inside)[..., None], found, np.zeros((), image.dtype))
    return np.transpose(found, (*np.argsort(axes), image.ndim - 1))


def _resample(image, matrix, shift, fill, order, out):
    ndimage = require("scipy.ndimage", "Rotating images by any angle")
    middle = (np.array(image.shape[:-1]) - 1) / 2
    offset = middle - matrix.T @ (middle + shift)
    for channel in range(image.shape[-1]):
        source = image[..., channel]
        ndimage.affine_transform(
            source, matrix.T, offset, output=out[..., channel], order=order, mode=_BORDERS[fill], cval=0.0
        )
        if order > 1:
            low, high = source.min(), source.max()
            if fill == "constant":
                low, high = min(low, 0), max(high, 0)
            np.clip(out[..., channel], low, high, out=out[..., channel])
