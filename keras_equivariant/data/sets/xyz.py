"""Molecules and crystals from plain and extended xyz files, and from the trajectories of ASE, which reads them."""

from pathlib import Path

import numpy as np

from keras_equivariant.data.archive import find
from keras_equivariant.data.sets.molecules import as_dataset
from keras_equivariant.data.sets.points import in_cells, molecules_of
from keras_equivariant.utils.optional import require

SUFFIXES = (".xyz", ".extxyz", ".traj")


def load_extended_xyz(paths, seed=0, test=None, periodic=None, target=None, elements=None, points=None):
    """Molecules of plain or extended xyz files, or ASE's .traj: energies, and forces if the files have them.

    Where a frame has a `Lattice`, positions come with the lattice vectors of its cell, zeros where `pbc` says that
    there is no period.

    Args:
        paths: file, or files, of any number of frames each.
        seed: of the draw of a tenth for testing.
        test: file, or files, to test on instead.
        periodic: whether positions come with a cell; None where a frame has one. False leaves cells out.
        target: what to learn: "energy" alone, "forces" with it, or what else the comment lines say, one number or one
            vector a frame, such as "dipole". By default an energy, with forces if there are any, else a dipole.
        elements: charges of the elements that a network is to tell apart; by default those of the files.
        points: places for atoms; by default as many as the largest molecule has.

    Raises:
        ValueError: a damaged file, frames that do not say what is to be learned, atoms of other elements or more than
            there are places, or `periodic` where no frame has a cell.
    """
    paths, test_paths = ([p] if isinstance(p, str | Path) else list(p or ()) for p in (paths, test))
    frames, held_out = ([f for p in group for f in read_frames(p)] for group in (paths, test_paths))
    name, every = str(paths[0]), frames + held_out
    names = _learned(every, target)
    if points is None:
        points = max(len(frame["z"]) for frame in every)
    if elements is None:
        elements = np.unique(np.concatenate([frame["z"] for frame in every]))
    periodic = _periodic(name, every, periodic)
    parts = [
        molecules_of_frames(name, part, elements, points, periodic, names) if part else None
        for part in (frames, held_out)
    ]
    return as_dataset(name, parts[0], seed, target, f"molecules of {Path(name).name}", parts[1])


def molecules_of_frames(name, frames, elements=None, points=None, periodic=None, names=()):
    """A `PointSet` of what `read_frames` found, with what each frame says by these `names` as targets; `elements` and
    `points` as of `load_molecules`, `periodic` as of `load_extended_xyz`."""
    z, positions, targets = _arrays(frames, names, _periodic(name, frames, periodic))
    return molecules_of(name, z, positions, targets, elements, points)


def read_frames(path):
    """The molecules of an xyz file, each a dict of `place`, the file and the number of the frame, `z`, `positions`,
    `cell`, lattice vectors as rows, zeros where there is no period, `pbc`, along which there is one, and `says`, a dict
    of the numbers that it has besides: `energy`, `forces` and whatever stands in its comment line."""
    path = find(str(path)) or Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No such data file. Received: {path}. Give the path of an .xyz file.")
    reader = require("ase.io", "Reading xyz files", "molecules")
    try:
        atoms = reader.read(path, index=":")
    except KeyError as error:
        raise ValueError(
            f"Atoms of an xyz file are elements. Received: {path} with {error.args[0]!r}. Correct the symbol, or "
            "remove the atom."
        ) from error
    except Exception as error:
        what = "A trajectory" if path.suffix.lower() == ".traj" else "An xyz file"
        raise ValueError(f"{what} must be whole. Received: {path} ({error}). Make or fetch it again.") from error
    if not atoms:
        raise ValueError(f"An xyz file holds molecules. Received: {path} with none. Make or fetch it again.")
    return [_frame(f"{path}, frame {i}", frame) for i, frame in enumerate(atoms)]


