"""Irreducible real representations, and their labels.

| group       | labels                                  | an element                                                |
|-------------|-----------------------------------------|-----------------------------------------------------------|
| SO(2)       | `0`, `1`, `2`, ...                      | rotates the two components of `k` by k times its angle    |
| O(2)        | `0+`, `0-`, `1`, `2`, ...               | `0-` changes its sign under mirrors; `k` as a vector does |
| SO(3)       | `0`, `1`, `2`, ...                      | rotates `l` as the spherical harmonics of degree l        |
| O(3)        | `0e`, `0o`, `1e`, `1o`, ...             | the inversion keeps `e` and changes the sign of `o`       |
| about an axis | as SO(2) or O(2), with `e`, `o`       | `0-` changes its sign under what reverses the angle       |
| C_n         | `0`, `1`, ..., `n/2`                    | for even n, `n/2` alternates in sign                      |
| D_n         | `0+`, `0-`, `1`, ..., `n/2+`, `n/2-`    | `n/2+` keeps its sign under the left-right mirror         |
| of space    | `A`, `A1g`, `E`, `T1`, `T2u`, ...       | Mulliken's labels; in O, `T1` rotates as (x, y, z)        |
| a product   | `irrep(1,0-)`, `irrep(1,1,+)`, ...      | outer products, see `direct_product`                      |
| registered  | `irrep(0)`, `irrep(1)`, ...             | by dimension, then character                              |

An element "rotate by t, then mirror left and right" acts on `k` as diag(-1, 1) R(k t). The names of chemistry (A1, A2,
B1, B2, E, E1, E2, ...) are understood as well. The groups about an axis of space act by their part across the axis, as
those of the plane, and by the inversion, see `groups.continuous`: (x, y) is `1`, `1o`, and z is `0` on Cinfz, `0+` on
Cinfv, `0-` on Dinfz, `0o` on Cinfh, `0o+` on Dinfh.
"""

from __future__ import annotations

import functools
import itertools
import re

import numpy as np

from keras_equivariant.groups import mulliken
from keras_equivariant.groups.group import Group
from keras_equivariant.groups.linalg import MIRROR, gram_schmidt, irrep_of_rotation, runs, snapped
from keras_equivariant.groups.registry import orthogonal_group
from keras_equivariant.groups.representations import Representation, regular
from keras_equivariant.groups.spherical import MAX_DEGREE, wigner_d

LIMITS = {2: 64, 3: MAX_DEGREE}  # highest frequency of irreps by dimension


def irreps(group: str | Group, frequency: int | None = None) -> tuple[Representation, ...]:
    """All irreducible real representations of a finite group, up to equivalence, the trivial one first; of a
    continuous one those up to a frequency (degree).

    Those of the plane are written down, frequency by frequency, in the basis in which a rotation by an angle t is one
    by a multiple of t. Those of other groups are found inside the regular representation, for a generic symmetric map
    that commutes with it has irreducible eigenspaces; in space familiar coordinates are taken where there are any.
    """
    return _irreps(orthogonal_group(group), frequency)


@functools.cache
def _irreps(group, frequency):
    if not group.is_finite:
        if frequency is None:
            raise ValueError(
                f"{group.name} has irreps without end. Received: irreps({group.name!r}); use irreps(group, 3) up to "
                "frequency 3"
            )
        check_frequency(group, frequency)
        return tuple(irrep(group, label) for k in range(frequency + 1) for label in _labels(group, k))
    if group.factors and all(rho.endomorphism_dimension < 4 for factor in group.factors for rho in irreps(factor)):
        return tuple(Representation(group, label, matrices) for label, matrices in _outer_products(group))
    if group.dimension == 2 and not group.factors:
        return tuple(Representation(group, label, matrices) for label, matrices in _of_the_plane(group))
    found = _inside_the_regular(group)
    names = None
    if group.dimension == 3:
        known = mulliken.cartesian_representations(group, [matrices for _, matrices in found if matrices.shape[1] == 1])
        found = [(character, _alike(character, known, matrices)) for character, matrices in found]
        names = mulliken.labels(group, [character for character, _ in found])
    names = names or [f"irrep({i})" for i in range(len(found))]
    return tuple(Representation(group, name, matrices) for name, (_, matrices) in zip(names, found, strict=True))


