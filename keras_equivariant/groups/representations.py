"""Real representations of a finite group: trivial, irreducible, regular, quotient."""

import functools

import numpy as np

from keras_equivariant.groups.registry import get


class Representation:
    """A real orthogonal representation: one matrix per element, rho(a b) = rho(a) rho(b).

    Attributes:
        group: the FiniteGroup.
        name: its name within the group.
        matrices: `(order, dim, dim)` float64.
        dim: number of components.
        character: `(order,)` traces.
    """

    def __init__(self, group, name, matrices):
        self.group, self.name = group, str(name)
        self.matrices = np.asarray(matrices, dtype=np.float64)
        self.matrices.setflags(write=False)
        self.dim = self.matrices.shape[1]
        self.character = np.trace(self.matrices, axis1=1, axis2=2)

    @property
    def endomorphism_dimension(self):
        """Dimension of the maps that commute with it: 1, 2 or 4 for an irreducible one of real, complex or
        quaternionic type."""
        return int(round(float(np.mean(self.character**2))))

    def __repr__(self):
        return f"<Representation {self.name} of {self.group.name}, dim {self.dim}>"


def trivial(group):
    """The representation in which nothing happens."""
    group = get(group)
    return Representation(group, "trivial", np.ones((group.order, 1, 1)))


def regular(group):
    """Functions on the group: [rho(g) f](h) = f(g^-1 h), permutation matrices."""
    return quotient(group, (0,), name="regular")


def quotient(group, subgroup, name=None):
    """Functions on the cosets of a subgroup H: [rho(g) f](aH) = f(g^-1 a H), permutation matrices."""
    group = get(group)
    cosets = group.left_cosets(subgroup)
    of_element = np.empty(group.order, dtype=int)
    for i, coset in enumerate(cosets):
        of_element[coset] = i
    images = of_element[group.cayley[:, cosets[:, 0]]]  # images[g, i] is the coset that g moves coset i to
    matrices = np.eye(len(cosets))[images].transpose(0, 2, 1)
    return Representation(group, name or f"quotient({subgroup})", matrices)


@functools.cache
def irreps(group):
    """All irreducible real representations, up to equivalence, the trivial one first.

    They are found inside the regular representation: a generic symmetric map that commutes with it has irreducible
    eigenspaces. Those of two dimensions are given in the basis in which a turn by an angle t is a turn by a multiple
    of t. Named `irrep(0)`, `irrep(1)`, ... by dimension, then by character.
    """
    group = get(group)
    left = regular(group).matrices
    # A symmetric element of the right group algebra commutes with every left translation. The weights are fixed,
    # so the result is the same in every process.
    weights = np.random.default_rng(0).normal(size=group.order)
    weights = weights + weights[group.inverses]
    commuting = weights[group.cayley[group.inverses]]
    values, vectors = np.linalg.eigh(commuting)
    found = []
    for start, stop in _runs(values):
        basis = _canonical(vectors[:, start:stop])
        matrices = basis.T @ left @ basis
        character = np.trace(matrices, axis1=1, axis2=2)
        if all(not np.allclose(character, other, atol=1e-6) for other, _ in found):
            found.append((character, matrices))
    for frequency in range(1, group.order) if group.dimension == 2 else ():
        matrices = _wound(group.matrices, frequency)
        character = np.trace(matrices, axis1=1, axis2=2)
        found = [(c, matrices if np.allclose(c, character, atol=1e-6) else m) for c, m in found]
    found.sort(key=lambda pair: (pair[1].shape[1], tuple(-np.round(pair[0], 6))))
    return tuple(Representation(group, f"irrep({i})", matrices) for i, (_, matrices) in enumerate(found))


def _wound(matrices, frequency):
    """Every rotation of the plane by t as one by `frequency` t, mirrors kept: [M R(t)] -> M R(frequency t)."""
    mirrored = np.linalg.det(matrices) < 0
    mirror = np.diag([-1.0, 1.0])
    rotations = np.where(mirrored[:, None, None], mirror @ matrices, matrices)
    turns = (rotations[:, 0, 0] + 1j * rotations[:, 1, 0]) ** frequency
    wound = np.stack([np.stack([turns.real, -turns.imag], -1), np.stack([turns.imag, turns.real], -1)], axis=1)
    halves = np.round(2 * wound) / 2 + 0.0
    wound = np.where(np.abs(wound - halves) < 1e-12, halves, wound)
    return np.where(mirrored[:, None, None], mirror @ wound, wound)


def _runs(values):
    """Start and stop of each run of equal eigenvalues."""
    edges = np.flatnonzero(np.diff(values) > 1e-8 * np.abs(values).max()) + 1
    return list(zip([0, *edges], [*edges, len(values)], strict=True))


def _canonical(vectors):
    """The same space in a basis that does not depend on the eigensolver: QR of its projector's columns."""
    projector = vectors @ vectors.T
    basis = []
    for column in projector.T:
        for vector in basis:
            column = column - vector * (vector @ column)
        norm = np.linalg.norm(column)
        if norm > 1e-6:
            basis.append(column / norm)
        if len(basis) == vectors.shape[1]:
            break
    return np.stack(basis, axis=1)
