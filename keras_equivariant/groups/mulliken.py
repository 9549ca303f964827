"""Mulliken's labels of the irreps of the point groups of space, and matrices in the coordinates that one knows.

A, B: one component, kept or negated by the principal rotation; E: two; T: three; G: four; H: five. 1 or 2: kept or
negated by a half turn (else mirror) across the axis; for T of O and Td by the sign of the trace of a quarter turn, with
the mirror in Td, and for T of I by that of a fifth. g, u: kept or negated by the inversion; p, pp (' and ''): by the
horizontal mirror, where there is no inversion. E1, E2, ...: the frequency about the axis, where there are several.
"""

import re

import numpy as np

from keras_equivariant.groups.linalg import irrep_of_rotation
from keras_equivariant.groups.point_groups import point_group

_LETTERS = {2: "E", 3: "T", 4: "G", 5: "H"}


def labels(group, characters):
    """One label per character, or None for a group that is not a named point group of space."""
    if point_group(group.name) != group:
        return None
    inversion = _element(group, -np.eye(3))
    principal = _principal(group, inversion)
    if group.name[0] in "TOI":
        stems = [_cubic(group, character, principal) for character in characters]
    else:
        stems = [_axial(group, character, principal) for character in characters]
    ends = [_parity(group, character, inversion) for character in characters]
    names = [stem + end for stem, end in zip(stems, ends, strict=True)]
    several = [names.count(name) > 1 for name in names]
    return [
        f"{stem}{_frequency(group, character, principal)}{end}" if more else stem + end
        for stem, end, character, more in zip(stems, ends, characters, several, strict=True)
    ]


def cartesian_representations(group, ones):
    """Matrices of representations in Cartesian coordinates, `(order, dim, dim)` each; some of them are irreducible.

    Args:
        ones: the irreps of one component, `(order, 1, 1)` each; every other one is multiplied by each of them.
    """
    matrices = group.matrices
    bases = [matrices, _quadratic(matrices)]
    if len(group.grid_elements) == group.order:
        diagonal = np.array([[-1.0, -1.0, 2.0], [1.0, -1.0, 0.0]]) / np.sqrt([[6.0], [2.0]])
        bases.append(diagonal @ np.abs(matrices) @ diagonal.T)  # 2 z^2 - x^2 - y^2, x^2 - y^2
    if np.allclose(np.abs(matrices[:, 2, 2]), 1):
        bases += [irrep_of_rotation(matrices[:, :2, :2], k) for k in range(1, group.order // 2 + 1)]
    return [basis * one for basis in bases for one in ones]


def _principal(group, inversion):
    """The element whose rotation tells A from B, or in O, Td and I the trace of which tells T1 from T2, or None."""
    name = group.name
    special = {"O": "z90", "Oh": "z90", "Td": "s90", "I": "f72", "Ih": "f72", "T": None, "Th": None}
    if name in special:
        return None if special[name] is None else group.element_names.index(special[name])
    letter, n, suffix = re.match(r"([CDS])([0-9]+)([a-z]?)", name).groups()
    rotoreflecting = letter == "S" or (letter == "D" and suffix == "d" and not name.endswith("_111"))
    step = 2 if rotoreflecting and inversion is not None else 1  # with the inversion there, g and u say the rest
    least = 2 * step if rotoreflecting else 2
    count = int(n) * (2 if rotoreflecting and letter == "D" else 1)
    return step if count >= least and (count // step) > 1 else None


def _cubic(group, character, principal):
    dim = int(round(character[0]))
    split = principal is not None and (dim == 3 or (dim == 1 and group.name[0] in "OT"))
    return _LETTERS.get(dim, "A") + ("12"[int(character[principal] < 0)] if split else "")


def _axial(group, character, principal):
    if round(character[0]) == 2:
        return "E"
    if re.match(r"D2[zh]", group.name):
        half_turns = [np.diag(d) for d in ((-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, -1.0, -1.0))]
        kept = [character[_element(group, half)] > 0 for half in half_turns]
        return "A" if all(kept) else f"B{kept.index(True) + 1}"
    letter = "B" if principal is not None and character[principal] < 0 else "A"
    across = [name for name in ("x180", "mx", "d180", "md") if name in group.element_names]
    return letter + ("12"[int(character[group.element_names.index(across[0])] < 0)] if across else "")


def _parity(group, character, inversion):
    if inversion is not None:
        return "gu"[int(character[inversion] < 0)]
    if "mz" not in group.element_names:
        return ""
    return "p" if character[group.element_names.index("mz")] > 0 else "pp"


def _frequency(group, character, principal):
    order, power = 1, principal
    while power != 0:
        order, power = order + 1, group.product(power, principal)
    return round(np.arccos(np.clip(character[principal] / 2, -1, 1)) * order / (2 * np.pi))


def _quadratic(matrices):
    """How traceless symmetric matrices rotate, in an orthonormal basis."""
    basis = np.zeros((5, 3, 3))
    basis[0] = np.diag([-1.0, -1.0, 2.0]) / np.sqrt(6)
    basis[1] = np.diag([1.0, -1.0, 0.0]) / np.sqrt(2)
    for row, (i, j) in enumerate(((0, 1), (1, 2), (0, 2)), start=2):
        basis[row, i, j] = basis[row, j, i] = np.sqrt(0.5)
    return np.einsum("aij,gik,gjl,bkl->gab", basis, matrices, matrices, basis)


def _element(group, matrix):
    try:
        return group.index(matrix)
    except ValueError:
        return None
