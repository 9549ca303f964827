"""Bases of rotated kernels for lifting and group convolutions.

Every kernel is psi_s(x) = sum_d c_d B_s^d(x), where B_s^d(x) = B^d(s^-1 x) is the basis moved by the group element s
and the coefficients c are learned. What differs is how B is moved:

| basis       | functions B^d                         | moved by                      | groups                 |
|-------------|---------------------------------------|-------------------------------|------------------------|
| `exact`     | one per pixel                         | permuting the pixels          | of square and cube     |
| `bilinear`  | one per pixel                         | (tri)linear interpolation     | any                    |
| `gaussian`  | one per pixel                         | Gaussian interpolation        | any                    |
| `steerable` | band-limited harmonics on rings       | rotating the function itself  | any                    |
| `pdo`       | stencils of differential operators    | rotating the operator itself  | any                    |
| learned     | found by optimization, see `learned`  | what was learned              | those of its file      |

Whatever the basis, the elements that map the pixel grid onto itself move it exactly: B_{e t} is the pixel
permutation e of B_t, bit for bit. Only full learned bases are approximate there, too.
"""

import dataclasses
import functools
import hashlib

import numpy as np

from keras_equivariant.groups import grid, orthogonal_group
from keras_equivariant.kernels import band_limited, learned
from keras_equivariant.kernels.derivatives import Derivatives, moved_operators
from keras_equivariant.utils.deprecation import renamed

BASES = ("auto", "exact", "bilinear", "gaussian", "steerable", "pdo")
GAUSSIAN_SIGMA = 0.5  # of the interpolation, in pixels (1905.04663)


@dataclasses.dataclass(frozen=True, eq=False)
class RotatedBasis:
    """A basis of kernels and its moved copies.

    Attributes:
        name: `"exact"`, `"bilinear"`, `"gaussian"`, `"steerable"`, `"pdo"`, or that of a learned one.
        size: number D of functions.
        pixels: for `exact` only, `(order, pixels)` integers: pixel p of the kernel moved by s is pixel
            `pixels[s, p]` of the learned one. Else None.
        source, permuted: `(elements,)` and `(elements, pixels)` integers: the functions of s are those of
            representative `source[s]` at the pixels `permuted[s]`.
        representatives: `(representatives, D, pixels)`, the functions that the others are permutations of.
        approximate: whether flips and quarter turns move it only approximately.
        scales: number of scales.
        fingerprint: of the functions in the file of a learned basis, bytes; None for those that are computed.
    """

    name: str
    size: int
    pixels: np.ndarray | None
    source: np.ndarray
    permuted: np.ndarray
    representatives: np.ndarray
    approximate: bool = False
    scales: int = 1
    fingerprint: bytes | None = None

    @functools.cached_property
    def basis(self):
        """B_s^d, `(elements, D, pixels)` float64, an element for each of the group, of each scale if there are scales.

        Scaled so that the mean over s of sum_d (sum over pixels of B_s^d)^2 is D. With independent coefficients of
        variance 1 / fan-in, constant features then keep their second moment, as they do on the exact basis. Deep
        features tend to be smooth.
        """
        functions = _moved(self.representatives, self.source, self.permuted)
        functions.setflags(write=False)
        return functions

    functions = renamed("basis")


