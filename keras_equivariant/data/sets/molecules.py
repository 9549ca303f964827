"""Molecules with energies, forces or dipoles as data sets: archives, and one that is generated."""

import dataclasses
from pathlib import Path

import numpy as np

from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.parts import rows_of_parts
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.names import NAMES, named, names_of_atoms
from keras_equivariant.data.sets.points import about_middles, load_molecules, molecules_of
from keras_equivariant.data.undivided import SPLIT, groups_of
from keras_equivariant.utils.arrays import array_names, as_numbers

TEST_SHARE = 0.1


def holds_molecules(path):
    """Whether a file is an archive of molecules: charges `z` and positions `pos`, by any of their names."""
    try:
        return names_of_atoms(array_names(path)) is not None
    except (ValueError, OSError):
        return False


def load_molecule_set(path, seed=0, target=None, elements=None, points=None):
    """Molecules of an .npz file with `z`, `pos` and energies, forces or dipoles; a tenth is drawn for testing, or
    `split` says train, val or test of each; what has the same number in `groups`, such as conformers, stays together.

    Args:
        path: the file, or the name of one in the folder that KERAS_EQUIVARIANT_DATA names.
        seed: of the draw.
        target: name of the array to learn, "energy" for an energy alone; by default an energy, with forces if there are
            any, else a dipole.
        elements: charges of the elements that a network is to tell apart, by default those of the file.
        points: places for atoms, by default as many as the file has.

    Raises:
        ValueError: no array of that name, none that is an energy or a dipole, or one of another shape; atoms of other
            elements, or more than there are places.
    """
    found = load_molecules(path, elements, points)
    return as_dataset(str(path), found, seed, target, f"molecules of {Path(path).name}")


def as_dataset(name, points, seed=0, target=None, description=None, test=None):
    """A `Dataset` of a `PointSet` of molecules, whose targets it chooses.

    Args:
        name, description: of the data set.
        points: the molecules, with the `elements` of their values.
        seed: of the draw of a tenth for testing.
        target: name of the array to learn; None as in `load_molecule_set`.
        test: a `PointSet` to test on instead.
    """
    keys, said = _chosen(name, points, target), points.targets
    points, test = (found and _learnable(name, found, keys) for found in (points, test))
    kept, groups = {"train": points, "test": test}, None
    if test is None:
        if len(points) < 2:
            raise ValueError(
                f"Molecules are divided into some to train on and some to test on. Received: {name} with one. Add more."
            )
        groups = groups_of(said)
        alike = np.zeros((len(points), 1))
        rows = rows_of_parts(name, "molecules", alike, said.get(SPLIT), seed, groups, leave=False, share=TEST_SHARE)
        kept = {part: points.take(numbers) for part, numbers in rows.items()}
        groups = None if groups is None else groups[rows["train"]]
    parts = {}
    for part, found in kept.items():
        parts[f"x_{part}"] = centered(found)
        parts[f"y_{part}"] = Rows(**{kind: found.targets[kind] for kind in keys})
    atoms = points.positions.shape[1]
    return Dataset(
        name=name,
        description=description or f"{sum(map(len, kept.values())):,} molecules of up to {atoms} atoms",
        task="molecules",
        target_names=tuple(keys.values()),
        default_batch_size=50,
        reading={"elements": list(points.elements), "points": atoms},
        groups=groups,
        **parts,
    )


def centered(points):
    """Positions about the mean of each molecule, values and mask, as `Rows`."""
    positions = about_middles(points.positions, points.mask).astype("float32")
    return Rows(positions=positions, values=points.values, mask=points.mask)


def _chosen(name, points, target):
    """`{kind: name of an array}` of what is learned."""
    targets = points.targets
    if target is not None and target not in targets:
        raise ValueError(
            "`target` names an array of the data with an entry a molecule. Received: "
            f"target={target!r} for {name} with {', '.join(targets) or 'none'}. Choose one."
        )
    found = {kind: named(kind, targets) for kind in NAMES}
    kind = None if target is None else _kind(target, np.shape(targets[target]), points.mask.shape)
    if kind in ("energy", "dipole"):
        return {kind: target}
    energy, forces = pair(targets, [*targets])
    forces = target or forces
    energy = partner(forces, targets) or energy
    own = str(energy).removesuffix("_kcal") + "_ha"
    if forces and own in targets and not forces.endswith("_kcal"):
        energy = own  # forces beside an energy in hartree are in its units
    if energy:
        return {"energy": energy} | ({"forces": forces} if forces else {})
    if found["dipole"] and target is None:
        return {"dipole": found["dipole"]}
    raise ValueError(
        "Molecules need something to learn: an energy, with or without forces, which are its gradient, or a dipole. "
        f"Received: {name} with {', '.join(targets) or 'none'}. Name an array of one number or one vector a molecule, "
        "--target NAME, or add an array `energy`."
    )


