"""The point groups of space, by Schoenflies name.

Points are (x, y, z), coordinate i along axis i of the array; z, the last one, is vertical. Planar groups own the names
C4 and D4, so that those of rotations in space end in their axis.

| group             | order  | elements, numbered so that the first factor runs fastest                              |
|-------------------|--------|----------------------------------------------------------------------------------------|
| `C<n>z`           | n      | rotations by 360 r / n degrees about z, from x towards y                               |
| `C<n>h`           | 2 n    | C<n>z, then the mirror z -> -z                                                         |
| `C<n>v`           | 2 n    | C<n>z, then the mirror x -> -x                                                         |
| `S<2n>`           | 2 n    | rotations by 180 r / n degrees about z, each odd one with the mirror z -> -z           |
| `D<n>z`           | 2 n    | C<n>z, then the half turn about x                                                      |
| `D<n>h`           | 4 n    | D<n>z, then the mirror z -> -z                                                         |
| `D<n>d`           | 4 n    | S<2n>, then the half turn about x                                                      |
| `T`               | 12     | rotations by 120 r degrees about (1, 1, 1), then none or a half turn about x, y or z   |
| `Th`, `Td`        | 24     | T, then the inversion; T, then the quarter turn about z with the mirror z -> -z        |
| `O`, `Oh`         | 24, 48 | T, then the quarter turn about z; O, then the inversion                                |
| `I`, `Ih`         | 60, 120 | T, then rotations by 72 r degrees about (0, 1, golden ratio); I, then the inversion   |
| `C3_111`          | 3      | rotations by 120 r degrees about (1, 1, 1)                                             |
| `D3_111`, `C3v_111` | 6    | C3_111, then the half turn about (1, -1, 0); then the mirror that swaps x and y        |
| `S6_111`, `D3d_111` | 6, 12 | C3_111, D3_111, then the inversion                                                    |

`Cs` is C1h, `Ci` is S2, `Z3` is C1z (translations only; every layer then equals its stock twin).
"""

import functools
import re

import numpy as np

from keras_equivariant.groups.finite import FiniteGroup
from keras_equivariant.groups.registry import family

ALIASES = {"cs": "C1h", "ci": "S2", "z3": "C1z", "c3i": "S6", "v": "D2z", "vh": "D2h", "vd": "D2d"}
EXAMPLES = ("T", "Td", "Th", "O", "Oh", "I", "Ih", "C4z", "C4h", "C4v", "D4z", "D4h", "D2d", "S4", "Z3", "Cs", "Ci")
MAX_ROTATIONS = 90  # about one axis

_HORIZONTAL = ("mz", np.diag([1.0, 1.0, -1.0]))
_VERTICAL = ("mx", np.diag([-1.0, 1.0, 1.0]))
_HALF_TURN = ("x180", np.diag([1.0, -1.0, -1.0]))
_INVERSION = ("i", -np.eye(3))
_DIAGONAL = ("d180", np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]))
_ACROSS = ("md", np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))


@family(*EXAMPLES, aliases=ALIASES)
def point_group(name):
    """The FiniteGroup of this Schoenflies name, upper and lower case alike; None if there is none."""
    name = ALIASES.get(name.lower(), name)
    match = re.fullmatch(r"(?i:([CDS])([0-9]{1,3})([zhvd]?)(_111)?|([TOI])([hd]?))", name)
    if not match:
        return None
    letter, n, suffix, diagonal, cubic, ending = (part or "" for part in match.groups())
    if cubic:
        found = cubic.upper() + ending.lower()
        return _cubic(found) if found in ("T", "Th", "Td", "O", "Oh", "I", "Ih") else None
    letter, n, suffix = letter.upper(), int(n), suffix.lower()
    if diagonal:
        found = f"{letter}{n}{suffix}_111"
        return _about_the_diagonal(found) if found in _DIAGONALS else None
    if letter + suffix not in _AXIAL or not 1 <= n <= MAX_ROTATIONS * (2 if letter == "S" else 1):
        return None
    return None if letter == "S" and n % 2 else _axial(letter, n, suffix)


