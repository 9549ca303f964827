"""Molecules and clouds of points in files that nobody has labeled, read as the run read its own, and what is said of
them."""

import dataclasses
from pathlib import Path

import numpy as np

from keras_equivariant.data import Rows, load_molecules, load_point_cloud
from keras_equivariant.data.sets.elements import with_places
from keras_equivariant.data.sets.molecules import centered, holds_molecules
from keras_equivariant.data.sets.names import NAMES
from keras_equivariant.data.sets.xyz import SUFFIXES as FRAMES
from keras_equivariant.data.sets.xyz import molecules_of_frames, read_frames
from keras_equivariant.utils import hdf5
from keras_equivariant.utils.arrays import array_names
from keras_equivariant.utils.optional import require
from keras_equivariant.utils.periodic import space_of

WRITTEN = (".xyz", ".extxyz")
SUFFIXES = (*FRAMES, ".npz", *hdf5.SUFFIXES)


def takes_points(model):
    """Whether a network takes positions `(B, N, d)`, values `(B, N, C)` and a mask `(B, N)`."""
    shapes = getattr(model, "input_shape", None)
    return isinstance(shapes, list) and [len(shape) for shape in shapes] == [3, 3, 2]


def checked_output(output, trained, paths):
    """The path that answers are written to, or None; ValueError where they do not suit it, or would replace a file."""
    if output is None:
        return None
    output = Path(output).expanduser()
    # Vectors of clouds are learned as those of molecules, but have no elements to write.
    frames = WRITTEN if (trained.settings.get("data_options") or {}).get("elements") else ()
    if output.suffix.lower() not in (".csv", *frames) or output.is_dir():
        raise ValueError(
            f"Answers of one row {'a molecule' if frames else 'a cloud'} are written to a file, "
            f"{' or '.join(['.csv', *frames[1:]])}. Received: output={str(output)!r}. Name one, such as "
            f"{output.stem}.csv."
        )
    if output.resolve() in [path.resolve() for path in paths]:
        raise ValueError(f"Answers replace no file that is read. Received: output={str(output)!r}. Name another file.")
    if output.suffix.lower() in WRITTEN:
        require("ase.io", "Writing xyz files", "molecules")
    return output


class Answers:
    """What the network of a run says of each molecule, or cloud of points, of some files.

    Args:
        trained: `Trained`.
        task: its `Task`, of what it learned.
        paths: the files.
        run: what the network is called in messages.
    """

    def __init__(self, trained, task, paths, run):
        self._trained, self._task, self._paths = trained, task, paths
        # All files are read before the first is answered, so that what is wrong with the last is known at once.
        self._clouds = [_read(trained, path, run) for path in paths]
        places = trained.model.input_shape[0][1] or max(cloud.mask.shape[1] for cloud in self._clouds)
        rows = [_rows(trained, cloud, places, path) for cloud, path in zip(self._clouds, paths, strict=True)]
        joined = Rows(**{name: np.concatenate([r.arrays[name] for r in rows]) for name in rows[0].arrays})
        trained.check_extent(joined, str(paths[0]) if len(paths) == 1 else "what is predicted")
        self._outputs = task.outputs(trained.model, joined, trained.preprocess)

    def table(self):
        """`(columns, rows)`, a row a molecule, with its number in the file."""
        found = self._task.answers(self._outputs, self._trained)
        places = [(str(p), i) for p, cloud in zip(self._paths, self._clouds, strict=True) for i in range(len(cloud))]
        rows = tuple((*place, *said) for place, *said in zip(places, *found.values(), strict=True))
        return ("file", "number", *found), rows

    def save(self, path):
        """Write the molecules as extended xyz, with what is said of each in its comment line and of each atom beside
        it; energies, forces and dipoles have the names that the format knows."""
        io, atoms = (require(name, "Writing xyz files", "molecules") for name in ("ase.io", "ase"))
        frames, named = [], self._task.named(self._outputs, self._trained)
        said = {next((kind for kind, names in NAMES.items() if n in names), n): v for n, v in named.items()}
        for cloud in self._clouds:
            charges = np.array(cloud.elements)[np.argmax(cloud.values[..., : len(cloud.elements)], axis=-1)]
            for z, places, there in zip(charges, cloud.positions, cloud.mask, strict=True):
                # The shortest decimals that are the same in float32, as the file had them.
                places = places[there].astype(str).astype("float64")
                cell = places[0, 3:].reshape(-1, 3) if places.shape[1] > 3 else None
                frame = atoms.Atoms(z[there], places[:, :3], cell=cell, pbc=cell is not None and cell.any(axis=1))
                for name, values in said.items():
                    value = values[len(frames)]
                    if values.ndim == 3:
                        frame.arrays[name] = value[there]
                    else:
                        frame.info[name] = value if values.ndim == 2 else float(value)
                frames.append(frame)
        io.write(path, frames, format="extxyz")