def pair(names, vectors):
    """The names of an energy, and of the forces among what is a vector for each atom that belong to it, or None each:
    both are known, or called the same but for the word."""
    energy, forces = named("energy", names), named("forces", vectors)
    known = energy in NAMES["energy"] and forces in NAMES["forces"]
    return energy, forces if known or (forces and partner(forces, names) == energy) else None


def partner(forces, names):
    """The energy whose name is that of these forces but for the word, such as REF_energy of REF_forces; or None."""
    alike = [str(forces).replace(word, "energy") for word in ("forces", "force") if word in str(forces)]
    return next((name for name in alike if name in names), None)


def _kind(key, shape, places):
    """What an array of this name and shape is: "energy", or another number, "forces" or "dipole"."""
    known = next((kind for kind, names in NAMES.items() if key in names), None)
    return known or ("dipole" if shape[1:] == (3,) else "forces" if shape == (*places, 3) else "energy")


def _learnable(name, points, keys):
    """The same `PointSet` with what is learned as its targets, checked before anything is drawn."""
    targets = {kind: _shaped(name, kind, key, points) for kind, key in keys.items()}
    return dataclasses.replace(points, targets=targets)


def _shaped(name, kind, key, points):
    """The array of a target in its one shape; ValueError for others, and for what are no numbers."""
    array, count, mask = np.asarray(points.targets[key]), len(points), points.mask
    shapes = {"energy": (count, 1), "dipole": (count, 3), "forces": (*mask.shape, 3)}
    if array.shape != shapes[kind] and not (kind == "energy" and array.shape == (count,)):
        raise ValueError(
            "A target of molecules is a number each, such as an energy, (samples,), a vector each, such as a dipole, "
            f"(samples, 3), or forces on the atoms, (samples, N, 3). Received: {name} with {key} of shape "
            f"{array.shape} for {count} samples of up to {mask.shape[1]} atoms. Save it so, or choose another, "
            "--target NAME."
        )
    if kind == "forces" and array.dtype.kind == "f":
        array = np.where(mask[..., None], array, 0)
    return as_numbers(array, "float64", f"Targets, {key} of {name},").reshape(shapes[kind])


def load_clusters(seed=0, count=500, atoms=6, target="forces", elements=(1, 2), points=None):
    """Generated clusters of two kinds of atoms, of 3 to `atoms` each, with what they have to be learned; needs no file.

    Energy: E = sum over pairs of c_i c_j (exp(-2 a) - 2 exp(-a)), a = 2 (r - 1.2), a Morse potential, with charges c of
    1 or 2 (in units of the wells); forces -dE/dx; the dipole is sum (c_i - mean c) x_i.

    Args:
        seed: of everything random.
        count: molecules, of which a tenth is for testing.
        atoms: the most in one.
        target: "energy", "forces" (and energy) or "dipole".
        elements: charges that a network is to tell apart.
        points: places for atoms; by default as many as `atoms`.
    """
    if target not in ("energy", "forces", "dipole"):
        raise ValueError(f"`target` must be energy, forces or dipole. Received: target={target!r}. Choose one.")
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, atoms + 1, count)
    mask = np.arange(atoms) < sizes[:, None]
    charges = rng.integers(1, 3, (count, atoms)) * mask
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 1.2
    order = rng.permuted(np.tile(np.arange(len(grid)), (count, 1)), axis=1)[:, :atoms]
    positions = (grid[order] + rng.normal(0, 0.08, (count, atoms, 3))) * mask[..., None]
    energy, forces = morse(positions, charges)
    mean = charges.sum(axis=1) / sizes
    targets = {
        "energy": {"energy": energy},
        "forces": {"energy": energy, "forces": forces},
        "dipole": {"dipole": ((charges - mean[:, None]) * mask)[..., None].transpose(0, 2, 1) @ positions},
    }[target]
    targets = {key: array.reshape(count, 3) if key == "dipole" else array for key, array in targets.items()}
    found = molecules_of("clusters", charges, positions, targets, elements, points)
    return as_dataset("clusters", found, seed, description=f"generated clusters of up to {atoms} atoms (seed {seed})")


def morse(positions, charges):
    """Energies `(n,)` and forces `(n, N, 3)` of `load_clusters`."""
    offsets = positions[:, :, None] - positions[:, None]
    lengths = np.linalg.norm(offsets, axis=-1)
    pairs = charges[:, :, None] * charges[:, None] * (1 - np.eye(charges.shape[1]))
    decay = np.exp(-2 * (lengths - 1.2))
    energy = 0.5 * (pairs * (decay**2 - 2 * decay)).sum(axis=(1, 2))
    slope = pairs * 4 * (decay - decay**2) / np.where(lengths > 0, lengths, 1)
    return energy, -(slope[..., None] * offsets).sum(axis=2)