def _frame(place, atoms):
    if not len(atoms) or atoms.numbers.min() < 1:
        raise ValueError(
            f"A frame of an xyz file holds atoms, each of an element. Received: {place} with "
            f"{', '.join(atoms.symbols) or 'none'}. Remove the frame, or what is no atom in it, such as X."
        )
    says = {**atoms.info, **getattr(atoms.calc, "results", {})}
    if "forces" in atoms.arrays:
        says.setdefault("forces", atoms.arrays["forces"])
    if "Energy" in says:
        says.setdefault("energy", says["Energy"])
    cell = np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)
    return {
        "place": place,
        "z": atoms.numbers,
        "positions": atoms.positions,
        "cell": cell,
        "pbc": atoms.pbc,
        "says": says,
    }


def _learned(frames, target):
    """The names of what is learned, which every frame says."""
    said = {name for frame in frames for name in frame["says"]}
    if target is None:
        target = "forces" if {"energy", "forces"} <= said else "energy" if "energy" in said else None
    if target is None:
        target = "dipole" if "dipole" in said else "energy"
    names = ("energy", "forces") if target == "forces" else (target,)
    for frame in frames:
        for name in names:
            if name in frame["says"]:
                continue
            without = ", or learn the energies alone, --target energy" if name == "forces" else ""
            raise ValueError(
                f"Frames of an xyz file say their {name}. Received: {frame['place']} with "
                f"{', '.join(map(str, frame['says'])) or 'nothing'}. Write {name} into all frames (extended xyz), "
                f"leave this one out{without or ', or name what they say, --target NAME'}."
            )
    return names


def _periodic(name, frames, periodic):
    """Whether positions come with a cell."""
    found = any(frame["cell"].any() for frame in frames)
    if periodic and not found:
        raise ValueError(
            f"`periodic` needs frames with a cell. Received: periodic={periodic} for {name} without any. Leave it out, "
            'or write Lattice="…" into the comment lines (extended xyz).'
        )
    bare = next((frame for frame in frames if frame["pbc"].any() and not frame["cell"].any()), None)
    if periodic is not False and bare:
        raise ValueError(
            f"A frame with periods says its cell. Received: {bare['place']} with pbc but no lattice vector along it. "
            'Write Lattice="…" into its comment line, or leave cells out, --option periodic=false.'
        )
    return found if periodic is None else periodic


def _arrays(frames, names, periodic):
    """`(z, positions, targets)` of frames, filled up to the largest."""
    z = np.zeros((len(frames), max(len(frame["z"]) for frame in frames)), "int64")
    positions = np.zeros((*z.shape, 3))
    targets = {name: np.zeros((*z.shape, 3)) if name == "forces" else [] for name in names}
    for i, frame in enumerate(frames):
        count = len(frame["z"])
        z[i, :count], positions[i, :count] = frame["z"], frame["positions"]
        for name in names:
            value = np.asarray(frame["says"][name])
            wanted = ((count, 3),) if name == "forces" else ((), (1,), (3,))
            if value.shape not in wanted or value.dtype.kind not in "buif":
                raise ValueError(
                    "A frame says one number, one vector, or the forces on its atoms. Received: "
                    f"{frame['place']} with {name} of shape {value.shape} and dtype {value.dtype}. Correct it, or "
                    "choose another, --target NAME."
                )
            if name == "forces":
                targets[name][i, :count] = value
            else:
                targets[name].append(value)
    if periodic:
        positions = in_cells(positions, np.stack([frame["cell"] for frame in frames]))
    return z, positions, {name: _stacked(frames, name, array) for name, array in targets.items()}


def _stacked(frames, name, values):
    shapes = [np.shape(value) for value in values]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        raise ValueError(
            f"Frames of a file say numbers of one shape. Received: {frames[other]['place']} with {name} of shape "
            f"{shapes[other]}, the first with {shapes[0]}. Write them alike."
        )
    return np.array(values)
