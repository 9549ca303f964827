"""The fast Fourier transform of a finite group: additions in front of and behind the blocks of 1x1 group convolutions.

    x^(rho)_ij = sum_s x(s) v_i^T rho(s) u_j,      y^(rho)_ij' = sum_j B^(rho)_j'j x^(rho)_ij,
    y(s) = sum over rho, i, j' of y^(rho)_ij' v_i^T rho(s) u_j'

is y(s') = sum_s w(s'^-1 s) x(s) for B^(rho) = sum_t w(t) c U^-1 rho(t) U^-T. The columns u_j are a basis in which the
numbers v_i^T rho(s) u_j are few; the rows v_i are vectors that the elements which map the pixel grid onto itself
exchange up to sign, so that coefficients are exchanged as channels of regular features are, and one matrix B does for
all rows of a representation.
"""

import dataclasses
import functools
import itertools

import numpy as np

from keras_equivariant.groups import irreps, orthogonal_group
from keras_equivariant.groups.decomposition import copies_of
from keras_equivariant.groups.linalg import snapped
from keras_equivariant.groups.representations import Representation
from keras_equivariant.kernels.additions import Plan, additions_of, equalized

_CLOSE = 1e-9
_LARGEST_ORBIT = 6  # whose differences are tried as columns


@dataclasses.dataclass(frozen=True, eq=False)
class FourierBlock:
    """The block of one irreducible representation.

    Attributes:
        start: its first coefficient; they are ordered by row i, then column j.
        rows: how often its matrix is applied.
        dim: columns, the dimension of the representation.
        weights: `(order, dim, dim)`; the matrix of field matrices is `B_j'j = sum_t w(t) weights[t, j', j]`.
        trivial: whether it is that of the trivial representation, which holds the bias.
    """

    start: int
    rows: int
    dim: int
    weights: np.ndarray
    trivial: bool


@dataclasses.dataclass(frozen=True, eq=False)
class FastFourier:
    """The transform of a finite group as additions.

    Attributes:
        order: of the group.
        forward: Plan, coefficients from values at the elements.
        inverse: Plan, values from coefficients that went through the blocks: both scales are absorbed there.
        blocks: a FourierBlock for each representation, in the order of the coefficients.
        matrix: `(coefficients, order)`, what `forward` computes; `inverse` computes its transpose.
    """

    order: int
    forward: Plan
    inverse: Plan
    blocks: tuple
    matrix: np.ndarray

    @property
    def coefficients(self):
        return len(self.matrix)

    @property
    def products(self):
        """Products of field matrices in all blocks; without the transform they are order^2."""
        return sum(block.rows * block.dim**2 for block in self.blocks)

    @property
    def stored(self):
        """Field matrices that are stored; without the transform they are order^2."""
        return sum(block.dim**2 for block in self.blocks)


# Measured on a CPU by tests/benchmarks/test_group_convolutions.py, by its steps of one layer. Where XLA makes each
# transform one loop, every result adds up its sums again, so that a loop takes longer than its additions alone:
# blocks are quicker from 32 fields of D4 and of O on. Else a transform is one product: from 96 and 32 on. On a
# GPU the dense product always wins: on one H100 six layers on D4 took 2.1 times as long in blocks at 128 fields.
_FUSED = 9.0
_UNFUSED = 300.0
_LARGEST_TRAINED = 60  # elements of a group of which it is tried: finding its transform takes seconds


def spectral_pays(group, fields, filters, fused=False, dtype="float32"):
    """Whether a 1x1 convolution of so many fields is faster in blocks than dense, on a CPU.

    Args:
        group: group name or object.
        fields, filters: of its input and output.
        fused: whether each transform is compiled to one loop.
        dtype: of the features. In half precision products have units of their own on a CPU, and additions are emulated:
            a training step of 128 fields of D4 in bfloat16 takes 1.7 times the dense one's time in blocks, of 32 ten.
    """
    if orthogonal_group(group).order > _LARGEST_TRAINED or dtype not in ("float32", "float64"):
        return False
    fourier = fast_fourier(group)
    saved = (fourier.order**2 - fourier.products) * fields * filters
    if not fused:
        return saved > _UNFUSED * fourier.order * (fields + filters)
    return saved > _FUSED * (len(fourier.forward.steps) ** 1.5 * fields + len(fourier.inverse.steps) ** 1.5 * filters)


def fast_fourier(group):
    """The FastFourier of a finite group, by name or object."""
    return _fast_fourier(orthogonal_group(group))