def _outer_products(group):
    """(label, matrices) of every irrep of a direct product, for irreps of real and complex type."""
    first, second = map(irreps, group.factors)
    for a, b in itertools.product(first, second):
        matrices = np.einsum("gij,hkl->hgikjl", a.matrices, b.matrices).reshape(group.order, a.dim * b.dim, -1)
        label = f"{a.name},{b.name}"
        if 1 in (a.endomorphism_dimension, b.endomorphism_dimension):
            yield f"irrep({label})", matrices
            continue
        # Both have a complex structure J: the product of the two commutes with everything, and its square is 1.
        exchange = np.kron(_complex_structure(a), _complex_structure(b))
        for sign, name in ((-1, "+"), (1, "-")):
            basis = gram_schmidt((np.eye(len(exchange)) + sign * exchange) / 2)
            yield f"irrep({label},{name})", snapped(basis @ matrices @ basis.T)


def _complex_structure(rho):
    """The map J with J J = -1 that commutes with an irrep of complex type."""
    for i, j in itertools.combinations(range(rho.dim), 2):
        rotation = np.zeros((rho.dim, rho.dim))
        rotation[i, j], rotation[j, i] = -1.0, 1.0
        mean = np.mean(rho.matrices @ rotation @ rho.matrices.swapaxes(1, 2), axis=0)
        size = np.sqrt(np.sum(mean**2) / rho.dim)
        if size > 1e-6:
            return mean / size
    raise ValueError(f"Only irreps of complex type have a complex structure. Received: {rho!r}")


def _alike(character, known, otherwise):
    """Of the known matrices those with this character, else the others."""
    traces = ((matrices, np.trace(matrices, axis1=1, axis2=2)) for matrices in known)
    return next((matrices for matrices, trace in traces if np.allclose(trace, character, atol=1e-6)), otherwise)


def _inside_the_regular(group):
    """The (character, matrices) of every irrep, sorted by dimension and character."""
    left = regular(group).matrices
    # A symmetric element of the right group algebra commutes with every left translation. The weights are fixed,
    # so the result is the same in every process.
    weights = np.random.default_rng(0).normal(size=group.order)
    weights = weights + weights[group.inverses]
    commuting = weights[group.cayley[group.inverses]]
    values, vectors = np.linalg.eigh(commuting)
    found = []
    for start, stop in runs(values):
        basis = gram_schmidt(vectors[:, start:stop] @ vectors[:, start:stop].T, stop - start).T
        matrices = snapped(basis.T @ left @ basis)
        character = np.trace(matrices, axis1=1, axis2=2)
        if all(not np.allclose(character, other, atol=1e-6) for other, _ in found):
            found.append((character, matrices))
    found.sort(key=lambda pair: (pair[1].shape[1], tuple(-np.round(pair[0], 6))))
    return found


def irrep(group: str | Group, label: str) -> Representation:
    """The irreducible representation with this label, see the table above."""
    return _irrep(orthogonal_group(group), str(label))


@functools.lru_cache(maxsize=4096)
def _irrep(group, label):
    label = _without_alias(group, label)
    if not group.is_finite:
        return _continuous(group, label)
    for found in irreps(group):
        if found.name == label:
            return found
    known = ", ".join(found.name for found in irreps(group))
    raise ValueError(f"{group.name} has the irreps {known}. Received: {label[:80]!r}; use one of them")


def is_irrep_label(group, label):
    """Whether the text names an irreducible representation of the group."""
    try:
        irrep(group, label)
    except ValueError:
        return False
    return True


def check_frequency(group, frequency):
    """ValueError where the irreps of a continuous group do not go so far."""
    highest, word = LIMITS[group.dimension], "degree" if group.spherical else "frequency"
    if frequency > highest:
        raise ValueError(f"{group.name} has the irreps up to the {word} {highest}. Received: irreps({frequency})")


