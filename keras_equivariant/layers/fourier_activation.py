import math

import keras
import numpy as np

from keras_equivariant import groups
from keras_equivariant.groups import ContinuousGroup, FieldType, contains
from keras_equivariant.groups.irreps import irrep, is_irrep_label
from keras_equivariant.layers.base import register
from keras_equivariant.layers.fibrewise import Fibrewise
from keras_equivariant.layers.typed import scalar_blocks
from keras_equivariant.ops import activations

MIRROR = groups.get("D1").matrices[1]  # left and right


@register
class FourierActivation(Fibrewise):
    """A pointwise activation of functions on the group that are given by their Fourier coefficients.

    y = S^T activation(S x) / samples,   (S x)(g) = sum over irreps psi of sqrt(dim) <psi(g) v, x_psi>

    The functions are sampled on a finite grid of group elements; what comes out is the nearest function of the same
    frequencies. A type of n functions has the trivial irrep n times and
    every further irrep as often as the functions need it: on SO2 and C_n n times each, `"8x0 + 8x1 + 8x2"`; on O2 and
    D_n either functions on the group, irreps of two dimensions twice, `"8x0+ + 8x0- + 16x1 + 16x2"`, or functions on
    the circle, `"8x0+ + 8x1 + 8x2"`, whose values are kept by the left-right mirror at the top.

    Args:
        in_type: field type of n functions, every irrep in one block.
        group: group name; may be left out where `in_type` is a FieldType.
        activation: name or function.
        grid: name of the finite subgroup to sample on, such as `"C16"` or `"D8"`; by default the group itself where
            it is finite, else so many rotations, a multiple of 4, that all frequencies are sampled twice as densely
            as they need.
        **kwargs: those of `keras.layers.Layer`.

    Input shape:
        `(..., D)`

    Output shape:
        The same.

    Equivariance: exact for the elements of the grid, hence for quarter turns by default; for all others approximate,
    the better the finer the grid.

    Raises:
        ValueError: multiplicities that are no functions, a grid that is too coarse or no subgroup.

    Example:
        >>> import numpy as np, keras_equivariant as ke
        >>> layer = ke.layers.FourierActivation("8x0 + 8x1 + 8x2", group="SO2", grid="C16")
        >>> layer(np.zeros((1, 9, 9, 40), "float32")).shape
        TensorShape([1, 9, 9, 40])

    Reference: de Haan et al., arXiv 2003.05425; Cesa, Lang & Weiler, A Program to Build E(N)-Equivariant Steerable
    CNNs, ICLR 2022.
    """

    def __init__(self, in_type, group=None, activation="relu", grid=None, **kwargs):
        super().__init__(in_type, group, **kwargs)
        self.activation = keras.activations.get(activation)
        self.grid = None if grid is None else groups.get(grid).name
        self.functions, stabilizer = _functions(self.in_type)
        self._sampling = _sampling(self.in_type, _grid(self.in_type, self.grid), stabilizer)

    def compute(self, x, training=False):
        return activations.activate_samples(x, self._sampling, self.activation)

    def fold(self, input_shape):
        """Two linear maps with the activation between them, stock convolutions of one pixel."""
        there = np.kron(self._sampling.T, np.eye(self.functions))
        back = there.T / len(self._sampling)
        activation = keras.activations.serialize(self.activation)
        options = [{"activation": activation, "name": f"{self.name}_samples"}, {"name": self.name}]
        if len(input_shape) != 4:
            maps = zip((there, back), options, strict=True)
            return [(keras.layers.Dense(m.shape[1], use_bias=False, **words), [m]) for m, words in maps]
        maps = zip((there[None, None], back[None, None]), options, strict=True)
        return [(keras.layers.Conv2D(m.shape[-1], 1, use_bias=False, **words), [m]) for m, words in maps]

    def get_config(self):
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "grid": self.grid,
        }


def _functions(field_type):
    """How many functions the type holds, and the matrix of the mirror that keeps them, None on the whole group."""
    names = [name for _, name in field_type.terms]
    number = sum(b.multiplicity for b, s in zip(field_type.blocks, scalar_blocks(field_type), strict=True) if s)
    for mirror in (None, MIRROR):
        copies = [len(_vectors(block.representation, mirror)) for block in field_type.blocks]
        counts = [block.multiplicity for block in field_type.blocks]
        if number and counts == [number * n for n in copies] and len(set(names)) == len(names):
            return number, mirror
    number = number or field_type.blocks[0].multiplicity
    ((_, name),) = FieldType.scalars(1, field_type.group).terms
    labels = [name, *(n for n in dict.fromkeys(names) if n != name and is_irrep_label(field_type.group, n))]
    wanted = [(number * len(_vectors(irrep(field_type.group, label), None)), label) for label in labels]
    raise ValueError(
        "FourierActivation takes functions on the group: irreps, each in one block, the trivial one n times and the "
        "others as often as n functions need them. "
        f'Received: in_type="{field_type}" on {field_type.group.name}; use '
        f'"{FieldType(field_type.group, tuple(wanted))}", or NormActivation'
    )


def _vectors(representation, mirror):
    """Vectors v `(n, dim)` whose functions <psi(g) v, x> are all those of an irrep psi, each of them once."""
    group, dim = representation.group, representation.dim
    if not is_irrep_label(group, representation.name):
        return np.zeros((0, dim))
    if mirror is None:
        return np.eye(dim)[:: representation.endomorphism_dimension]
    if not contains(group, "D1"):
        return np.zeros((0, dim))
    values, vectors = np.linalg.eigh(representation.at(mirror[None])[0])
    return np.abs(vectors.T[values > 0.5])


def _grid(field_type, name):
    group = field_type.group
    if name is None:
        continuous = isinstance(group, ContinuousGroup)
        return group.discrete(4 * math.ceil((2 * field_type.frequency + 1) / 2)) if continuous else group
    grid = groups.get(name)
    if isinstance(grid, ContinuousGroup) or not contains(group, grid):
        raise ValueError(f'`grid` must be a finite subgroup of {group.name}. Received: grid="{name}"')
    return grid


def _sampling(field_type, grid, mirror):
    """The matrix S `(samples, coefficients)`: values of the functions at the grid's elements, or at its cosets."""
    elements = grid.matrices
    if mirror is not None and any(np.allclose(mirror, m) for m in elements):
        elements = elements[grid.left_cosets((0, grid.index(mirror)))[:, 0]]
    columns = []
    for block in field_type.blocks:
        vectors = _vectors(block.representation, mirror)
        values = np.einsum("gab,vb->gva", block.representation.at(elements), vectors) * np.sqrt(block.dim)
        columns.append(values.reshape(len(elements), -1))
    matrix = np.concatenate(columns, axis=1)
    rotations = int((np.linalg.det(grid.matrices) > 0).sum())
    aliased = isinstance(field_type.group, ContinuousGroup) and rotations <= 2 * field_type.frequency
    if aliased or not np.allclose(matrix.T @ matrix / len(matrix), np.eye(matrix.shape[1]), atol=1e-9):
        raise ValueError(
            "`grid` must hold more than twice as many rotations as the highest frequency, and mirrors where the "
            f'functions are on a group with mirrors. Received: grid="{grid.name}" for in_type="{field_type}"; use '
            f'"{_grid(field_type, None).name}", the default'
        )
    return matrix
