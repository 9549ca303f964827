from __future__ import annotations

import math
from typing import Any

import numpy as np

from keras_equivariant import groups
from keras_equivariant.groups import FieldType, contains, quadrature
from keras_equivariant.groups.irreps import irrep, is_irrep_label
from keras_equivariant.groups.spherical import frames
from keras_equivariant.kernels.samples import symmetrized
from keras_equivariant.layers.core.base import register
from keras_equivariant.layers.core.options import Activation, FieldsLike, GroupLike, SubgroupLike, passed_on
from keras_equivariant.layers.core.sampled import Sampled
from keras_equivariant.layers.core.typed import scalar_blocks

# What keeps the functions on a space that the group moves: on the circle the left-right mirror at its top; on the
# sphere the rotations about y, of which one by no part of the circle stands for all, and the mirrors with them.
MIRROR = groups.get("D1").matrices[1]
ABOUT_Y = groups.rotation_matrix(180 / np.pi, axis=(0, 1, 0)), np.diag([-1.0, 1.0, 1.0])


@register
class FourierActivation(Sampled):
    """A pointwise activation of functions on the group that are given by their Fourier coefficients.

    y = S^T W activation(S x),   (S x)(g) = sum over irreps psi of sqrt(dim) <psi(g) v, x_psi>

    The functions are sampled on a finite grid of group elements, with weights W; what comes out is the nearest function
    of the same frequencies. A type of n functions has the trivial irrep n times and every further irrep as often as
    the functions need it: on SO2 and C_n n times each, `"8x0 + 8x1 + 8x2"`; on O2 and D_n either functions on the
    group, irreps of two dimensions twice, `"8x0+ + 8x0- + 16x1 + 16x2"`, or functions on the circle,
    `"8x0+ + 8x1 + 8x2"`, whose values are kept by the left-right mirror at the top; on SO3 either functions on the
    group, degree l 2 l + 1 times, `"8x0 + 24x1 + 40x2"`, or on the sphere, `"8x0 + 8x1 + 8x2"`; on O3 the group's
    with both parities, or the sphere's, `"8x0e + 8x1o + 8x2e"`. On groups about an axis they are on the group, or on a
    circle around it as in the plane: `"8x0+ + 8x1"` on Cinfv and Dinfz, `"8x0e + 8x1o"` on Cinfh.

    Args:
        in_type: field type of n functions, every irrep in one block.
        group: group name; may be left out where `in_type` is a FieldType.
        activation: name or function.
        grid: name of the finite subgroup to sample on, such as `"C16"`, `"D8"` or, in space, `"I"`; by default the
            group itself where it is finite; in the plane and about an axis so many rotations, a multiple of 4, that all
            frequencies are sampled twice as densely as they need; in space points that the cube's rotations permute and
            whose means are exact for products of two of the functions: 6, 14, 26 or 50 on the sphere, 24, 120 or 480 on
            SO3.
        strict: raise where the exact symmetry is lost; with False warn once.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        The same.

    Equivariance: exact for the elements that permute the grid, by default for those that map the pixels onto
    themselves; for all others approximate, the better the finer the grid.

    Raises:
        ValueError: multiplicities that are no functions, a grid that is too coarse or no subgroup, or, on images and
            volumes, one whose samples are not permuted by what maps the pixels onto themselves.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.FourierActivation("8x0 + 8x1 + 8x2", group="SO2", grid="C16")
        >>> layer(np.zeros((1, 9, 9, 40), "float32")).shape
        TensorShape([1, 9, 9, 40])

    Reference: de Haan et al., arXiv 2003.05425; Cesa, Lang & Weiler, A Program to Build E(N)-Equivariant Steerable
    CNNs, ICLR 2022.
    """

    def __init__(
        self,
        in_type: FieldsLike,
        group: GroupLike | None = None,
        activation: Activation = "relu",
        grid: SubgroupLike | None = None,
        strict: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**passed_on(locals()))
        self.grid = None if grid is None else groups.get(grid).name
        self.functions, stabilizer = _functions(self.in_type)
        self._sampling, weights = _sampling(self.in_type, self.grid, stabilizer)
        self._back = self._sampling * weights[:, None]
        if self.grid is not None:
            *_, self._problem = symmetrized(self._sampling, self._back, self.in_type, self.in_type, self.functions)