def rotated_basis(group, kernel_size, basis="auto"):
    """The basis for a group, a kernel size and a name.

    Args:
        group: group name or FiniteGroup.
        kernel_size: tuple of integers, one per axis of space.
        basis: one of `BASES`; `"auto"` is exact where that exists, else steerable. `"learned"` and `"learned_full"`
            are the packaged learned bases, and an .npz file is one of your own; a kernel of one pixel is exact.

    Raises:
        ValueError: unknown basis, one that the group does not allow, a damaged file, or a kernel that quarter turns
            would change in shape.
    """
    group, kernel_size = orthogonal_group(group), tuple(kernel_size)
    if not learned.is_learned(basis):
        if basis not in BASES:
            raise ValueError(
                f"`basis` must be one of {(*BASES, *learned.NAMES)} or the path of an .npz file. "
                f"Received: basis={basis!r}"
            )
        return _rotated_basis(group, kernel_size, basis)
    if np.prod(kernel_size) == 1 and basis in learned.NAMES:
        return _rotated_basis(group, kernel_size, "exact")
    _check_shape(group, kernel_size)
    path = learned.find(basis, group, kernel_size)
    return _learned_basis(group, kernel_size, str(basis), str(path), path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _rotated_basis(group, kernel_size, basis):
    _check_shape(group, kernel_size)
    exact = [pixel_permutation(matrix, kernel_size) for matrix in group.matrices]
    possible = all(permutation is not None for permutation in exact)
    if basis == "auto":
        basis = "exact" if possible else "steerable"
    if basis == "exact":
        if not possible:
            raise ValueError(
                'basis="exact" needs a group that permutes the pixels of the kernel: C1, C2, C4, D1, D2 or D4; in '
                f'space a group of the cube. Received: group "{group.name}"; use basis="steerable"'
            )
        pixels = np.stack(exact)
        identity, source = np.eye(pixels.shape[1])[None], np.zeros(group.order, int)
        return RotatedBasis("exact", pixels.shape[1], pixels, source, pixels, identity)
    build = {
        "bilinear": _bilinear,
        "gaussian": _gaussian,
        "steerable": band_limited.moved_functions,
        "pdo": functools.partial(moved_operators, derivatives=Derivatives()),
    }[basis]
    permuting = [g for g in range(group.order) if exact[g] is not None]
    elements, source, permuted = _cosets(group, permuting, kernel_size)
    functions = build(group.matrices[elements], kernel_size)
    if basis in ("steerable", "pdo"):
        moved = _moved(functions, source, permuted)
        functions = functions / np.sqrt(np.mean(np.sum(moved**2, axis=2), axis=0))[None, :, None]
    return _scaled(basis, functions, source, permuted)


@functools.lru_cache(maxsize=64)
def _learned_basis(group, kernel_size, name, path, _modified):
    basis = learned.load(path)
    learned.check_serves(basis, name, group, kernel_size)
    permuting = learned.permuting(group, basis.variant, basis.group)
    elements, source, permuted = _cosets(group, permuting, kernel_size)
    scales = len(basis.scales)
    functions = [basis.at(j, group.matrices[t]) for j in range(scales) for t in elements]
    source = np.concatenate([source + j * len(elements) for j in range(scales)])
    permuted = np.tile(permuted, (scales, 1))
    approximate = len(permuting) < len(group.grid_elements)
    fingerprint = hashlib.sha256(basis.basis.tobytes()).digest()
    options = {"approximate": approximate, "scales": scales, "fingerprint": fingerprint}
    return _scaled(name, np.stack(functions), source, permuted, **options)


def _scaled(name, representatives, source, permuted, **options):
    functions = _moved(representatives, source, permuted)
    response = np.mean(np.sum(np.sum(functions, axis=2) ** 2, axis=1))
    size = representatives.shape[1]
    factor = np.sqrt(size / response)
    representatives = representatives * factor
    representatives.setflags(write=False)
    return RotatedBasis(name, size, None, source, permuted, representatives, **options)


def _moved(representatives, source, permuted):
    return np.stack([representatives[r][:, pixels] for r, pixels in zip(source, permuted, strict=True)])


def _cosets(group, permuting, kernel_size):
    """Representatives of the cosets of the elements that permute the pixels, and how every element comes from them.

    Returns:
        `(elements, source, permuted)`: element s is a permutation, `permuted[s]`, after `elements[source[s]]`.
    """
    elements, source, permuted = [], np.zeros(group.order, int), [None] * group.order
    for t in range(group.order):
        if permuted[t] is None:
            for e in permuting:
                moved = group.product(e, t)
                source[moved], permuted[moved] = len(elements), pixel_permutation(group.matrices[e], kernel_size)
            elements.append(t)
    return elements, source, np.stack(permuted)


def pixel_permutation(matrix, kernel_size):
    """Which old pixel each pixel of the moved kernel takes, `(pixels,)`; None if it takes no pixel."""
    if np.prod(kernel_size) == 1:
        return np.zeros(1, dtype=int)
    if not grid.is_signed_permutation(matrix):
        return None
    order = np.arange(np.prod(kernel_size)).reshape(kernel_size)
    return grid.permute_pixels(order, matrix, first_axis=0).ravel()


def _check_shape(group, kernel_size):
    if len(kernel_size) != group.dimension:
        other = {2: 'a group of the plane such as "C4" or "D4"', 3: 'a group of space such as "O", "D4h" or "C4z"'}
        raise ValueError(
            f"The kernel must have as many axes as the space that {group.name} acts on, "
            f"{group.dimension}. Received: kernel_size={kernel_size}; use {other[len(kernel_size)]}"
        )
    if not grid.keeps_shape(group, kernel_size):
        largest = max(kernel_size)
        raise ValueError(
            f"The kernel must keep its shape under {group.name}, which swaps the axes. Received: "
            f"kernel_size={kernel_size}; use {(largest,) * len(kernel_size)}, or a group without "
            f"quarter turns such as {grid.UPRIGHT[group.dimension]}"
        )


def _bilinear(matrices, kernel_size):
    pixels = int(np.prod(kernel_size))
    functions = np.zeros((len(matrices), pixels, pixels))
    for s, matrix in enumerate(matrices):
        indices, weights = grid.sampling(matrix, kernel_size, "linear")
        for tap in range(indices.shape[1]):
            np.add.at(functions[s], (indices[:, tap], np.arange(pixels)), weights[:, tap])
    return functions


def _gaussian(matrices, kernel_size):
    # The weights are normalized over the whole lattice, so that what lies outside the kernel counts as 0.
    pixels = grid.centered_points(kernel_size)
    margin = 3
    lattice = grid.centered_points([n + 2 * margin for n in kernel_size])
    functions = []
    for matrix in matrices:
        source = pixels @ grid.index_matrix(matrix)

        def weigh(points, source=source):
            distance = np.sum((points[:, None] - source[None]) ** 2, axis=2)
            return np.exp(-distance / (2 * GAUSSIAN_SIGMA**2))

        functions.append(weigh(pixels) / np.sum(weigh(lattice), axis=0))
    return np.stack(functions)
