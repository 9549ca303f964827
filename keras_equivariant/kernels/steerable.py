"""Spaces of steerable kernels: all K with K(g x) = rho_out(g) K(x) rho_in(g)^-1 for every g of the group.

| basis       | spans                                                                  | groups                       |
|-------------|------------------------------------------------------------------------|------------------------------|
| `exact`     | every such kernel on the pixels: the whole space of intertwiners       | of the square and the cube   |
| `steerable` | rings times harmonics (in space spherical ones) times the maps between the two types | any    |
| `pdo`       | harmonic differential operators after powers of the Laplacian, times the same maps     | any    |

A kernel between two field types is made of kernels between their irreps, with the changes of basis at both ends.
"""

import dataclasses
import functools
import itertools

import numpy as np

from keras_equivariant.groups import decompose, grid, irrep, orthogonal_group
from keras_equivariant.groups.decomposition import intertwiners
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.linalg import gram_schmidt
from keras_equivariant.kernels.band_limited import ring_harmonics
from keras_equivariant.kernels.derivatives import Derivatives, operator_harmonics
from keras_equivariant.kernels.field_pairs import field_pairs
from keras_equivariant.kernels.harmonic_maps import harmonic_maps
from keras_equivariant.kernels.rings import Rings
from keras_equivariant.kernels.rotated import pixel_permutation

STEERABLE_BASES = ("auto", "exact", "steerable", "pdo")
# A sampled kernel of which less than this is new beside the ones before it is no function of its own on the pixels.
INDEPENDENT = 1e-2
DEPENDENT = 1e-6  # the same of operators, which are all independent: what rounding leaves


@dataclasses.dataclass(frozen=True, eq=False)
class IrrepCopies:
    """An irrep and all its copies in a field type.

    Attributes:
        label: the irrep's label.
        dim: its dimension.
        copies: number of copies.
    """

    label: str
    dim: int
    copies: int


@dataclasses.dataclass(frozen=True, eq=False)
class BlockParts:
    """How a block of fields is put together from the copies of irreps.

    Attributes:
        multiplicity: fields of the block.
        parts: tuple of `(irrep index, first copy, copies per field)`.
        dim: components of a field.
        change_of_basis: `(dim, dim)`, from the parts' components, copy after copy, to the block's; None for the
            identity.
        images: `(order, dim)` integers, the component that each element brings each one to; None unless a finite
            group permutes them.
    """

    multiplicity: int
    parts: tuple
    dim: int
    change_of_basis: np.ndarray | None
    images: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False)
