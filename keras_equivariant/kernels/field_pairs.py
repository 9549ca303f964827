"""Kernels from one field to another, whatever irreps they are made of, as one constant matrix on the coefficients.

Between fields that a finite group permutes one row of the kernel says it all,

    K(x)_ba = K(g^-1 x)_e(g^-1 a),      b = g e,

so that the matrix gives that row alone, on functions of which it is known how every element moves them.
"""

import dataclasses

import numpy as np

from keras_equivariant.kernels.band_limited import moved_harmonics
from keras_equivariant.kernels.derivatives import moved_operators

LARGEST_ROW = 2**21  # entries of a matrix to one row
LARGEST_WHOLE = 2**17  # entries of a matrix to a whole kernel; beyond, irreps are expanded one by one
_INDEPENDENT = 1e-6  # of the largest singular value: the harmonics must follow from their values at the pixels


@dataclasses.dataclass(frozen=True, eq=False)
class FieldPair:
    """The kernels from a field of one block of the input to a field of one block of the output.

    Attributes:
        terms: `((i, o), (first, copies, multiplicity) in, (first, copies, multiplicity) out)` for each pair of irreps;
            the coefficients are theirs, one term after the other.
        matrix: `(numbers, coefficients)` float64. The numbers are the kernel, `(pixels, in, out)`; with `relative`
            those of one row, `(functions, in)`.
        relative: `(out, in)` integers, g^-1 a for the g that brings the row to place; None for a whole kernel.
        pixels: `(out, pixels)` integers, g^-1 x; None unless the functions of a row are the pixels.
        functions: `(out, functions, pixels)`, those of a row moved by g; None unless they are harmonics.
        sizes: components of the fields, `(in, out)`.
        multiplicities: fields of the blocks, `(in, out)`.
    """

    terms: tuple
    matrix: np.ndarray
    relative: np.ndarray | None
    pixels: np.ndarray | None
    functions: np.ndarray | None
    sizes: tuple
    multiplicities: tuple


def field_pairs(basis):
    """A FieldPair, or None where no kernel leads, for each block of the output and of the input.

    Args:
        basis: a SteerableBasis.

    Returns:
        A tuple over the blocks of the output of tuples over those of the input; None where the matrices would be large,
        so that the irreps are better expanded one by one.
    """
    moved = {"steerable": moved_harmonics, "pdo": moved_operators}.get(basis.name)
    harmonics = moved and _independent_harmonics(basis, moved)
    found = []
    for out in basis.out_blocks:
        row = []
        for given in basis.in_blocks:
            pair = _field_pair(basis, given, out, harmonics)
            if pair is _TOO_LARGE:
                return None
            row.append(pair)
        found.append(tuple(row))
    return tuple(found)


_TOO_LARGE = object()


def _field_pair(basis, given, out, harmonics):
    terms, changes = [], []
    for (i, in_copies, in_columns), (o, out_copies, out_columns) in (
        (a, b) for b in _parts(out, basis.targets) for a in _parts(given, basis.sources)
    ):
        if (i, o) in basis.pairs:
            terms.append(((i, o), in_copies, out_copies))
            changes.append((basis.pairs[i, o], in_columns, out_columns))
    if not terms:
        return None
    pixels = next(iter(basis.pairs.values())).shape[1]
    coefficients = sum(len(one) * len(a) * len(b) for one, a, b in changes)
    common = (given.dim, out.dim), (given.multiplicity, out.multiplicity)
    moves = _moves(basis, given, out, harmonics)
    if moves is not None and coefficients * given.dim * len(moves[-1]) <= LARGEST_ROW:
        relative, places, functions, dual = moves
        row = _kernels(changes, slice(0, 1))[..., 0]
        matrix = np.einsum("kpa,jp->jak", row, dual, optimize=True).reshape(-1, coefficients)
        return FieldPair(tuple(terms), matrix, relative, places, functions, *common)
    if pixels * given.dim * out.dim * coefficients > LARGEST_WHOLE:
        return _TOO_LARGE
    whole = _kernels(changes, slice(None)).reshape(coefficients, -1).T
    return FieldPair(tuple(terms), np.ascontiguousarray(whole), None, None, None, *common)


def _parts(block, irreps):
    """`(irrep, (first copy, copies, multiplicity), columns)` of a block; columns are `(copies, components, dim)`."""
    change, start = block.change_of_basis, 0
    for index, first, copies in block.parts:
        dim = irreps[index].dim
        columns = np.eye(block.dim) if change is None else change
        columns = columns[:, start : start + copies * dim].reshape(block.dim, copies, dim).transpose(1, 0, 2)
        start += copies * dim
        yield index, (first, copies, block.multiplicity), columns


def _kernels(changes, rows):
    """The kernels of unit coefficients, `(coefficients, pixels, in, rows of out)`."""
    found = []
    for functions, inside, outside in changes:
        kernels = np.einsum("dpoi,cai->dpoca", functions, inside, optimize=True)
        kernels = np.einsum("dpoca,kbo->dckpab", kernels, outside[:, rows], optimize=True)
        found.append(kernels.reshape(-1, *kernels.shape[3:]))
    return np.concatenate(found)


def _moves(basis, given, out, harmonics):
    """`(relative, pixels, functions, dual)` between blocks that the group permutes, the output as one orbit; else None.

    dual are the linear functions of the values at the pixels that give the coefficients on the functions of a row.
    """
    if given.images is None or out.images is None or (basis.name != "exact" and harmonics is None):
        return None
    reached = out.images[:, 0] == np.arange(out.dim)[:, None]
    if not reached.any(axis=1).all():
        return None
    elements = np.argmax(reached, axis=1)
    relative = given.images[basis.group.inverses[elements]]
    if basis.name == "exact":
        places = basis.places[elements]
        return relative, places, None, np.eye(places.shape[1])
    functions, dual = harmonics
    return relative, None, functions[elements], dual


def _independent_harmonics(basis, moved):
    """All harmonics moved by every element, `(order, functions, pixels)`, and the dual ones `(functions, pixels)`.

    None where they are not independent on the pixels, or the group has no list of elements.
    """
    if not basis.group.is_finite:
        return None
    functions = moved(basis.group.matrices, basis.kernel_size, basis.sampling)
    functions = functions[:, np.abs(functions).max(axis=(0, 2)) > _INDEPENDENT]
    first = functions[0]  # the identity's
    sizes = np.linalg.svd(first, compute_uv=False)
    if len(first) > first.shape[1] or sizes.min() < _INDEPENDENT * sizes.max():
        return None
    return functions, np.linalg.pinv(first).T