def _read(trained, path, run):
    """The `PointSet` of a file, in the form of the run's own data but for the places of clouds."""
    kept, places = trained.settings.get("data_options") or {}, trained.model.input_shape[0][1]
    elements, frames = kept.get("elements"), path.suffix.lower() in FRAMES
    atoms = frames or holds_molecules(path)
    if not atoms or elements is None and not frames and "positions" in array_names(path):
        return load_point_cloud(path)
    if elements is None:
        raise ValueError(
            f"Atoms are read by the elements that a run on molecules keeps. Received: {path} for {run}, which keeps "
            "none. Give the folder of such a run, or an .npz file with positions, values and mask."
        )
    options = {"elements": elements, "points": places}
    if not frames:
        return _celled(load_molecules(path, **options), trained, path)
    leave = {"periodic": False} if kept.get("periodic") is False else {}
    return _celled(molecules_of_frames(str(path), read_frames(path), **options, **leave), trained, path)


def _celled(cloud, trained, path):
    """Molecules in a cell where the network takes one, and else in none; ValueError for others."""
    wanted, found = trained.model.input_shape[0][-1], cloud.positions.shape[-1]
    d = space_of(found)
    if wanted > found:
        raise ValueError(
            f"A network that was trained in periodic cells reads molecules in cells. Received: {path} without any. "
            'Write Lattice="…" into the comment lines (extended xyz), or save lattice vectors as `cell` (.npz).'
        )
    if wanted < found and cloud.positions[..., d:].any():
        if (trained.settings.get("data_options") or {}).get("periodic") is not False:
            raise ValueError(
                f"A network that has seen no periodic cells reads molecules without. Received: {path} with some. Write "
                'pbc="F F F" into the comment lines (extended xyz), leave out `cell` (.npz), or train on such data.'
            )
    if wanted < found:
        return dataclasses.replace(cloud, positions=cloud.positions[..., :d])
    return cloud


def _rows(trained, cloud, places, path):
    """What the network takes: molecules about their middles, as they are trained on; clouds with its places."""
    if trained.task == "molecules":
        cloud = dataclasses.replace(cloud, **centered(cloud).arrays)
    used = int(np.flatnonzero(cloud.mask.any(axis=0)).max()) + 1
    wanted = [shape[-1] for shape in trained.model.input_shape[:2]]
    found = [cloud.positions.shape[-1], cloud.values.shape[-1]]
    if used > places or any(w not in (None, f) for w, f in zip(wanted, found, strict=True)):
        raise ValueError(
            f"Clouds hold up to {places} points, each of {wanted[0]} coordinates and {wanted[1]} values, as the "
            f"network was trained on. Received: {path} with up to {used} points of {found[0]} coordinates and "
            f"{found[1]} values. Save such clouds, or train on these."
        )
    arrays = zip(("positions", "values", "mask"), cloud.inputs, strict=True)
    return Rows(**{name: with_places(array, places, cloud.mask) for name, array in arrays})
