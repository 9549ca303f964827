"""Representations made of others: sums, tensor products, induced ones, and Clebsch-Gordan coefficients."""

from __future__ import annotations

import functools
import math

import numpy as np

from keras_equivariant.groups.decomposition import copies_of, dimension_of_maps
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.irreps import irrep, irreps
from keras_equivariant.groups.registry import get
from keras_equivariant.groups.representations import Representation, check_size
from keras_equivariant.groups.spherical import wigner_3j


def direct_sum(*representations: Representation) -> Representation:
    """All of them side by side: block-diagonal matrices."""
    name = " + ".join(r.name for r in representations)
    return _combined(representations, name, _blocks, sum, max)


def tensor_product(first: Representation, second: Representation) -> Representation:
    """Products of one component of each: the Kronecker product of the matrices, `second`'s component fastest."""

    def kronecker(a, b):
        return np.einsum("gij,gkl->gikjl", a, b).reshape(len(a), a.shape[1] * b.shape[1], -1)

    return _combined((first, second), f"{first.name} x {second.name}", kronecker, math.prod, sum)


def induced(group: str | Group, subgroup: str | Group, representation: Representation) -> Representation:
    """The representation of the group that one of a subgroup H induces: [rho(g)] moves coset aH to gaH and rotates the
    fiber there by psi(h), where g a = b h with a, b the smallest elements of their cosets."""
    group, subgroup = get(group), get(subgroup)
    if not (group.is_finite and subgroup.is_finite):
        raise ValueError(
            f"Induction needs finite groups. Received: {group.name} and {subgroup.name}; of a continuous group "
            "`induced_irreps` gives the part up to a frequency"
        )
    if representation.group != subgroup:
        raise ValueError(f"`representation` must be one of the subgroup, {subgroup.name}. Received: {representation!r}")
    members = group.subgroup(subgroup)
    inner = dict(zip(members, representation.rho(group.matrices[list(members)]), strict=True))
    cosets = group.left_cosets(members)
    of_element = {int(e): i for i, coset in enumerate(cosets) for e in coset}
    size, dim = len(cosets), representation.dim
    name = f"induced({subgroup.name},{representation.name})"
    check_size(group, size * dim, name)
    matrices = np.zeros((group.order, size, dim, size, dim))
    for g in range(group.order):
        for i, coset in enumerate(cosets):
            moved = group.product(g, coset[0])
            j = of_element[moved]
            h = group.product(group.inverse(cosets[j][0]), moved)
            matrices[g, j, :, i, :] = inner[h]
    return Representation(group, name, matrices.reshape(group.order, size * dim, size * dim))


def induced_irreps(
    group: str | Group, subgroup: str | Group, representation: Representation | str, frequency: int
) -> dict[str, int]:
    """The irreps, up to a frequency, of the representation of a continuous group that one of a subgroup H induces.

    Its elements are the functions f on the group with f(g h) = psi(h)^-1 f(g), moved as [rho(g) f](x) = f(g^-1 x): for
    the trivial psi functions on the cosets, such as those on the sphere for SO3 and its rotations about one axis. By
    Frobenius reciprocity an irrep is in it as often as

        dim Hom_H(psi, irrep) / dim End(irrep)

    Args:
        group: a continuous group.
        subgroup: H, finite or not, in the group.
        representation: an irreducible Representation psi of the subgroup, or its label, such as `"trivial"`.
        frequency: the highest frequency (degree) of the irreps.

    Returns:
        A dict from label to multiplicity, without those that are not in it.

    Raises:
        ValueError: a finite group, a subgroup that is none, a frequency beyond the irreps there are.

    Example:
        >>> from keras_equivariant import groups
        >>> groups.induced_irreps("SO3", "Cinfz", "trivial", 2), groups.induced_irreps("SO3", "O", "T1", 2)
        ({'0': 1, '1': 1, '2': 1}, {'1': 1})
    """
    group, subgroup = get(group), get(subgroup)
    if group.is_finite or not group.contains(subgroup):
        hint = {"SO2": "; about one axis of space it is Cinfz", "O2": "; about one axis of space it is Cinfv or Dinfz"}
        raise ValueError(
            "A band-limited type needs a continuous group and a subgroup of it. Received: "
            f"{group.name} and {subgroup.name}{hint.get(subgroup.name, '')}"
        )
    psi = irrep(subgroup, representation) if isinstance(representation, str) else representation
    found = {rho.name: dimension_of_maps(psi, rho.restricted(subgroup)) for rho in irreps(group, frequency)}
    return {name: n // irrep(group, name).endomorphism_dimension for name, n in found.items() if n}


@functools.lru_cache(maxsize=512)
def clebsch_gordan(group, first, second, into):
    """How the product of two irreps contains a third: the maps X with X (psi_1 x psi_2)(g) = psi(g) X.

    Args:
        group: a group.
        first, second, into: labels of irreps.

    Returns:
        `(multiplicity, dim of into, dim of first, dim of second)` float64, real. Every copy is an isometry onto
        `into`, scaled by 1 / sqrt(dim): sum of squares 1 per component. The sign is fixed by the first entry that
        does not vanish, which is positive, in the order (into, first, second).

    Example:
        >>> from keras_equivariant import groups
        >>> groups.clebsch_gordan("SO2", 1, 1, 2).shape
        (1, 2, 2, 2)
    """
    group = get(group)
    first, second, into = (irrep(group, label) for label in (first, second, into))
    if group.spherical:
        maps = _of_rotations(first, second, into)
    else:
        copies = copies_of(into, tensor_product(first, second))
        maps = copies.transpose(0, 2, 1).reshape(len(copies), into.dim, first.dim, second.dim)
    for copy in maps:
        first_entry = copy.flat[np.argmax(np.abs(copy.ravel()) > 1e-9)]
        copy *= np.sign(first_entry)
    maps = maps + 0.0  # no negative zeros
    maps.setflags(write=False)
    return maps


def _of_rotations(first, second, into):
    """At most one copy, the invariant of the three degrees."""
    degrees = first.frequency, second.frequency, into.frequency
    parities = [r.rho(-np.eye(3)[None])[0, 0, 0] for r in (first, second, into)] if into.group.mirrors else [1.0]
    if np.prod(parities) < 0 or not abs(degrees[0] - degrees[1]) <= degrees[2] <= degrees[0] + degrees[1]:
        return np.zeros((0, into.dim, first.dim, second.dim))
    return wigner_3j(*degrees).transpose(2, 0, 1)[None] * np.sqrt(into.dim)


def _combined(representations, name, combine, dim, frequency):
    group = representations[0].group
    if any(r.group != group for r in representations):
        raise ValueError(f"Representations must belong to one group. Received: {representations}")
    if group.is_finite:
        check_size(group, dim([r.dim for r in representations]), name)
        return Representation(group, name, combine(*(r.matrices for r in representations)))
    return Representation(
        group,
        name,
        lambda elements: combine(*(r.rho(elements) for r in representations)),
        frequency([r.frequency for r in representations]),
    )


def _blocks(*stacks):
    dims = [stack.shape[1] for stack in stacks]
    ends = np.cumsum(dims)
    whole = np.zeros((len(stacks[0]), ends[-1], ends[-1]))
    for stack, dim, end in zip(stacks, dims, ends, strict=True):
        whole[:, end - dim : end, end - dim : end] = stack
    return whole
