"""Learned bases: functions and their rotated copies that were found by optimization and lie in .npz files.

A file holds the functions of some elements of a group, its representatives. In a `"full"` basis these are all
elements, each rotated copy learned by itself, so quarter turns are as approximate as all other rotations. In a
`"partial"` basis they are one of each coset of the flips and quarter turns; those move the rest, pixel by pixel, and
are exact.
A basis may also know scales; its elements are then pairs, and element j |G| + s is s on scale j.

Reference: Diaconu & Worrall, Learning to Convolve, arXiv 1905.04663.
"""

import dataclasses
import json
import math
import pathlib
import re

import numpy as np

from keras_equivariant.groups import FiniteGroup, get, grid
from keras_equivariant.utils.arrays import read_arrays
from keras_equivariant.utils.deprecation import renamed

NAMES = {"learned": "partial", "learned_full": "full"}  # of the packaged bases, and their variants
VARIANTS = ("partial", "full")
SUFFIX = ".npz"
MAX_BYTES = 64_000_000
FOLDER = pathlib.Path(__file__).parent / "bases"
APERTURE = 0.5  # standard deviation of a pixel, in pixels
MIRROR = np.diag([-1.0, 1.0])


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedBasis:
    """A basis of kernels whose rotated copies were learned.

    Attributes:
        group: the FiniteGroup that moves it.
        variant: `"partial"` (quarter turns and flips exact) or `"full"` (every element approximate).
        basis: `(scales, representatives, D, rows, columns)` float32; the representatives are `representatives(
            group, variant)`.
        scales: factors by which the kernels grow, ascending from 1.
        provenance: dict that says how it was made: images, seed, settings, losses on held-out images, history.
    """

    group: FiniteGroup
    variant: str
    basis: np.ndarray
    scales: tuple = (1.0,)
    provenance: dict = dataclasses.field(default_factory=dict)

    @property
    def kernel_size(self):
        return tuple(self.basis.shape[-2:])

    @property
    def size(self):
        """Number D of functions."""
        return self.basis.shape[2]

    functions = renamed("basis")

    def save(self, path):
        """Writes the basis as an .npz file, which `basis=path` of a layer takes."""
        path = pathlib.Path(path)
        if path.suffix != SUFFIX:
            raise ValueError(f'The name of a basis file must end with "{SUFFIX}". Received: {path}')
        np.savez_compressed(
            path,
            functions=self.basis.astype("float32"),
            group=self.group.name,
            variant=self.variant,
            scales=np.array(self.scales, "float64"),
            provenance=json.dumps(self.provenance),
        )

    def at(self, scale, matrix):
        """The functions moved by an orthogonal matrix, `(D, pixels)` float64.

        Mirrors that a basis of rotations does not have are those of its rotations, mirrored left and right.

        Raises:
            ValueError: the matrix is none that the basis knows.
        """
        for mirrored in (False, True):
            try:
                element = self.group.index(MIRROR @ matrix if mirrored else matrix)
            except ValueError:
                continue
            found = self._of(scale, element)
            found = found[..., ::-1] if mirrored else found
            return found.reshape(len(found), -1).astype(np.float64)
        raise ValueError(
            f"A learned basis moves by the elements of its own group, {self.group.name}, and their mirror images. "
            f"Received: the matrix {np.asarray(matrix).round(3).tolist()}"
        )

    def _of(self, scale, element):
        """The functions moved by an element, `(D, rows, columns)`: those of the file, or their pixels permuted."""
        elements = representatives(self.group, self.variant)
        for e in permuting(self.group, self.variant):
            first = self.group.product(self.group.inverse(e), element)
            if first in elements:
                found = self.basis[scale, elements.index(first)]
                return grid.permute_pixels(found, self.group.matrices[e], first_axis=1)


def permuting(group, variant, moved_by=None):
    """The elements that move a learned basis by permuting its pixels, all others by what was learned.

    Args:
        group: FiniteGroup of the layer.
        variant: of the basis.
        moved_by: FiniteGroup of the basis, by default the same.
    """
    if variant == "partial":
        return group.grid_elements
    mirrors = [e for e in group.grid_elements if np.allclose(group.matrices[e], MIRROR)]
    return (0,) if (moved_by or group).mirrors else (0, *mirrors)


def representatives(group, variant):
    """The elements whose functions a file holds: the first of each coset of those that permute the pixels."""
    exact = permuting(group, variant)
    return tuple(sorted({min(group.product(e, t) for e in exact) for t in range(group.order)}))


def is_learned(basis):
    """Whether this value of `basis` names a learned one."""
    return basis in NAMES or str(basis).endswith(SUFFIX)


def packaged():
    """The learned bases that come with the package: dicts of `group`, `kernel_size`, `variant` and `path`."""
    found = []
    for path in sorted(FOLDER.glob(f"*{SUFFIX}")):
        group, size, variant = re.fullmatch(r"(C\d+)_(\d+)x\2_(\w+)", path.stem).groups()
        found.append({"group": group, "kernel_size": int(size), "variant": variant, "path": path})
    return sorted(found, key=lambda entry: (int(entry["group"][1:]), entry["kernel_size"]))


