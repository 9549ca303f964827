"""The elements of atoms: their symbols, their charges, and the values by which a network tells them apart."""

import numpy as np

SYMBOLS = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb
Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db
Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
""".split()
ELEMENTS = {symbol: i for i, symbol in enumerate(SYMBOLS, 1)}


def charge_values(numbers, elements=None):
    """Values of atoms `(..., 3 E)`: one-hot of the E elements that occur, times 1, c and c^2, c = charge / largest.

    Args:
        numbers: `(...)` integers, the charges, 0 where there is no atom.
        elements: the E charges; by default those that occur.

    Raises:
        ValueError: atoms of other elements.
    """
    found = np.unique(numbers[numbers > 0])
    elements = found if elements is None else checked_elements(elements)
    others = np.setdiff1d(found, elements)
    if len(others):
        raise ValueError(
            "A network knows the elements that it was trained on. Received: atoms of "
            f"{_listed(others)} beside {_listed(elements)}, the `elements`. Leave those molecules out, or train with "
            f"--option elements=[{','.join(map(str, sorted({*elements.tolist(), *others.tolist()})))}]."
        )
    one_hot = (numbers[..., None] == elements).astype("float32")
    scale = (numbers / elements.max()).astype("float32")[..., None]
    return np.concatenate([one_hot, one_hot * scale, one_hot * scale**2], axis=-1)


def checked_elements(elements):
    """Charges of elements in rising order, an array of positive integers; ValueError for anything else."""
    found = np.unique(np.asarray(elements))
    if found.ndim != 1 or not len(found) or found.dtype.kind not in "ui" or found[0] < 1:
        raise ValueError(
            f"`elements` are charges of atoms, integers from 1. Received: elements={elements!r}. Use [1, 6, 8] for H, "
            "C and O."
        )
    return found


def _listed(charges):
    return ", ".join(SYMBOLS[c - 1] if c <= len(SYMBOLS) else f"charge {c}" for c in map(int, charges))


def with_places(array, points, there):
    """An array `(samples, N, ...)` with places for `points` atoms, zeros in those that are added; the last ones of N
    may be dropped where no molecule has an atom, `there` `(samples, N)`."""
    if points is None or points == array.shape[1]:
        return array
    used = int(np.flatnonzero(there.any(axis=0)).max(initial=-1)) + 1
    if not isinstance(points, int | np.integer) or points < used:
        raise ValueError(
            "`points` are the places for atoms, enough for the largest molecule, or cloud. Received: "
            f"points={points!r} for molecules of up to {used} atoms. Leave the larger ones out, or train "
            f"with --option points={used}."
        )
    array = array[:, :points]
    return np.pad(array, [(0, 0), (0, points - array.shape[1])] + [(0, 0)] * (array.ndim - 2))
