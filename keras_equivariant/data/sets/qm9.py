"""QM9: molecules with the properties of the published comparisons, from a file."""

import dataclasses

import numpy as np

from keras_equivariant.data.archive import needed
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.molecules import as_dataset, centered
from keras_equivariant.data.sets.points import molecules_of
from keras_equivariant.utils.arrays import read_arrays

ARCHIVE, PARTS = "qm9.npz", ("train", "validation", "test")
KEYS = ("z", "positions", "properties", "property_names", "property_units", "atomref", "atomref_z", "atomref_names")
EV = 27.211386245988  # electronvolts of a hartree


def load_qm9(seed=0, target="gap", elements=None, points=None):
    """One property of each of 130,831 molecules of up to 29 atoms (QM9, B3LYP): 110,000 for training, 10,000 for
    validation, 10,831 for testing, as the file draws them.

    Energies are in eV; of u0, u298, h298, g298 and cv what the atoms have alone is subtracted. `seed` has no effect.

    Args:
        seed: not used.
        target: "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "u0", "u298", "h298", "g298", "cv", "A", "B" or "C".
        elements: charges of the elements that a network is to tell apart; by default those of the file.
        points: places for atoms; by default as many as the file has.

    Raises:
        FileNotFoundError: qm9.npz is not in the folder KERAS_EQUIVARIANT_DATA.
        ValueError: another target, or a file that holds something else.
    """
    holds = f"{', '.join(KEYS)} and the rows of {', '.join(PARTS)}"
    path = needed(ARCHIVE, "The molecules are", holds, "clusters")
    arrays = read_arrays(path, (*KEYS, *PARTS))
    if not set(KEYS + PARTS) <= set(arrays):
        raise ValueError(
            f"The molecules must be an archive of {', '.join(KEYS + PARTS)}. Received: {path} with "
            f"{', '.join(arrays)}. The file is another one: fetch it again."
        )
    names = [str(name) for name in arrays["property_names"]]
    if target not in names:
        raise ValueError(
            f"`target` must be one of {', '.join(names)}. Received: target={target!r}. Choose one, --target gap."
        )
    z, unit = arrays["z"].astype("int64"), str(arrays["property_units"][names.index(target)])
    numbers = arrays["properties"][:, names.index(target)] - of_atoms(arrays, z, target)
    numbers, unit = (numbers * EV, "eV") if unit == "Ha" else (numbers, unit)
    elements = np.unique(z[z > 0]) if elements is None else elements

    def part(rows):
        return molecules_of("qm9", z[rows], arrays["positions"][rows], {target: numbers[rows]}, elements, points)

    train, validation, test = (part(arrays[name]) for name in PARTS)
    dataset = as_dataset("qm9", train, target=target, description=f"QM9, {target} in {unit}", test=test)
    targets = Rows(**{kind: validation.targets[target].reshape(-1, 1) for kind in dataset.y_train.arrays})
    return dataclasses.replace(dataset, x_val=centered(validation), y_val=targets)


def of_atoms(arrays, z, target):
    """What the atoms of each molecule have of a property alone; 0 where the file says nothing of it."""
    names = [str(name) for name in arrays["atomref_names"]]
    if target not in names:
        return 0.0
    own = np.zeros(int(z.max()) + 1)
    own[arrays["atomref_z"]] = arrays["atomref"][:, names.index(target)]
    return own[z].sum(axis=1)
