"""How an orthogonal matrix moves a grid of pixels: exactly where it permutes them, else by interpolation.

Points are (x to the right, y up) in the plane; in space, axis i of the array is coordinate i. The center of the
grid is the fixed point, also where it lies between pixels.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np

UPRIGHT = {2: "C2 or D2", 3: "C2z or D2h"}  # by dimension: groups that swap no axes
INTERPOLATIONS = ("nearest", "linear", "cubic")


def index_matrix(matrix):
    """The same map in array coordinates: in the plane the first axis (rows) is -y and the second (columns) is x."""
    matrix = np.asarray(matrix, dtype=np.float64)
    if len(matrix) != 2:
        return matrix
    (a, b), (c, d) = matrix
    return np.array([[d, -c], [-b, a]])


def is_signed_permutation(matrix):
    """Whether the matrix only swaps and flips axes, and so maps a pixel grid onto itself."""
    size = np.abs(np.asarray(matrix))
    return bool(np.isclose(size, np.round(size), atol=1e-9).all())


def _grid_elements(group):
    """The matrices of a group that map a pixel grid onto itself, as `is_signed_permutation` does one by one."""
    matrices = np.asarray(group.matrices, dtype=np.float64)
    size = np.abs(matrices)
    return matrices[(np.abs(size - np.round(size)) <= 1e-9 + 1e-5 * np.round(size)).all(axis=(1, 2))]


def keeps_shape(group, shape, voxel_size=None):
    """Whether no element of a group that maps the pixel grid onto itself swaps axes of different lengths.

    Args:
        voxel_size: lengths of a pixel along the axes; elements that swap different ones do not map the grid onto
            itself.
    """
    moved = [np.abs(index_matrix(m)) for m in _grid_elements(group)]
    sizes = np.ones(len(shape)) if voxel_size is None else np.asarray(voxel_size)
    moved = [m for m in moved if np.allclose(m @ sizes, sizes)]
    return all(np.array_equal(np.round(m @ np.asarray(shape)), shape) for m in moved)


def axis_moves(group=None, voxel_size=None, dimension=None):
    """How the elements that map the pixel grid onto itself move its axes.

    Args:
        group: of any kind; None for all flips and swaps of the axes.
        voxel_size: lengths of a pixel along the axes; elements that swap different ones do not map the grid onto
            itself.
        dimension: number of axes, where there is no group.

    Returns:
        One entry per element: for each axis of the array (axis that it is sent to, whether it is reversed).
    """
    return _axis_moves(group, None if voxel_size is None else tuple(map(float, voxel_size)), dimension)


@functools.lru_cache(maxsize=512)
def _axis_moves(group, voxel_size, dimension):
    if group is None:
        flips = itertools.product((False, True), repeat=dimension)
        return tuple(
            tuple(zip(order, flip, strict=True))
            for flip, order in itertools.product(flips, itertools.permutations(range(dimension)))
        )
    sizes = np.ones(group.dimension) if voxel_size is None else np.asarray(voxel_size)
    moved = [np.round(index_matrix(m)).astype(int) for m in _grid_elements(group)]
    return tuple(
        tuple((int(np.argmax(np.abs(column))), bool(column.min() < 0)) for column in m.T)
        for m in moved
        if np.allclose(np.abs(m) @ sizes, sizes)
    )


def moved_axes(group):
    """The axes of space on which some element is not the identity, hence whose two ends must be treated alike."""
    identity = index_matrix(group.matrices[0])
    moved = [abs(index_matrix(matrix) - identity).max(axis=1) > 1e-9 for matrix in group.matrices]
    return tuple(bool(any(m[axis] for m in moved)) for axis in range(group.dimension))


def centered_points(shape):
    """Array coordinates of all pixels about the grid's center, `(prod(shape), d)`."""
    axes = [np.arange(n) - (n - 1) / 2 for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))


def move_pixels(x: np.ndarray, matrix: np.ndarray, interpolation: Literal["cubic", "linear"] = "cubic") -> np.ndarray:
    """[L_g x](p) = x(g^-1 p) on the axes after the batch: exact for a signed permutation, else interpolated."""
    if is_signed_permutation(matrix):
        return permute_pixels(x, matrix)
    return resample(x, matrix, interpolation)


def rotate(x: np.ndarray, degrees: float, interpolation: Literal["cubic", "linear"] = "cubic") -> np.ndarray:
    """Images (B, H, W, C) rotated counter-clockwise about their center; multiples of 90 degrees are exact."""
    return move_pixels(np.asarray(x), rotation_matrix(degrees), interpolation)