def _functions(field_type):
    """How many functions the type holds, and the matrices that keep them, none on the whole group."""
    names = [name for _, name in field_type.terms]
    number = sum(b.multiplicity for b, s in zip(field_type.blocks, scalar_blocks(field_type), strict=True) if s)
    for stabilizer in ((), *_stabilizers(field_type.group)):
        copies = [len(_vectors(block.representation, stabilizer)) for block in field_type.blocks]
        counts = [block.multiplicity for block in field_type.blocks]
        if number and counts == [number * n for n in copies] and len(set(names)) == len(names):
            return number, stabilizer
    number = number or field_type.blocks[0].multiplicity
    ((_, name),) = FieldType.scalars(1, field_type.group).terms
    labels = [name, *(n for n in dict.fromkeys(names) if n != name and is_irrep_label(field_type.group, n))]
    wanted = [(number * len(_vectors(irrep(field_type.group, label), ())), label) for label in labels]
    raise ValueError(
        "FourierActivation takes functions on the group: irreps, each in one block, the trivial one n times and the "
        "others as often as n functions need them. "
        f'Received: in_type="{field_type}" on {field_type.group.name}; use '
        f'"{FieldType(field_type.group, tuple(wanted))}", or NormActivation'
    )


def _stabilizers(group):
    """What may keep a function besides nothing: the mirror of the circle, what fixes a point of the sphere."""
    if group.dimension == 2:
        return [(MIRROR,)] if contains(group, "D1") else []
    if group.is_finite:
        return []
    if group.spherical:
        return [ABOUT_Y[: 1 + group.mirrors]]
    top = [m for m in group.matrices[1:] if np.allclose(m[:, 1], [0, 1, 0])]
    return [tuple(top)] if top else []


def _vectors(representation, stabilizer):
    """Vectors v `(n, dim)` whose functions <psi(g) v, x> are all those of an irrep psi, each of them once."""
    group, dim = representation.group, representation.dim
    if not is_irrep_label(group, representation.name):
        return np.zeros((0, dim))
    if not stabilizer:
        return np.eye(dim)[:: representation.endomorphism_dimension]
    moved = np.eye(dim) - representation.rho(np.stack(stabilizer))
    values, vectors = np.linalg.eigh(np.sum(moved.swapaxes(1, 2) @ moved, axis=0))
    return np.abs(vectors.T[values < 1e-9])


def _spaced_grid(field_type):
    return field_type.group.discrete(4 * math.ceil((2 * field_type.frequency + 1) / 2))


def _default(field_type):
    """How to get the default grid, in words."""
    group = field_type.group
    spaced = not (group.is_finite or group.spherical)
    return f'use "{_spaced_grid(field_type).name}", the default' if spaced else "leave it out"


def _grid(field_type, stabilizer):
    """The default elements and weights."""
    group, degree = field_type.group, 2 * field_type.frequency
    if not group.spherical:
        return _of_group(_spaced_grid(field_type), stabilizer)
    if stabilizer:
        points, weights = quadrature.cubic_sphere(degree)
        return frames(points), weights
    matrices, weights = quadrature.cubic_rotations(degree)
    if group.mirrors:
        matrices, weights = np.concatenate([matrices, -matrices]), np.concatenate([weights, weights]) / 2
    return matrices, weights


def _of_group(grid, stabilizer):
    """All elements of a finite group, or one for each coset of the stabilizer, with equal weights."""
    elements = grid.matrices
    kept = [grid.index(m) for m in stabilizer if any(np.allclose(m, e) for e in elements)]
    if len(kept) == len(stabilizer) > 0:
        elements = elements[grid.left_cosets(grid.generated_by(kept))[:, 0]]
    return elements, np.full(len(elements), 1.0 / len(elements))


def _named_grid(field_type, name, stabilizer):
    grid = groups.get(name)
    if not grid.is_finite or not contains(field_type.group, grid):
        raise ValueError(f'`grid` must be a finite subgroup of {field_type.group.name}. Received: grid="{name}"')
    return _of_group(grid, stabilizer)


def _sampling(field_type, name, stabilizer):
    """The matrix S `(samples, coefficients)`: values of the functions at the grid's elements, or at its cosets; and
    the weights `(samples,)`."""
    group = field_type.group
    if name is not None:
        elements, weights = _named_grid(field_type, name, stabilizer)
    elif group.is_finite:
        elements, weights = _of_group(group, stabilizer)
    else:
        elements, weights = _grid(field_type, stabilizer)
    columns = []
    for block in field_type.blocks:
        vectors = _vectors(block.representation, stabilizer)
        values = np.einsum("gab,vb->gav", block.representation.rho(elements), vectors) * np.sqrt(block.dim)
        columns.append(values.reshape(len(elements), -1))
    matrix = np.concatenate(columns, axis=1)
    if not np.allclose((matrix.T * weights) @ matrix, np.eye(matrix.shape[1]), atol=1e-9):
        raise ValueError(
            "`grid` must hold more than twice as many rotations as the highest frequency, and mirrors where the "
            "functions are on a group with mirrors; in space its means must be exact up to twice the highest degree. "
            f'Received: grid="{name}" for in_type="{field_type}"; {_default(field_type)}'
        )
    return matrix, weights
