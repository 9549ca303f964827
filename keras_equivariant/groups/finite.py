"""Finite groups of orthogonal matrices: elements, products, subgroups and cosets as index arrays."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike

from keras_equivariant.groups.group import Group, Quadrature
from keras_equivariant.groups.registry import get, namesake
from keras_equivariant.utils.deprecation import renamed

MAX_ORDER = 720
_DIGITS = 6  # matrices that agree to this many decimals are the same element


class FiniteGroup(Group):
    """A finite group given by the orthogonal matrices that move points of the plane (or of space).

    Elements are the integers `0 .. order - 1`; element 0 is the identity. The product is the matrix product:
    `g.product(a, b)` is "first b, then a".

    Args:
        name: unique name, as written in `group="D4"`.
        matrices: `(order, d, d)` orthogonal matrices, the identity first, closed under products.
        element_names: one printable name per element; `g0, g1, ...` when left out.

    Attributes:
        order: number of elements.
        dimension: d, the dimension of the points that the group moves.
        cayley: `(order, order)` integers, `cayley[a, b]` is the product of a and b.
        inverses: `(order,)` integers.

    Example:
        >>> import keras_equivariant as ke
        >>> group = ke.groups.get("D4")
        >>> group.order, group.product(1, 1), group.inverse(1)
        (8, 2, 3)
    """

    is_finite = True

    def __init__(self, name, matrices, element_names=None):
        matrices = np.array(matrices, dtype=np.float64)
        if matrices.ndim != 3 or matrices.shape[1] != matrices.shape[2] or not len(matrices):
            raise ValueError(f"`matrices` must have the shape (order, d, d). Received: shape {matrices.shape}")
        check_orthogonal(matrices)
        self.name = str(name)
        self.matrices = matrices
        self.matrices.setflags(write=False)
        self.order, self.dimension = matrices.shape[:2]
        self._index = {_key(matrix): i for i, matrix in enumerate(matrices)}
        if len(self._index) != self.order:
            raise ValueError(
                f"The elements of a group must be distinct. Received: {self.order} matrices for "
                f"group {name!r}, {len(self._index)} of them distinct"
            )
        if self._index.get(_key(np.eye(self.dimension))) != 0:
            raise ValueError(f"Element 0 of a group must be the identity. Received: {matrices[0].tolist()}")
        self.cayley = self._products()
        self.inverses = np.argmin(self.cayley, axis=1)
        self.element_names = tuple(element_names or (f"g{i}" for i in range(self.order)))
        if len(self.element_names) != self.order:
            raise ValueError(
                f"`element_names` must name all {self.order} elements. Received: {len(self.element_names)} names"
            )

    def _products(self):
        table = np.empty((self.order, self.order), dtype=np.int64)
        # A number for each matrix, so that products are found by sorted search; it is verified on the whole matrix.
        known = _rounded(self.matrices)
        probe = np.sin(1.0 + np.arange(known.shape[1]) ** 2)
        order = np.argsort(known @ probe)
        numbers = (known @ probe)[order]
        for a in range(self.order):
            products = _rounded(self.matrices[a] @ self.matrices)
            place = np.searchsorted(numbers, products @ probe - 1e-9).clip(max=self.order - 1)
            table[a] = order[place]
            for b in np.flatnonzero((known[table[a]] != products).any(axis=1)):  # a tie, or no element
                table[a, b] = self._product(a, int(b), products[b])
        table.setflags(write=False)
        return table

    def _product(self, a, b, rounded):
        index = self._index.get(tuple(rounded.tolist()))
        if index is None:
            raise ValueError(
                f"A group must be closed under products. Received: matrices for {self.name!r} in which element {a} "
                f"times element {b} is missing; build it with groups.from_generators"
            )
        return index

    def product(self, a, b):
        """The element "first b, then a"."""
        return int(self.cayley[a, b])

    def inverse(self, a):
        """The element that undoes `a`."""
        return int(self.inverses[a])

    def index(self, matrix):
        """The element with this matrix; ValueError if there is none."""
        found = self._index.get(_key(np.asarray(matrix, dtype=np.float64)))
        if found is None:
            raise ValueError(f"The matrix must belong to group {self.name}. Received: {np.asarray(matrix).tolist()}")
        return found

    @functools.cached_property
    def mirrors(self):
        """Whether it holds reflections."""
        return bool((np.linalg.det(self.matrices) < 0).any())

    @functools.cached_property
    def haar_weights(self):
        """Those of a mean over the elements: all alike."""
        return np.full(self.order, 1.0 / self.order)

    weights = renamed("haar_weights")

    @property
    def finite(self):
        """The group itself."""
        return self

    @functools.cached_property
    def on_grid(self):
        """The FiniteGroup of the elements that map the pixel grid onto itself."""
        kept = list(self.grid_elements)
        if len(kept) == self.order:
            return self
        found = FiniteGroup(f"{self.name} on the grid", self.matrices[kept], [self.element_names[e] for e in kept])
        return namesake(found) or found

    def sample(self, frequency):
        """All its elements, as a Quadrature; their means are exact for every frequency."""
        return Quadrature(self.name, self.matrices, self.haar_weights)

    @functools.cached_property
    def generators(self):
        """A short tuple of elements whose products give the whole group."""
        chosen, reached = [], {0}
        for element in range(1, self.order):
            if element not in reached:
                chosen.append(element)
                reached = set(self.generated_by(chosen))
        return tuple(chosen)

    def generated_by(self, elements):
        """The smallest subgroup that contains `elements`, as a sorted tuple."""
        reached, frontier = {0}, [0]
        while frontier:
            frontier = [p for a in frontier for b in elements if (p := int(self.cayley[a, b])) not in reached]
            reached.update(frontier)
            frontier = list(dict.fromkeys(frontier))
        return tuple(sorted(reached))

    def subgroup(self, subgroup):
        """The elements of a subgroup, as a sorted tuple.

        Args:
            subgroup: a group name such as `"C4"`, a FiniteGroup, or an iterable of elements.
        """
        if isinstance(subgroup, (str, FiniteGroup)):
            other = get(subgroup)
            possible = other.dimension == self.dimension and other.order <= self.order  # SO2 and O2 are infinite
            found = [self._index.get(_key(m)) for m in other.matrices] if possible else [None]
            if None in found:
                raise ValueError(f"`subgroup` must be contained in {self.name}. Received: {other.name}")
            return tuple(sorted(found))
        elements = tuple(sorted(int(e) for e in subgroup))
        if not elements or elements != self.generated_by(elements):
            raise ValueError(
                f"`subgroup` must be closed under products. Received: {elements}; "
                f"they generate {self.generated_by(elements)}"
            )
        return elements

    def left_cosets(self, subgroup):
        """The cosets gH as rows of an integer array `(|G|/|H|, |H|)`, ordered by their smallest element."""
        members = np.array(self.subgroup(subgroup))
        rows = {tuple(sorted(self.cayley[g, members])): None for g in range(self.order)}
        return np.array(sorted(rows))

    @functools.cached_property
    def grid_elements(self):
        """The elements that map the pixel grid onto itself exactly: signed permutations of the axes."""
        exact = np.isclose(np.abs(self.matrices), np.round(np.abs(self.matrices)), atol=1e-9).all(axis=(1, 2))
        return tuple(int(i) for i in np.flatnonzero(exact))

    def exact_elements(self, on_pixels):
        """The numbers of the elements for which a law can be exact: off the pixels of all."""
        return self.grid_elements if on_pixels else tuple(range(self.order))

    def __repr__(self):
        return f"<FiniteGroup {self.name}, order {self.order}, acting on R^{self.dimension}>"

    def __eq__(self, other):
        return self is other or (
            isinstance(other, FiniteGroup)
            and self.name == other.name
            and self.matrices.shape == other.matrices.shape
            and np.allclose(self.matrices, other.matrices, atol=10.0**-_DIGITS)
        )

    def __hash__(self):
        return hash((self.name, self.order, self.dimension))

    def _has(self, matrix):
        return matrix.shape == (self.dimension,) * 2 and _key(matrix) in self._index


def from_generators(name: str, matrices: ArrayLike) -> FiniteGroup:
    """The finite group that the given orthogonal matrices generate.

    Args:
        name: a name of your own; call `register(group)` to use it as `group="name"` and in saved models.
        matrices: `(d, d)` orthogonal matrices; points are columns, (x to the right, y up) or (x, y, z).

    Example:
        >>> from keras_equivariant import groups
        >>> flips = groups.from_generators("flips", [[[-1, 0], [0, 1]], [[1, 0], [0, -1]]])
        >>> flips.order
        4
    """
    generators = np.array(matrices, dtype=np.float64)
    if generators.ndim != 3 or generators.shape[1] != generators.shape[2]:
        raise ValueError(f"`matrices` must have the shape (generators, d, d). Received: shape {generators.shape}")
    check_orthogonal(generators)
    dimension = generators.shape[1]
    elements = {tuple(np.eye(dimension).ravel()): np.eye(dimension)}
    frontier = list(elements.values())
    while frontier:
        fresh = {}
        for a in frontier:
            for b in generators:
                product = b @ a
                key = tuple((np.round(product, 6) + 0.0).ravel())
                if key not in elements and key not in fresh:
                    fresh[key] = product
        elements.update(fresh)
        if len(elements) > MAX_ORDER:
            raise ValueError(
                f"The generators must give a finite group of at most {MAX_ORDER} elements. "
                f"Received: matrices that give more for group {name!r}"
            )
        frontier = list(fresh.values())
    return FiniteGroup(name, list(elements.values()))


def check_axioms(group: str | Group) -> dict[str, bool]:
    """Tests the four group axioms on the multiplication table, element by element.

    Returns:
        A dict from axiom (`closure`, `associativity`, `identity`, `inverse`) to bool.

    Example:
        >>> from keras_equivariant import groups
        >>> all(groups.check_axioms("C4").values())
        True
    """
    table = np.asarray(get(group).cayley)
    elements = np.arange(len(table))
    closed = bool(((table >= 0) & (table < len(table))).all())
    return {
        "closure": closed,
        "associativity": closed and all(np.array_equal(table[table[a]], table[a][table]) for a in elements),
        "identity": bool((table[0] == elements).all() and (table[:, 0] == elements).all()),
        "inverse": bool((table == 0).any(axis=1).all() and (table == 0).any(axis=0).all()),
    }


def _key(matrix):
    return _keys(matrix[None])[0]


def _keys(matrices):
    return [tuple(entries) for entries in _rounded(matrices).tolist()]


def _rounded(matrices):
    """The entries `(n, d * d)`, equal where matrices are; + 0.0 makes -0.0 equal to 0.0."""
    return (np.round(matrices, _DIGITS) + 0.0).reshape(len(matrices), -1)


def check_orthogonal(matrices):
    """ValueError unless every matrix keeps distances."""
    gram = matrices @ np.swapaxes(matrices, 1, 2)
    bad = np.flatnonzero(~np.isclose(gram, np.eye(matrices.shape[1]), atol=1e-6).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(
            f"Every matrix must be orthogonal, so that it keeps distances. Received: {matrices[bad[0]].tolist()}"
        )
