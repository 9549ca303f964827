"""Real representations of a group: what they share, and the trivial, regular and quotient ones."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from keras_equivariant.groups.group import Group
from keras_equivariant.groups.registry import get, orthogonal_group
from keras_equivariant.utils.deprecation import renamed

MAX_ENTRIES = 30_000_000  # of all matrices of a representation together


class Representation:
    """A real orthogonal representation: one matrix per element, rho(a b) = rho(a) rho(b).

    Args:
        group: the FiniteGroup or ContinuousGroup.
        name: its name within the group, as written in a field type.
        matrices: for a finite group `(order, dim, dim)`; for a continuous one a function from orthogonal matrices
            `(n, d, d)` to `(n, dim, dim)`.
        frequency: for a continuous group, the highest angular frequency in it; in space the highest degree.

    Attributes:
        dim: number of components.
        permutation: whether it permutes its components, so that pointwise functions commute with it.
    """

    def __init__(self, group, name, matrices, frequency=None):
        self.group, self.name, self.frequency = group, str(name), frequency
        self._function = matrices if callable(matrices) else None
        self._matrices = None if callable(matrices) else np.array(matrices, dtype=np.float64)
        if self._matrices is not None:
            self._matrices.setflags(write=False)
        self.dim = self.rho(group.matrices[:1]).shape[-1]

    @property
    def matrices(self):
        """`(order, dim, dim)` float64; of a finite group only."""
        if self._matrices is None:
            raise ValueError(
                f"A list of matrices needs a finite group. Received: {self!r}; use `restricted` to one, or `rho`"
            )
        return self._matrices

    @functools.cached_property
    def character(self):
        """`(order,)` traces; of a finite group only."""
        return np.trace(self.matrices, axis1=1, axis2=2)

    def rho(self, elements):
        """rho of the elements with these orthogonal matrices: `(n, d, d)` to `(n, dim, dim)`."""
        elements = np.asarray(elements, dtype=np.float64)
        if self._function is not None:
            return self._function(elements)
        if elements.shape == self.group.matrices.shape and np.array_equal(elements, self.group.matrices):
            return self._matrices
        return self._matrices[[self.group.index(element) for element in elements]]

    at = renamed("rho")

    def restricted(self, subgroup):
        """The same matrices, of the elements of a subgroup only."""
        subgroup = get(subgroup)
        if not subgroup.is_finite:
            return Representation(subgroup, self.name, self.rho, self.frequency)
        return Representation(subgroup, self.name, self.rho(subgroup.matrices))

    def sampled(self, frequency=None):
        """The matrices and weights of a mean over the group, exact for squares of the representation or, for a
        continuous group, up to a sum of frequencies: `(n, dim, dim)` and `(n,)`."""
        if self.group.is_finite:
            return self._matrices, self.group.haar_weights
        sample = self.group.sample(2 * self.frequency if frequency is None else frequency)
        return self.rho(sample.matrices), sample.haar_weights

    @functools.cached_property
    def permutation(self):
        matrices, _ = self.sampled()
        return bool(np.isin(np.round(matrices, 9), (0.0, 1.0)).all())

    @functools.cached_property
    def endomorphism_dimension(self):
        """Dimension of the maps that commute with it: 1, 2 or 4 for an irreducible one of real, complex or
        quaternionic type."""
        classes = self.group.classes(None if self.group.is_finite else 2 * self.frequency)
        return int(round(float(classes.haar_weights @ np.trace(self.rho(classes.matrices), axis1=1, axis2=2) ** 2)))

    @property
    def type(self):
        """`"real"`, `"complex"` or `"quaternionic"` for an irreducible one, by its endomorphisms."""
        return {1: "real", 2: "complex", 4: "quaternionic"}.get(self.endomorphism_dimension)

    def __repr__(self):
        return f"<Representation {self.name} of {self.group.name}, dim {self.dim}>"


def trivial(group: str | Group) -> Representation:
    """The representation in which nothing happens."""
    group = orthogonal_group(group)
    if not group.is_finite:
        return Representation(group, "trivial", lambda elements: np.ones((len(elements), 1, 1)), 0)
    return Representation(group, "trivial", np.ones((group.order, 1, 1)))


def regular(group: str | Group) -> Representation:
    """Functions on the group: [rho(g) f](h) = f(g^-1 h), permutation matrices."""
    return quotient(group, (0,), name="regular")


def quotient(group: str | Group, subgroup: Any, name: str | None = None) -> Representation:
    """Functions on the cosets of a subgroup H: [rho(g) f](aH) = f(g^-1 a H), permutation matrices."""
    group = orthogonal_group(group)
    if not group.is_finite:
        return _components(group, subgroup, name)
    cosets = group.left_cosets(subgroup)
    check_size(group, len(cosets), name or f"quotient({subgroup})")
    of_element = np.empty(group.order, dtype=int)
    for i, coset in enumerate(cosets):
        of_element[coset] = i
    images = of_element[group.cayley[:, cosets[:, 0]]]  # images[g, i] is the coset that g moves coset i to
    matrices = np.eye(len(cosets))[images].transpose(0, 2, 1)
    return Representation(group, name or f"quotient({subgroup})", matrices)


def _components(group, subgroup, name):
    """Functions on the cosets of a subgroup of a continuous group that holds one component of it at least."""
    inner = orthogonal_group(subgroup) if isinstance(subgroup, (str, Group)) else None
    if inner is None or inner.is_finite or not group.contains(inner) or group.spherical != inner.spherical:
        raise ValueError(
            "Functions on a group or its cosets need a finite group, or finitely many cosets. Received: "
            f"{subgroup!r} in {group.name}; use a field type up to a frequency, as in quotient(H,2), its irreps, "
            f"or a finite subgroup such as {group.finite.name}"
        )
    cosets = quotient(group.components, set(group.component_of(inner.components.matrices).tolist()))

    def permuted(elements):
        return cosets.matrices[group.component_of(elements)]

    return Representation(group, name or f"quotient({inner.name})", permuted, 0)


def check_size(group, dim, name):
    """ValueError if the matrices of a representation of this dimension would be too large to keep."""
    if group.order * dim**2 > MAX_ENTRIES:
        raise ValueError(
            f"All matrices of a representation must have at most {MAX_ENTRIES} entries together. Received: {name} of "
            f"{group.name}, of dimension {dim}; use its irreps, or a smaller group"
        )
