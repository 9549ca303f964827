"""A representation as a sum of irreducible ones: rho(g) = Q (irreps) Q^T."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from keras_equivariant.groups.irreps import irrep, irreps, is_irrep_label
from keras_equivariant.groups.linalg import gram_schmidt, without_noise
from keras_equivariant.groups.representations import Representation


@dataclasses.dataclass(frozen=True, eq=False)
class Decomposition:
    """rho(g) = sum over the parts of Q_i psi_i(g) Q_i^T, component by component.

    Attributes:
        parts: tuple of `(irrep, copies)`; copies is `(multiplicity, dim of rho, dim of the irrep)`, the orthonormal
            columns that span each copy.
    """

    parts: tuple

    @property
    def multiplicities(self):
        """A dict of labels to multiplicities."""
        return {representation.name: len(copies) for representation, copies in self.parts}

    @property
    def change_of_basis(self):
        """The orthogonal matrix Q, `(dim, dim)`: part after part, copy after copy."""
        return np.concatenate([column for _, copies in self.parts for column in copies], axis=1)


def intertwiners(source: Representation, target: Representation) -> np.ndarray:
    """An orthonormal basis of the maps X with target(g) X = X source(g), `(n, dim of target, dim of source)`.

    Both are representations of one group; the basis is found by averaging X -> target(g) X source(g)^T over it.
    """
    before, after, weights = _together(source, target)
    products = np.tensordot(after * weights[:, None, None], before, axes=(0, 0)).transpose(0, 2, 1, 3)
    size = target.dim * source.dim
    rows = products.reshape(size, size).T
    count = dimension_of_maps(source, target)
    return gram_schmidt(rows, count).reshape(count, target.dim, source.dim)


def _together(*representations):
    """The matrices of representations of one group, and the weights, of a mean that is exact for their product."""
    frequency = _frequency(representations)
    found = [r.sampled(frequency) for r in representations]
    return *(matrices for matrices, _ in found), found[0][1]


def _frequency(representations):
    """That of the product of representations of one group, None of a finite one."""
    group = representations[0].group
    if any(r.group != group for r in representations):
        names = " and ".join(dict.fromkeys(r.group.name for r in representations))
        raise ValueError(f"Representations must belong to one group. Received: those of {names}")
    return None if group.is_finite else sum(r.frequency for r in representations)


def dimension_of_maps(part, whole):
    """The dimension of the maps between two representations of a group that commute with it."""
    classes = part.group.classes(_frequency((part, whole)))
    first, second = (np.trace(r.rho(classes.matrices), axis1=1, axis2=2) for r in (part, whole))
    return int(round(float(classes.haar_weights @ (first * second))))


def decompose(representation: Representation) -> Decomposition:
    """The irreducible parts of a representation; real ones, also where they are of complex type.

    Returns:
        A Decomposition. Of every copy the columns are chosen one after the other, so that they are the same in every
        process.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.decompose(groups.regular("D4")).multiplicities
        {'0+': 1, '0-': 1, '1': 2, '2+': 1, '2-': 1}
    """
    return _decompose(representation, representation.group)


@functools.lru_cache(maxsize=512)
def _decompose(representation, group):
    name = representation.name
    if is_irrep_label(group, name) and irrep(group, name) is representation:
        return Decomposition(((representation, np.eye(representation.dim)[None]),))
    parts = []
    for candidate in irreps(group, representation.frequency):
        copies = copies_of(candidate, representation)
        if len(copies):
            parts.append((candidate, copies))
    return Decomposition(tuple(parts))


def copies_of(part, whole):
    """Orthonormal columns of each copy of an irrep in a representation."""
    if not dimension_of_maps(part, whole):
        return np.zeros((0, whole.dim, part.dim))
    found = []
    for candidate in intertwiners(part, whole):
        for copy in found:  # what is left of it outside the copies found already is a map into a further copy, or 0
            candidate = candidate - copy @ (copy.T @ candidate)
        length = np.sqrt(np.sum(candidate**2) / part.dim)
        if length > 1e-6:
            found.append(candidate / length)
    return without_noise(np.stack(found))