@functools.lru_cache(maxsize=32)
def _fast_fourier(group):
    parts = [part for representation in irreps(group) for part in _parts(representation, group)]
    products = [np.einsum("ia,sab,bj->ijs", rows, rho, columns) for rho, rows, columns in parts]
    blocks, start = [], 0
    for (rho, rows, columns), scale in zip(parts, _scales(parts, group.order), strict=True):
        inverse = np.linalg.inv(columns)
        weights = equalized(scale * inverse @ rho @ inverse.T)
        trivial = rho.shape[1] == 1 and bool((rho == 1).all())
        blocks.append(FourierBlock(start, len(rows), len(columns), weights, trivial))
        start += len(rows) * len(columns)
    matrix = equalized(np.concatenate([product.reshape(-1, group.order) for product in products]))
    return FastFourier(group.order, additions_of(matrix), additions_of(matrix.T), tuple(blocks), matrix)


def _parts(representation, group):
    """`(rho, rows, columns)` for each block of a representation: vectors v_i, one a row, and u_j, one a column."""
    rho, sizes = _adapted(representation, group)
    on_grid = rho[list(group.grid_elements)]
    ends = np.cumsum(sizes)
    orthonormal, frames = [], []
    for start, stop in zip(ends - sizes, ends, strict=True):
        inside = on_grid[:, start:stop, start:stop]
        vectors = np.eye(stop - start) if _is_monomial(inside) else _exchanged(inside)
        rows = np.zeros((len(vectors), len(rho[0])))
        rows[:, start:stop] = vectors
        (orthonormal if len(vectors) == stop - start else frames).append(rows)
    if orthonormal and not frames and len(rho[0]) == representation.endomorphism_dimension:
        orthonormal = [orthonormal[0][:1]]  # of complex (quaternionic) type: one row says it all
    joined = [np.concatenate(orthonormal)] if orthonormal else []
    return [(rho, rows, _columns(rows, rho)) for rows in (*joined, *frames)]


def _adapted(representation, group):
    """rho in a basis in which its restriction to the elements on the grid falls into parts, and their sizes."""
    rho = representation.matrices
    if group.on_grid.order in (1, group.order) or _is_monomial(rho[list(group.grid_elements)]):
        return rho, np.array([len(rho[0])])
    restricted = Representation(group.on_grid, representation.name, rho[list(group.grid_elements)])
    maps = [copy for part in irreps(group.on_grid) for copy in copies_of(part, restricted)]
    basis = np.concatenate(maps, axis=1)
    return snapped(basis.T @ rho @ basis), np.array([one.shape[1] for one in maps])


def _is_monomial(matrices):
    """Whether matrices permute the basis up to sign."""
    return bool(np.isclose(np.abs(matrices), np.round(np.abs(matrices)), atol=_CLOSE).all())


def _exchanged(matrices):
    """The images of the first basis vector, up to sign, one a row: a tight frame that the matrices permute up to sign.

    The basis itself where these are too many.
    """
    found = []
    for vector in matrices[:, 0, :]:
        if not any(np.allclose(vector, sign * other, atol=_CLOSE) for other in found for sign in (1, -1)):
            found.append(vector)
    size = len(matrices[0])
    few = size < len(found) <= 2 * size and np.linalg.matrix_rank(np.array(found), tol=1e-6) == size
    return np.array(found) if few else np.eye(size)


def _columns(rows, rho):
    """A basis u_j, one a column, in which the numbers v_i^T rho(s) u_j are of few sizes, the smallest of them 1."""
    size = rho.shape[1]
    chosen = np.eye(size)
    if size == 2:
        _, first = np.unique(np.round(rho[:, 0, :], 9), axis=0, return_index=True)
        orbit = rho[first, 0, :]
        pool = [*chosen, *(a - b for a, b in itertools.combinations(orbit if len(orbit) <= _LARGEST_ORBIT else [], 2))]
        pairs = [np.array(pair).T for pair in itertools.combinations(pool, 2)]
        pairs = [pair for pair in pairs if abs(np.linalg.det(pair)) > 1e-6]
        chosen = min(pairs, key=lambda pair: _sizes(rows @ rho @ pair))
    numbers = np.abs(rows @ rho @ chosen).reshape(-1, size)
    return chosen / np.array([column[column > _CLOSE].min() for column in numbers.T])


def _sizes(numbers):
    """How many sizes there are in each column, and how many numbers that are not 0."""
    numbers = np.abs(np.round(numbers, 9)).reshape(-1, numbers.shape[-1])
    return sum(len(np.unique(column[column > 0])) for column in numbers.T), np.count_nonzero(numbers)


def _scales(parts, order):
    """The c of each block: then the sum over all blocks of c v_i^T rho(s) (v_i^T rho(t))^T is 1 for s = t, else 0."""
    numbers = [rows @ rho for rho, rows, _ in parts]
    squares = [np.einsum("sij,tij->st", values, values).ravel() for values in numbers]
    identity = np.eye(order).ravel()
    scales, *_ = np.linalg.lstsq(np.stack(squares, axis=1), identity)
    if not np.allclose(np.stack(squares, axis=1) @ scales, identity, atol=1e-6):
        raise ValueError(f"The rows of a transform must span all functions. Received: a group of {order} elements")
    return scales