@functools.cache
def _continuous(group, label):
    match = re.fullmatch(r"(0|[1-9][0-9]{0,8})([eo]?)([+-]?)", label)
    frequency, highest = int(match[1]) if match else -1, LIMITS[group.dimension]
    if not match or label not in _labels(group, frequency) or frequency > highest:
        known = ", ".join(known for k in range(2 if group.parity else 3) for known in _labels(group, k))
        raise ValueError(f"{group.name} has the irreps {known}, ... up to {highest}. Received: {label[:80]!r}")
    # What the inversion does to harmonics of this degree, or frequency, by itself is (-1)^frequency.
    odd = group.parity and (match[2] == "o") != (frequency % 2 == 1)
    if group.spherical:
        matrices = functools.partial(_spatial, frequency, odd)
    elif group.dimension == 2:
        matrices = functools.partial(_planar, frequency, match[3] == "-")
    else:
        matrices = functools.partial(_axial, frequency, match[3] == "-", odd)
    return Representation(group, label, matrices, frequency)


def _labels(group, frequency):
    """The labels of the irreps of a continuous group of this frequency."""
    signs = ("+", "-") if group.signs and not frequency else ("",)
    return [f"{frequency}{parity}{sign}" for parity in ("eo" if group.parity else ("",)) for sign in signs]


def _spatial(degree, odd, elements):
    """Wigner matrices; the harmonics' own parity is (-1)^degree, `odd` is the other one."""
    matrices = snapped(wigner_d(degree, elements))
    return matrices * np.sign(np.linalg.det(elements))[:, None, None] if odd else matrices


def _planar(frequency, odd, elements):
    if frequency:
        return irrep_of_rotation(elements, frequency)
    signs = np.sign(np.linalg.det(elements)) if odd else np.ones(len(elements))
    return signs[:, None, None]


def _axial(frequency, reversing, odd, elements):
    """That of the part across the axis, times the sign along it where `odd`."""
    matrices = _planar(frequency, reversing, elements[:, :2, :2])
    return matrices * np.sign(elements[:, 2, 2])[:, None, None] if odd else matrices


def _without_alias(group, label):
    if not group.is_finite and group.dimension == 3:
        return _labels(group, 0)[0] if label == "trivial" else label
    if group.dimension != 2 or group.factors:
        index = re.fullmatch(r"irrep\(([0-9]{1,4})\)", "irrep(0)" if label == "trivial" else label)
        found = irreps(group)
        return found[int(index[1])].name if index and int(index[1]) < len(found) else label
    inner = re.fullmatch(r"irrep\((.+)\)", label)
    if inner:
        label = inner[1].strip()
    if label == "trivial":
        return "0+" if group.mirrors else "0"
    match = re.fullmatch(r"(A|B)([12]?)|E([0-9]*)", label)
    if not match:
        return label
    if match[1] is None:
        return match[3] or "1"
    sign = {"1": "+", "2": "-", "": ""}[match[2]]
    if match[1] == "A":
        return f"0{sign}"
    n = group.order // (2 if group.mirrors else 1) if group.is_finite else 1
    return f"{n // 2}{sign}" if n % 2 == 0 else label


def _of_the_plane(group):
    """(label, matrices) of every irrep of n rotations of the plane, perhaps with n mirrors, by frequency."""
    proper = np.linalg.det(group.matrices) > 0
    n = int(proper.sum())
    signs = np.where(proper, 1.0, -1.0)
    # The mirror that tells n/2+ from n/2-: left-right where the group has it, else its first one.
    mirror = next(
        (m for m in [MIRROR, *group.matrices[~proper]] if any(np.allclose(m, e) for e in group.matrices)), None
    )
    unmirrored = group.matrices
    if mirror is not None:
        unmirrored = np.where(proper[:, None, None], group.matrices, mirror @ group.matrices)
    for frequency in range(n // 2 + 1):
        if 0 < 2 * frequency < n:
            yield str(frequency), irrep_of_rotation(group.matrices, frequency)
            continue
        even = np.round(irrep_of_rotation(unmirrored, frequency)[:, 0, 0]) if frequency else np.ones(group.order)
        yield f"{frequency}{'' if proper.all() else '+'}", even[:, None, None]
        if not proper.all():
            yield f"{frequency}-", (signs * even)[:, None, None]
