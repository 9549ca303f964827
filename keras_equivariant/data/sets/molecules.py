"""Molecules with energies, forces or dipoles as data sets: archives, extended xyz, and one that is generated."""

import logging
from pathlib import Path

import numpy as np

from keras_equivariant.data.archive import find
from keras_equivariant.data.cuts import drawn, others
from keras_equivariant.data.dataset import Dataset
from keras_equivariant.data.rows import Rows
from keras_equivariant.data.sets.points import PointSet, charge_values, in_cells, load_molecules
from keras_equivariant.utils.arrays import array_names
from keras_equivariant.utils.optional import require
from keras_equivariant.utils.periodic import space_of

TEST_SHARE = 0.1
# What the arrays of archives are called, the likeliest first.
NAMES = {
    "energy": ("energy", "energy_pbe0_kcal", "binding_energy_kcal", "energies", "E"),
    "forces": ("forces", "F"),
    "dipole": ("dipole", "dipole_au"),
}

log = logging.getLogger("keras_equivariant.data")


def holds_molecules(path):
    """Whether a file is an archive of molecules: charges `z` and positions `pos`."""
    try:
        return {"z", "pos"} <= set(array_names(path)) or {"z", "positions"} <= set(array_names(path))
    except (ValueError, OSError):
        return False


def load_molecule_set(path, seed=0, target=None):
    """Molecules of an .npz file with `z`, `pos` and energies, forces or dipoles; a tenth is drawn for testing.

    Args:
        path: the file, or the name of one in the folder that KERAS_EQUIVARIANT_DATA names.
        seed: of the draw.
        target: name of the array to learn; by default an energy, with forces if there are any, else a dipole.

    Raises:
        ValueError: no array of that name, or none that is an energy, forces or a dipole.
    """
    points = load_molecules(path)
    return as_dataset(str(path), points, seed, target, f"molecules of {Path(path).name}")


def as_dataset(name, points, seed=0, target=None, description=None, test=None):
    """A `Dataset` of a `PointSet`, whose targets it chooses; `test` is a `PointSet` to test on, else a tenth is "
    "drawn."""
    keys = _chosen(name, points.targets, target)
    if test is None:
        rows = drawn(np.zeros((len(points), 1)), max(1, round(TEST_SHARE * len(points))), seed)
        test, points = points.take(rows), points.take(others(rows, len(points)))
    parts = {}
    for part, found in (("train", points), ("test", test)):
        parts[f"x_{part}"] = centered(found)
        parts[f"y_{part}"] = Rows(**{kind: _shaped(kind, found.targets[key]) for kind, key in keys.items()})
    atoms = points.positions.shape[1]
    return Dataset(
        name=name,
        description=description or f"{len(points) + len(test):,} molecules of up to {atoms} atoms",
        task="molecules",
        target_names=tuple(keys.values()),
        default_batch_size=50,
        **parts,
    )


def centered(points):
    """Positions about the mean of each molecule, values and mask, as `Rows`."""
    there = points.mask[..., None]
    mean = (points.positions * there).sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)
    mean[..., space_of(mean.shape[-1]) :] = 0  # lattice vectors stay
    return Rows(positions=((points.positions - mean) * there).astype("float32"), values=points.values, mask=points.mask)


def _chosen(name, targets, target):
    if target is not None:
        if target not in targets:
            raise ValueError(
                f"`target` names an array of the data. Received: target={target!r} for {name} with "
                f"{', '.join(targets)}. Choose one."
            )
        kind = "dipole" if targets[target].ndim == 2 and targets[target].shape[1] == 3 else "energy"
        return {kind: target}
    found = {kind: next((n for n in names if n in targets), None) for kind, names in NAMES.items()}
    if found["energy"]:
        return {kind: found[kind] for kind in ("energy", "forces") if found[kind]}
    if found["dipole"]:
        return {"dipole": found["dipole"]}
    raise ValueError(
        f"Molecules need something to learn: an energy, forces or a dipole. Received: {name} with "
        f"{', '.join(targets) or 'none'}. Name the array, --target NAME."
    )


def _shaped(kind, array):
    array = np.asarray(array, "float64")
    if kind == "energy":
        return array.reshape(len(array), 1)
    return array.reshape(len(array), 3) if kind == "dipole" else array