def rotation_matrix(degrees: float, axis: Sequence[float] | None = None) -> np.ndarray:
    """The counter-clockwise rotation of the plane, exact for multiples of 90 degrees, or one of space.

    Args:
        degrees: the angle.
        axis: of a rotation of space, three numbers; it rotates counter-clockwise when looked at against the axis.
    """
    quarters, rest = divmod(float(degrees), 90.0)
    c, s = np.cos(np.deg2rad(rest)), np.sin(np.deg2rad(rest))
    plane = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), int(quarters) % 4) @ np.array([[c, -s], [s, c]])
    if axis is None:
        return plane
    about = np.asarray(axis, dtype=np.float64)
    if about.shape != (3,) or not np.any(about):
        raise ValueError(f"`axis` must be three numbers, not all 0. Received: axis={about.tolist()}")
    (x, y, z), (c, s) = about / np.sqrt(about @ about), plane[:, 0]
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + s * cross + (1 - c) * cross @ cross


def permute_pixels(x, matrix, first_axis=1):
    """[L_g x](p) = x(g^-1 p) for a signed permutation: a transposition and flips, exact.

    Args:
        x: array whose axes `first_axis, first_axis + 1, ...` are space.
        matrix: `(d, d)` signed permutation.
    """
    order, flips = moved_order(matrix, x.ndim, first_axis)
    return np.flip(np.transpose(x, order), axis=flips)


def moved_order(matrix, ndim, first_axis=1):
    """What `permute_pixels` does to an array of so many axes: their new order, and then those that are reversed."""
    moved = index_matrix(matrix)
    d = len(moved)
    source = np.argmax(np.abs(moved), axis=1)  # output axis a is filled from input axis source[a]
    order = list(range(ndim))
    order[first_axis : first_axis + d] = [first_axis + int(a) for a in source]
    return order, [first_axis + a for a in range(d) if moved[a, source[a]] < 0]


def sampling(matrix, shape, interpolation="linear"):
    """Where each pixel of the moved grid takes its value from.

    Returns:
        `(indices, weights)`, both `(prod(shape), taps)`: value = sum over taps of weight * x.flat[index]. Points
        that fall outside the grid have weight 0. `linear` is multilinear, `cubic` is Keys' cubic convolution
        (a = -1/2), separable.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"`interpolation` must be one of {INTERPOLATIONS}. Received: {interpolation!r}")
    shape = tuple(shape)
    center = (np.array(shape) - 1) / 2
    # The inverse of an orthogonal matrix is its transpose; row vectors times the matrix apply it.
    source = centered_points(shape) @ index_matrix(matrix) + center
    source = np.where(np.abs(source - np.round(source)) < 1e-9, np.round(source), source)
    taps, weigh = _TAPS[interpolation]
    base = np.floor(source + (0.5 if interpolation == "nearest" else 0.0))
    # The weights are products of one factor an axis: as many factors as taps times axes, not taps to the power of axes.
    indices, weights = np.zeros((len(source), 1), int), np.ones((len(source), 1))
    for axis, size in enumerate(shape):
        points = base[:, axis, None] + np.array(taps)
        factors = weigh(np.abs(source[:, axis, None] - points)) * ((points >= 0) & (points < size))
        nearest = np.clip(points, 0, size - 1).astype(int)
        indices = (indices[:, :, None] * size + nearest[:, None]).reshape(len(source), -1)
        weights = (weights[:, :, None] * factors[:, None]).reshape(len(source), -1)
    return indices, weights


def resample(x, matrix, interpolation="cubic", first_axis=1):
    """[L_g x](p) = x(g^-1 p) by interpolation; the grid keeps its shape, what comes from outside is 0."""
    d = len(matrix)
    shape = x.shape[first_axis : first_axis + d]
    indices, weights = sampling(matrix, shape, interpolation)
    flat = x.reshape(*x.shape[:first_axis], -1, *x.shape[first_axis + d :])
    tail = (1,) * (flat.ndim - first_axis - 1)
    out = sum(
        np.take(flat, indices[:, t], axis=first_axis) * weights[:, t].reshape(-1, *tail)
        for t in range(indices.shape[1])
    )
    return out.astype(np.result_type(x.dtype, np.float32), copy=False).reshape(x.shape)


def _cubic(distance):
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


_TAPS = {
    "nearest": ((0,), np.ones_like),
    "linear": ((0, 1), lambda distance: np.maximum(1 - distance, 0)),
    "cubic": ((-1, 0, 1, 2), _cubic),
}
