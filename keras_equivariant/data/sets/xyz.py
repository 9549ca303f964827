"""Molecules and crystals from plain and extended xyz files, and from the trajectories of ASE, which reads them."""

from pathlib import Path

import numpy as np

from keras_equivariant.data.archive import find
from keras_equivariant.data.sets.molecules import as_dataset, pair, partner
from keras_equivariant.data.sets.names import named
from keras_equivariant.data.sets.points import in_cells, molecules_of
from keras_equivariant.data.undivided import SPLIT
from keras_equivariant.utils.optional import require

SUFFIXES = (".xyz", ".extxyz", ".traj")
OF_ATOMS = ("forces", "charges", "magmoms", "energies", "stresses")  # what ASE calls results that have an entry an atom


def load_extended_xyz(paths, seed=0, test=None, periodic=None, target=None, elements=None, points=None):
    """Molecules of plain or extended xyz files, or ASE's .traj: energies, and forces if the files have them.

    Where a frame has a `Lattice`, positions come with the lattice vectors of its cell, zeros where `pbc` says that
    there is no period.

    Args:
        paths: file, or files, of any number of frames each.
        seed: of the draw of a tenth for testing, where no `split` in the comment lines says train, val or test.
        test: file, or files, to test on instead.
        periodic: whether positions come with a cell; None where a frame has one. False leaves cells out.
        target: what to learn: "energy" alone, "forces" with it, or what else the comment lines say, one number or one
            vector a frame, such as "dipole". By default an energy, with forces if there are any, else a dipole; where
            no name is known, the only one that ends as such, as REF_energy and REF_forces.
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
    said = [frame["says"].get(SPLIT) for frame in frames]
    if not held_out and all(isinstance(part, str) for part in said):
        parts[0].targets[SPLIT] = np.array(said)
    return as_dataset(name, parts[0], seed, names[-1], f"molecules of {Path(name).name}", parts[1])


def molecules_of_frames(name, frames, elements=None, points=None, periodic=None, names=()):
    """A `PointSet` of what `read_frames` found, with what each frame says by these `names` as targets; `elements` and
    `points` as of `load_molecules`, `periodic` as of `load_extended_xyz`."""
    z, positions, targets = _arrays(frames, names, _periodic(name, frames, periodic))
    return molecules_of(name, z, positions, targets, elements, points)


def read_frames(path):
    """The molecules of an xyz file, each a dict of `place`, the file and the number of the frame, `z`, `positions`,
    `cell`, lattice vectors as rows, zeros where there is no period, `pbc`, along which there is one, `says`, a dict of
    what it has besides: `energy` and whatever stands in its comment line, and `of_atoms`, what it has of each atom,
    such as `forces`."""
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
    own = {name: array for name, array in atoms.arrays.items() if name not in ("numbers", "positions")}
    # ASE has what it knows to be of the atoms among the results.
    own |= {name: says.pop(name) for name in OF_ATOMS if name in says}
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
        "of_atoms": own,
    }


def _learned(frames, target):
    """The names of what is learned, which every frame says."""
    said, of_atoms = ({name for frame in frames for name in frame[key]} for key in ("says", "of_atoms"))
    vectors = {name for name in of_atoms if any(_is_forces(frame, name) for frame in frames)}
    energy, forces = pair(said, vectors)
    if target is None:
        target = forces or energy or named("dipole", said) or "energy"
    names = (target,)
    if target == "forces" or target in vectors:
        target = target if target in vectors else named("forces", vectors) or target
        names = (partner(target, said) or energy or "energy", target)
    for frame in frames:
        for name in names:
            if name in frame["says"] or name in frame["of_atoms"]:
                continue
            without = f", or learn the energies alone, --target {names[0]}" if name == names[-1] != names[0] else ""
            there = ", ".join(map(str, [*frame["says"], *frame["of_atoms"]])) or "nothing"
            raise ValueError(
                f"Frames of an xyz file say their {name}. Received: {frame['place']} with {there}. Write {name} into "
                f"all frames (extended xyz), leave this one out{without or ', or name what they say, --target NAME'}."
            )
    return names


def _is_forces(frame, name):
    """Whether what a frame has of its atoms is a vector each."""
    value = frame["of_atoms"].get(name)
    return np.shape(value) == (len(frame["z"]), 3) and np.asarray(value).dtype.kind in "buif"


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
    vectors = [name for name in names if any(name in frame["of_atoms"] for frame in frames)]
    targets = {name: np.zeros((*z.shape, 3)) if name in vectors else [] for name in names}
    for i, frame in enumerate(frames):
        count = len(frame["z"])
        z[i, :count], positions[i, :count] = frame["z"], frame["positions"]
        for name in names:
            value = np.asarray(frame["of_atoms" if name in frame["of_atoms"] else "says"][name])
            if name in vectors and _is_forces(frame, name):
                targets[name][i, :count] = value
            elif name not in vectors and value.shape in ((), (1,), (3,)) and value.dtype.kind in "buif":
                targets[name].append(value)
            else:
                raise ValueError(
                    "A frame says one number, one vector, or the forces on its atoms. Received: "
                    f"{frame['place']} with {name} of shape {value.shape} and dtype {value.dtype}"
                    f"{f', of {count} atoms' if name in vectors else ''}. Correct it, or choose another, --target NAME."
                )
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