@functools.cache
def _axial(letter, n, suffix):
    rotations = _rotations(n) if letter != "S" else _rotoreflections(n)
    if letter + suffix == "Dd":
        rotations = _rotoreflections(2 * n)
    return _group(f"{letter}{n}{suffix}", rotations, *_AXIAL[letter + suffix])


@functools.cache
def _cubic(name):
    half_turns = [("e", np.eye(3)), _HALF_TURN, ("y180", np.diag([-1.0, 1.0, -1.0])), ("z180", np.diag([-1.0, -1, 1]))]
    inverted = (("e", np.eye(3)), _INVERSION)
    more = {
        "T": (),
        "Th": (inverted,),
        "Td": ((("e", np.eye(3)), ("s90", _rotations(4)[1][1] @ _HORIZONTAL[1])),),
        "O": (_rotations(4)[:2],),
        "Oh": (_rotations(4)[:2], inverted),
        "I": (_fifths(),),
        "Ih": (_fifths(), inverted),
    }[name]
    return _group(name, _thirds(), half_turns, *more)


@functools.cache
def _about_the_diagonal(name):
    return _group(name, _thirds(), *_DIAGONALS[name])


def _group(name, *factors):
    """All products "first an element of the first factor, then one of the next": the first factor runs fastest."""
    names, matrices = ["e"], np.eye(3)[None]
    for factor in factors:
        names = [_joined(last, first) for last, _ in factor for first in names]
        matrices = np.concatenate([last @ matrices for _, last in factor])
    return FiniteGroup(name, matrices + 0.0, names)


def _joined(last, first):
    if "e" in (last, first):
        return first if last == "e" else last
    return f"{last} {first}"


def _rotations(n):
    """Rotates about z by 360 r / n degrees; quarter turns are exact integers."""
    return [(_named("z", 360 * r / n), about_z(r / n)) for r in range(n)]


def _rotoreflections(n):
    """The powers of the rotation about z by 360 / n degrees with the mirror z -> -z, n even."""
    return [
        (_named("s" if r % 2 else "z", 360 * r / n), about_z(r / n) @ (_HORIZONTAL[1] if r % 2 else np.eye(3)))
        for r in range(n)
    ]


def _named(letter, degrees):
    return "e" if letter == "z" and degrees == 0 else f"{letter}{degrees:g}"


def about_z(part):
    """The rotation about z by a part of the circle; quarter turns are exact integers."""
    c, s = np.cos(2 * np.pi * part), np.sin(2 * np.pi * part)
    if (4 * part).is_integer():
        c, s = np.round(c), np.round(s)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) + 0.0


def _thirds():
    """Rotates about (1, 1, 1): x to y to z to x."""
    third = np.roll(np.eye(3), 1, axis=0)
    return [("e", np.eye(3)), ("d120", third), ("d240", third @ third)]


def _fifths():
    """Rotates by 72 r degrees about (0, 1, golden ratio)."""
    golden = (1 + np.sqrt(5)) / 2
    axis = np.array([0.0, 1.0, golden]) / np.sqrt(1 + golden**2)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    found = []
    for r in range(5):
        angle = 2 * np.pi * r / 5
        matrix = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
        found.append((_named("z", 0) if r == 0 else f"f{72 * r}", matrix))
    return found


def _or(step):
    return (("e", np.eye(3)), step)


_AXIAL = {
    "Cz": (),
    "Ch": (_or(_HORIZONTAL),),
    "Cv": (_or(_VERTICAL),),
    "S": (),
    "Dz": (_or(_HALF_TURN),),
    "Dh": (_or(_HALF_TURN), _or(_HORIZONTAL)),
    "Dd": (_or(_HALF_TURN),),
}
_DIAGONALS = {
    "C3_111": (),
    "D3_111": (_or(_DIAGONAL),),
    "S6_111": (_or(_INVERSION),),
    "C3v_111": (_or(_ACROSS),),
    "D3d_111": (_or(_DIAGONAL), _or(_INVERSION)),
}
