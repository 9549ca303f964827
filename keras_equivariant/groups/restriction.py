"""What a field type becomes on a subgroup, and the change of basis that goes with it."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from keras_equivariant.groups.axial import CONTINUOUS
from keras_equivariant.groups.decomposition import copies_of, decompose
from keras_equivariant.groups.field_type import FieldType
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.irreps import irrep, irreps
from keras_equivariant.groups.registry import get


@dataclasses.dataclass(frozen=True, eq=False)
class Restriction:
    """A type on a subgroup, and how its channels follow from those of the whole group's type.

    Attributes:
        out_type: the FieldType on the subgroup.
        maps: for every block of the old type a tuple of arrays `(copies, new dim, old dim)`: the new block holds
            `copies` fields for each old one, copy after copy.
    """

    out_type: FieldType
    maps: tuple


def contains(group: str | Group, subgroup: str | Group) -> bool:
    """Whether all elements of a group, finite or not, are elements of another."""
    return get(group).contains(get(subgroup))


def restriction(field_type: FieldType, subgroup: str | Group) -> Restriction:
    """Restricts a field type: the same features, seen by fewer symmetries.

    Permutation types stay permutation types, orbit by orbit; all others become irreps.

    Args:
        field_type: a FieldType.
        subgroup: a group that is contained in the type's.

    Example:
        >>> import keras_equivariant as ke
        >>> print(ke.groups.restriction(ke.FieldType.parse("2xregular", "D4"), "C4").out_type)
        4xregular
    """
    return _restriction(field_type, get(subgroup))


@functools.lru_cache(maxsize=256)
def _restriction(field_type, subgroup):
    if not contains(field_type.group, subgroup):
        raise ValueError(f"`subgroup` must be contained in {field_type.group.name}. Received: {subgroup.name}")
    terms, maps = [], []
    for block in field_type.blocks:
        parts = _parts(block.representation, subgroup)
        terms += [(len(copies) * block.multiplicity, name) for name, copies in parts]
        maps.append(tuple(copies for _, copies in parts))
    return Restriction(FieldType._of(subgroup, terms), tuple(maps))


def embeddings(representation, group, frequency=None):
    """The irreps of a larger group that hold one of a subgroup, and where: restriction the other way round.

    By Frobenius reciprocity they are the irreps in the representation that it induces.

    Args:
        representation: an irreducible Representation of the subgroup.
        group: the larger group, finite or continuous.
        frequency: of a continuous group, the highest frequency (degree) to look at.

    Returns:
        A dict from label to isometries `(copies, dim of the irrep, dim of the representation)`.

    Example:
        >>> from keras_equivariant import groups
        >>> list(groups.embeddings(groups.irrep("O", "irrep(2)"), "SO3", 4))
        ['2', '4']
    """
    group, subgroup = get(group), representation.group
    if not contains(group, subgroup):
        raise ValueError(f"`group` must contain {subgroup.name}. Received: {group.name}")
    found = {}
    for whole in irreps(group, frequency):
        copies = copies_of(representation, whole.restricted(subgroup))
        if len(copies):
            found[whole.name] = copies
    return found


def _parts(representation, subgroup):
    """Names of the parts and their `(copies, new dim, old dim)` maps."""
    restricted = representation.restricted(subgroup)
    if representation.permutation and representation.dim > 1:
        return orbits(restricted)
    return [(part.name, copies.transpose(0, 2, 1)) for part, copies in decompose(restricted).parts]


def orbits(representation):
    """A permutation representation as one of cosets per orbit, orbits of one kind together.

    Returns:
        A list of `(name, maps)`: what the cosets are called in a field type, and for each orbit of that kind the
        permutation onto it, `(orbits, cosets, dim)`.

    Example:
        >>> from keras_equivariant import groups
        >>> [(name, maps.shape) for name, maps in groups.orbits(groups.regular("D4").restricted("C4"))]
        [('regular', (2, 4, 8))]
    """
    whole = representation.group
    group = whole if whole.is_finite else whole.components
    if not whole.is_finite:
        representation = representation.restricted(group)
    images = np.argmax(representation.matrices, axis=1)  # images[g, i]: where component i goes
    kinds, seen = {}, set()
    for base in range(representation.dim):
        if base in seen:
            continue
        seen.update(images[:, base].tolist())
        stabilizer = tuple(np.flatnonzero(images[:, base] == base).tolist())
        cosets = group.left_cosets(stabilizer)
        rows = np.zeros((len(cosets), representation.dim))
        rows[np.arange(len(cosets)), images[cosets[:, 0], base]] = 1.0
        name = _coset_name(group, stabilizer) if whole is group else _part_name(whole, stabilizer)
        kinds.setdefault(name, []).append(rows)
    return [(name, np.stack(copies)) for name, copies in kinds.items()]


def _part_name(group, stabilizer):
    """The same of the components of a continuous group."""
    if len(stabilizer) == group.components.order:
        return irrep(group, "trivial").name
    kept = group.components.matrices[list(stabilizer)]
    parts = (part for part in CONTINUOUS if part.dimension == group.dimension and part.spherical == group.spherical)
    found = (part for part in parts if part.components.order == len(kept) and all(map(part.contains, kept)))
    return f"quotient({next(found).name})"


def _coset_name(group, stabilizer):
    if len(stabilizer) == group.order:
        return irrep(group, "trivial").name
    if len(stabilizer) == 1:
        return "regular"
    generators, reached = [], (0,)
    for element in stabilizer:
        if element not in reached:
            generators.append(element)
            reached = group.generated_by(generators)
    return f"quotient({','.join(group.element_names[g].replace(' ', '') for g in generators)})"