class SteerableBasis:
    """A basis of the kernels from one field type to another.

    Attributes:
        name: `"exact"`, `"steerable"`, `"pdo"`, or `"harmonics"` of points, whose "pixels" are the harmonics
            themselves.
        sources, targets: tuples of IrrepCopies, of the input and the output type.
        pairs: dict from (source index, target index) to `(D, pixels, out dim, in dim)` float64, orthonormal; pairs
            without kernels are missing.
        in_blocks, out_blocks: tuples of BlockParts.
        group: the group.
        kernel_size: sizes of the kernel.
        sampling: Rings of a band-limited basis, Derivatives of one of differential operators; of no use in others.
    """

    name: str
    sources: tuple
    targets: tuple
    pairs: dict
    in_blocks: tuple
    out_blocks: tuple
    group: Group
    kernel_size: tuple
    sampling: Rings | Derivatives | None

    @functools.cached_property
    def field_pairs(self):
        """What `kernels.field_pairs` gives: the kernels between fields as constant matrices."""
        return field_pairs(self)

    @property
    def places(self):
        """`(order, pixels)` integers of an exact basis: which pixel each pixel of the moved kernel takes."""
        if np.prod(self.kernel_size) == 1:
            return np.zeros((self.group.order, 1), dtype=int)
        return _permutations(self.group, self.kernel_size)

    @property
    def shapes(self):
        """Shape `(D, copies in, copies out)` of the coefficients of each pair, in order."""
        return {
            (i, o): (len(functions), self.sources[i].copies, self.targets[o].copies)
            for (i, o), functions in self.pairs.items()
        }

    @property
    def size(self):
        """Number of coefficients: the dimension of the space of kernels."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())


def steerable_basis(in_type, out_type, kernel_size, basis="auto", rings=None, derivatives=None, unreached="error"):
    """The basis of kernels between two field types of one group.

    Args:
        in_type, out_type: FieldTypes.
        kernel_size: (rows, columns).
        basis: one of `STEERABLE_BASES`; `"auto"` is exact where that exists, else steerable.
        rings: Rings of the band-limited basis.
        derivatives: Derivatives of the basis of differential operators.
        unreached: `"error"`, or `"zeros"` where fields of the output may be such that no kernel leads to them.

    Raises:
        ValueError: unknown basis, one that the group does not allow, types of different groups, and fields of the
            output to which no kernel leads.
    """
    check_one_group(in_type, out_type)
    name = basis_name(in_type.group, kernel_size, basis)
    sampling = {"exact": None, "steerable": rings or Rings(), "pdo": derivatives or Derivatives()}[name]
    return _steerable_basis(in_type, out_type, tuple(kernel_size), name, sampling, unreached)


def check_one_group(in_type, out_type):
    if out_type.group != in_type.group:
        raise ValueError(
            f"`in_type` and `out_type` must be of one group. Received: {in_type.group.name} and "
            f"{out_type.group.name}; use the layer Restrict between groups"
        )


def basis_name(group, kernel_size, basis):
    """`"exact"`, `"steerable"` or `"pdo"`; ValueError where the group does not allow it."""
    if basis not in STEERABLE_BASES:
        raise ValueError(f"`basis` must be one of {STEERABLE_BASES}. Received: basis={basis!r}")
    exact = group.is_finite and _permutations(group, tuple(kernel_size)) is not None
    if basis == "exact" and not exact:
        raise ValueError(
            'basis="exact" needs a group that permutes the pixels of the kernel: C1, C2, C4, D1, D2 or D4; in space a '
            f'group of the cube. Received: group "{group.name}", kernel_size={tuple(kernel_size)}; use '
            'basis="steerable"'
        )
    if basis == "auto":
        return "exact" if exact else "steerable"
    return basis


def intertwiner_basis(in_type, out_type, unreached="error"):
    """The basis of the linear maps between two field types that commute with the group: kernels of one pixel.

    By Schur's lemma a map leads only from an irrep to the same irrep. It exists for every group.

    Raises:
        ValueError: types of different groups, and fields of the output to which no map leads.
    """
    check_one_group(in_type, out_type)
    return _intertwiner_basis(in_type, out_type, unreached)


@functools.lru_cache(maxsize=128)
def _intertwiner_basis(in_type, out_type, unreached):
    one_pixel = (1,) * in_type.group.dimension
    maps = functools.partial(_irrep_maps, in_type.group)
    basis, missing = between(in_type, out_type, "exact", maps, one_pixel)
    if missing and not (unreached == "zeros" and basis.pairs):
        raise ValueError(
            f"Every output field needs a map that leads to it, hence an irrep that the input has as well. Received: "
            f'in_type="{in_type}", which has none in common with "{missing}" on {in_type.group.name}; use a '
            f"convolution with a kernel of several pixels, or leave the field out of `out_type`{_or_zeros(basis)}"
        )
    return basis


@functools.lru_cache(maxsize=1024)
def _irrep_maps(group, source, target):
    source, target = irrep(group, source), irrep(group, target)
    if source.dim != target.dim or source.name != target.name:
        return np.zeros((0, 1, target.dim, source.dim))
    return _frozen(intertwiners(source, target)[:, None])


@functools.lru_cache(maxsize=128)
def _steerable_basis(in_type, out_type, kernel_size, name, sampling, unreached):
    group = in_type.group

    def kernels(source, target):
        return irrep_kernels(group, source, target, kernel_size, name, sampling)

    basis, missing = between(in_type, out_type, name, kernels, kernel_size, sampling)
    if missing and not (unreached == "zeros" and basis.pairs):
        more = {"exact": "", "steerable": ', or frequency_cutoff="nyquist"', "pdo": ", or a higher maximum_order"}
        wider = f"use a larger kernel{more[name] if max(kernel_size) > 1 else ''}"
        raise ValueError(
            f"Every output field needs a kernel that leads to it. Received: kernel_size={kernel_size}, which has "
            f'none from "{in_type}" to "{missing}" on {group.name}; {remedy(in_type, out_type, missing, wider)}, or '
            f"leave the field out of `out_type`{_or_zeros(basis)}"
        )
    return basis


def remedy(in_type, out_type, missing, more):
    """`more` where a kernel leads to a field of the output at some size or degree, else what helps there."""
    group, (sources, _), (targets, blocks) = in_type.group, _irreps_of(in_type), _irreps_of(out_type)
    parts = (b.parts for (_, field), b in zip(out_type.terms, blocks, strict=True) if field == missing)
    aims = {targets[index].label for index, _, _ in next(parts)}
    # Functions on a generic orbit hold every irrep of a finite group; with a continuous one high degrees add nothing.
    ever = group.is_finite or any(
        len(harmonic_maps(group, source, target, degree))
        for source, target in itertools.product({source.label for source in sources}, aims)
        for degree in range(irrep(group, source).frequency + irrep(group, target).frequency + 3)
    )
    return more if ever else "larger kernels have none, either: add a field to `in_type` from which one leads"


def _or_zeros(basis):
    """A further remedy, where any kernel is left."""
    return ', or keep it as zeros by unreached="zeros"' if basis.pairs else ""


def between(in_type, out_type, name, kernels, kernel_size, sampling=None):
    """The SteerableBasis, and a field of the output to which none of the kernels leads or None."""
    sources, in_blocks = _irreps_of(in_type)
    targets, out_blocks = _irreps_of(out_type)
    pairs = {}
    for o, target in enumerate(targets):
        for i, source in enumerate(sources):
            functions = kernels(source.label, target.label)
            if len(functions):
                pairs[i, o] = functions
    reached = {o for _, o in pairs}
    missing = (
        field
        for (_, field), block in zip(out_type.terms, out_blocks, strict=True)
        if not reached & {index for index, _, _ in block.parts}
    )
    where = in_type.group, kernel_size, sampling
    return SteerableBasis(name, sources, targets, pairs, in_blocks, out_blocks, *where), next(missing, None)


def irrep_kernels(group, source, target, kernel_size, name, sampling=None):
    """The kernels from one irrep to another, `(D, pixels, dim of target, dim of source)`.

    Orthonormal, in a fixed order and with fixed signs: the same in every process.

    Args:
        group: group name or object.
        source, target: labels of irreps.
        kernel_size: (rows, columns).
        name: `"exact"`, `"steerable"` or `"pdo"`.
        sampling: Rings or Derivatives of the last two.
    """
    group, kernel_size = orthogonal_group(group), tuple(kernel_size)
    if name == "exact":
        return _exact_kernels(group, source, target, kernel_size)
    if name == "pdo":
        return _sampled_kernels(group, source, target, kernel_size, name, sampling or Derivatives())
    return _sampled_kernels(group, source, target, kernel_size, name, sampling or Rings())


@functools.lru_cache(maxsize=1024)
def _exact_kernels(group, source, target, kernel_size):
    """Each kernel lives on one orbit of pixels and is the average of a kernel on a single pixel."""
    source, target = irrep(group, source), irrep(group, target)
    permutations = _permutations(group, kernel_size)
    pixels, size = permutations.shape[1], target.dim * source.dim
    # Row (b, d) of moves[g] is what element g makes of the matrix that is 1 at (b, d) and 0 elsewhere.
    moves = np.einsum("gab,gcd->gbdac", target.matrices, source.matrices).reshape(group.order, size, size) / group.order
    seen, found = np.zeros(pixels, dtype=bool), []
    for pixel in range(pixels):
        if seen[pixel]:
            continue
        # The moved kernel takes pixel `permutations[g, p]` at p, so it brings `pixel` to where that is `pixel`.
        orbit, place = np.unique(np.argmax(permutations == pixel, axis=1), return_inverse=True)
        seen[orbit] = True
        averages = np.zeros((len(orbit), size, size))
        np.add.at(averages, place, moves)
        kernels = gram_schmidt(averages.transpose(1, 0, 2).reshape(size, -1)).reshape(-1, len(orbit), size)
        whole = np.zeros((len(kernels), pixels, size))
        whole[:, orbit] = kernels
        found.append(whole)
    return _frozen(np.concatenate(found).reshape(-1, pixels, target.dim, source.dim))


@functools.lru_cache(maxsize=4096)
def _sampled_kernels(group, source, target, kernel_size, name, sampling):
    dims = irrep(group, target).dim, irrep(group, source).dim
    pixels = int(np.prod(kernel_size))
    candidates = [np.zeros((0, pixels, *dims))]
    for m, harmonic in _harmonics(kernel_size, name, sampling):
        maps = harmonic_maps(group, source, target, m)
        if len(maps):
            candidates.append(np.einsum("noic,cp->npoi", maps, harmonic))
    rows = np.concatenate(candidates).reshape(-1, pixels * dims[0] * dims[1])
    tolerance = {"steerable": INDEPENDENT, "pdo": DEPENDENT}[name]
    return _frozen(gram_schmidt(rows, tolerance=tolerance).reshape(-1, pixels, *dims))


@functools.lru_cache(maxsize=64)
def _harmonics(kernel_size, name, sampling):
    harmonics = {"steerable": ring_harmonics, "pdo": operator_harmonics}[name]
    return tuple(harmonics(kernel_size, sampling))


@functools.lru_cache(maxsize=64)
def _permutations(group, kernel_size):
    """`(order, pixels)`: which pixel each pixel of the moved kernel takes; None unless all elements permute them."""
    if len(kernel_size) != group.dimension:
        return None
    sizes = np.array(kernel_size)
    for matrix in group.matrices:
        moved = np.abs(np.round(grid.index_matrix(matrix))) @ sizes
        if not grid.is_signed_permutation(matrix) or not np.array_equal(moved, sizes):
            return None
    return np.stack([pixel_permutation(matrix, kernel_size) for matrix in group.matrices])


@functools.lru_cache(maxsize=256)
def _irreps_of(field_type):
    """The irreps in a field type with their copies, and how its blocks are made of them."""
    copies, dims, blocks = {}, {}, []
    for block in field_type.blocks:
        parts = []
        for part, found in decompose(block.representation).parts:
            first = copies.get(part.name, 0)
            copies[part.name], dims[part.name] = first + len(found) * block.multiplicity, part.dim
            parts.append((list(copies).index(part.name), first, len(found)))
        change = decompose(block.representation).change_of_basis
        identity = np.allclose(change, np.eye(block.dim), atol=1e-12)
        images = _images(block.representation)
        blocks.append(BlockParts(block.multiplicity, tuple(parts), block.dim, None if identity else change, images))
    return tuple(IrrepCopies(label, dims[label], number) for label, number in copies.items()), tuple(blocks)


def _images(representation):
    if not (representation.group.is_finite and representation.permutation):
        return None
    return np.argmax(representation.matrices, axis=1)


def _frozen(array):
    array.setflags(write=False)
    return array