def load_extended_xyz(paths, seed=0, test=None, periodic=None):
    """Molecules of plain or extended xyz files, read by ASE: energies, and forces if the files have them.

    Where a frame has a `Lattice`, positions come with the lattice vectors of its cell, zeros where `pbc` says that
    there is no period.

    Args:
        paths: file, or files, of any number of frames each.
        seed: of the draw of a tenth for testing.
        test: file, or files, to test on instead.
        periodic: whether positions come with a cell; None where a frame has one. False leaves cells out.

    Raises:
        ValueError: a damaged file, frames without energies, or `periodic` where no frame has a cell.
    """
    paths, test_paths = ([p] if isinstance(p, str | Path) else list(p or ()) for p in (paths, test))
    frames, test_frames = ([f for p in group for f in read_frames(p)] for group in (paths, test_paths))
    places = max(len(f["z"]) for f in frames + test_frames)
    elements = np.unique(np.concatenate([f["z"] for f in frames + test_frames]))
    name = str(paths[0])
    found = any(frame["cell"].any() for frame in frames + test_frames)
    if periodic and not found:
        raise ValueError(
            f"`periodic` needs frames with a cell. Received: periodic={periodic} for {name} without any. Leave it out, "
            'or write Lattice="…" into the comment lines (extended xyz).'
        )
    periodic = found if periodic is None else periodic
    points = _as_points(name, frames, places, elements, periodic)
    held_out = _as_points(name, test_frames, places, elements, periodic) if test_frames else None
    return as_dataset(name, points, seed, test=held_out, description=f"molecules of {Path(name).name}")


def read_frames(path):
    """The molecules of an xyz file, each a dict of `z`, `positions`, `energy`, `cell`, lattice vectors as rows, zeros
    where there is no period, and `forces` where it has them."""
    path = find(str(path)) or Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No such data file. Received: {path}. Give the path of an .xyz file.")
    reader = require("ase.io", "Reading xyz files", "molecules")
    try:
        atoms = reader.read(path, index=":")
    except Exception as error:
        raise ValueError(f"An xyz file must be whole. Received: {path} ({error}). Make or fetch it again.") from error
    found = []
    for frame in atoms:
        results = getattr(frame.calc, "results", {})
        energy = results.get("energy", frame.info.get("energy", frame.info.get("Energy")))
        if energy is None:
            raise ValueError(
                f"Frames of an xyz file say their energy. Received: {path}, frame {len(found)} with "
                f"{', '.join(frame.info) or 'nothing'}. Write energy=... into the comment lines (extended xyz)."
            )
        forces = results.get("forces", frame.arrays.get("forces"))
        kept = {} if forces is None else {"forces": np.asarray(forces)}
        cell = np.where(frame.pbc[:, None], frame.cell.array, 0.0)
        found.append({"z": frame.numbers, "positions": frame.positions, "energy": float(energy), "cell": cell, **kept})
    if not found:
        raise ValueError(f"An xyz file holds molecules. Received: {path} with none. Make or fetch it again.")
    return found


def _as_points(name, frames, places, elements, periodic):
    z = np.zeros((len(frames), places), "int64")
    positions = np.zeros((*z.shape, 3))
    forces = np.zeros((*z.shape, 3))
    with_forces = all("forces" in frame for frame in frames)
    for i, frame in enumerate(frames):
        count = len(frame["z"])
        z[i, :count], positions[i, :count] = frame["z"], frame["positions"]
        if with_forces:
            forces[i, :count] = frame["forces"]
    if periodic:
        positions = in_cells(positions, np.stack([frame["cell"] for frame in frames]))
    targets = {"energy": np.array([frame["energy"] for frame in frames])}
    return PointSet(
        name, positions, charge_values(z, elements), z > 0, targets | ({"forces": forces} if with_forces else {})
    )


def load_clusters(seed=0, count=500, atoms=6, target="forces"):
    """Generated clusters of two kinds of atoms, of 3 to `atoms` each, with what they have to be learned; needs no file.

    Energy: E = sum over pairs of c_i c_j (exp(-2 a) - 2 exp(-a)), a = 2 (r - 1.2), a Morse potential, with charges c of
    1 or 2 (in units of the wells); forces -dE/dx; the dipole is sum (c_i - mean c) x_i.

    Args:
        seed: of everything random.
        count: molecules, of which a tenth is for testing.
        atoms: the most in one.
        target: "energy", "forces" (and energy) or "dipole".
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
    points = PointSet("clusters", positions, charge_values(charges, np.array([1, 2])), mask, targets)
    found = as_dataset("clusters", points, seed, description=f"generated clusters of up to {atoms} atoms (seed {seed})")
    return found


def morse(positions, charges):
    """Energies `(n,)` and forces `(n, N, 3)` of `load_clusters`."""
    offsets = positions[:, :, None] - positions[:, None]
    lengths = np.linalg.norm(offsets, axis=-1)
    pairs = charges[:, :, None] * charges[:, None] * (1 - np.eye(charges.shape[1]))
    decay = np.exp(-2 * (lengths - 1.2))
    energy = 0.5 * (pairs * (decay**2 - 2 * decay)).sum(axis=(1, 2))
    slope = pairs * 4 * (decay - decay**2) / np.where(lengths > 0, lengths, 1)
    return energy, -(slope[..., None] * offsets).sum(axis=2)