def find(basis, group, kernel_size):
    """The file of a learned basis.

    Args:
        basis: `"learned"`, `"learned_full"` or a path.
        group, kernel_size: what it must serve, a FiniteGroup and a tuple.

    Raises:
        ValueError: the package has no such basis. FileNotFoundError: no such file.
    """
    if basis not in NAMES:
        path = pathlib.Path(basis).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"A learned basis must be a file that exists. Received: basis={str(basis)!r}; make it with "
                'learn_basis, or use basis="learned"'
            )
        return path
    known = [entry for entry in packaged() if entry["variant"] == NAMES[basis]]
    for entry in known:
        if kernel_size == (entry["kernel_size"],) * 2 and _serves(get(entry["group"]), group):
            return entry["path"]
    have = " and ".join(dict.fromkeys(entry["group"] for entry in known))
    sizes = ", ".join(dict.fromkeys(str(entry["kernel_size"]) for entry in known))
    odd = kernel_size[0] == kernel_size[1] and kernel_size[0] % 2
    limit = "" if odd else "; kernels have an odd size, the same for rows and columns"
    raise ValueError(
        f"The package has learned bases for {have} (with their subgroups and mirrors) and kernels of {sizes} pixels. "
        f'Received: group "{group.name}", kernel_size={kernel_size}, basis="{basis}"; learn one with '
        f"`keras-equivariant learn-basis` and give its path{limit}"
    )


def full_basis_problem(basis, group, kernel_size):
    """Why a layer with a full basis is not exact, and which partial one would be."""
    try:
        find("learned", group, kernel_size)
        remedy = 'use a partial one such as basis="learned"'
    except ValueError:
        rotations = math.lcm(4, group.order // 2 if group.mirrors else group.order)
        remedy = f'learn a partial one, ke.learn_basis("C{rotations}", {max(kernel_size)}, path=…), which serves it too'
    return (
        f'basis="{basis}" is a full learned basis, which every element of "{group.name}" moves only approximately; '
        f"{remedy}"
    )


def load(path):
    """The LearnedBasis in a file.

    Raises:
        ValueError: the file is damaged, incomplete, or something else.
    """
    arrays = _read(path)
    missing = [key for key in ("functions", "group", "variant", "scales", "provenance") if key not in arrays]
    if missing:
        raise _bad(path, f"it has no {', '.join(missing)}")
    try:
        group, scales = get(str(arrays["group"])), tuple(float(s) for s in np.atleast_1d(arrays["scales"]))
        provenance = json.loads(str(arrays["provenance"]))
    except (TypeError, ValueError) as error:
        raise _bad(path, str(error)) from error
    variant, functions = str(arrays["variant"]), arrays["functions"]
    if variant not in VARIANTS or not (group.is_finite and group.orthogonal and group.dimension == 2):
        raise _bad(path, f"variant {variant!r} of {group}")
    wanted = (len(scales), len(representatives(group, variant)))
    if functions.ndim != 5 or functions.dtype.kind != "f" or functions.shape[:2] != wanted:
        raise _bad(path, f"functions of shape {functions.shape} and type {functions.dtype}, {wanted} first expected")
    if not functions.size or not np.isfinite(functions).all() or not functions.any():
        raise _bad(path, "its functions are not finite numbers, or all 0")
    return LearnedBasis(group, variant, functions.astype("float32"), scales, provenance)


def check_serves(basis, path, group, kernel_size):
    """ValueError unless the basis in this file has the kernel's size and moves by the group."""
    if basis.kernel_size != tuple(kernel_size):
        raise ValueError(
            f"A learned basis must have the size of the kernel, {tuple(kernel_size)}. Received: basis={str(path)!r} "
            f"for kernels of {basis.kernel_size}; use kernel_size={basis.kernel_size}, or learn a basis of that size"
        )
    if not _serves(basis.group, group):
        raise ValueError(
            f"A learned basis must be of the layer's group, {group.name}, or of one that contains its rotations. "
            f"Received: basis={str(path)!r} for {basis.group.name}; learn one for {group.name}"
        )


def _serves(have, wanted):
    """Whether a basis of one group gives one of another: each element is known, or the mirror image of a known one."""

    def known(matrix):
        try:
            return have.index(matrix) >= 0
        except ValueError:
            return False

    return wanted.dimension == 2 and all(known(m) or (not have.mirrors and known(MIRROR @ m)) for m in wanted.matrices)


def _read(path):
    try:
        return read_arrays(path, largest=MAX_BYTES)
    except ValueError as error:
        raise _bad(path, error.__cause__ or error) from error


def _bad(path, why):
    return ValueError(
        f"A learned basis must be a complete .npz file as `learn_basis` writes it. Received: {path} ({why}). The file "
        "is damaged, incomplete or of another kind: make it again"
    )


def natural_covariances(group, kernel_size):
    """Second moments of natural images at the pixels of a kernel, before and after they rotate.

    Images are modeled by their spectrum, 1 / frequency^2 between one wave in 32 pixels and one in two, seen through
    pixels of Gaussian aperture (1905.04663 rotates images by the same Gaussian).

    Returns:
        `(covariance, cross)`: E f f^T as `(pixels, pixels)`, and E f (L_g f)^T as `(order, pixels, pixels)`.
    """
    points = grid.centered_points(kernel_size)
    furthest = 2 * np.linalg.norm(points, axis=1).max() + 1
    radii = np.linspace(0, furthest, 1 + int(200 * furthest))
    frequency = np.geomspace(1 / 32, 1 / 2, 400)
    angles = (np.arange(64) + 0.5) * np.pi / 64
    # Power in rings of the plane is spectrum * frequency d(frequency), hence uniform in log(frequency).
    power = np.exp(-((2 * np.pi * APERTURE * frequency) ** 2))
    waves = [np.cos(2 * np.pi * frequency[:, None] * radii * np.cos(angle)) for angle in angles]
    correlation = power @ np.mean(waves, axis=0) / power.sum()

    def between(a, b):
        return np.interp(np.linalg.norm(a[:, None] - b[None], axis=2), radii, correlation)

    # (L_g f)(q) = f(g^-1 q); row vectors times the matrix apply its inverse.
    cross = [between(points, points @ grid.index_matrix(matrix)) for matrix in group.matrices]
    return between(points, points), np.stack(cross)
