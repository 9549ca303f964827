"""Sets of points with values and targets: molecules from archives and xyz files, point clouds, pixels of images."""

import dataclasses
import logging
from pathlib import Path

import numpy as np

from keras_equivariant.data.archive import find
from keras_equivariant.data.scales import extent_of
from keras_equivariant.data.sets.elements import ELEMENTS, charge_values, checked_elements, with_places
from keras_equivariant.data.sets.names import NAMES, names_of_atoms
from keras_equivariant.utils.arrays import as_numbers, naming, read_arrays
from keras_equivariant.utils.periodic import space_of

HARTREE = 627.509474  # kcal/mol
QM9_PROPERTIES = ("A", "B", "C", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "U0", "U", "H", "G", "Cv")
_FORMATS = {
    "qm7.npz": ("z", "pos", "energy_pbe0_kcal"),
    "qm9_mp2_10k.npz": ("z", "pos", "binding_energy_ha", "homo_ha", "dipole_au"),
}
COARSE = 1e-4  # steps of a coordinate in float32, of the distance of the points from their middle

log = logging.getLogger("keras_equivariant.data")


@dataclasses.dataclass(frozen=True)
class PointSet:
    """Samples of up to N points each.

    Attributes:
        name: where it comes from.
        positions: `(samples, N, d)` float32; in periodic cells `(samples, N, d + d d)`, the d lattice vectors behind
            the coordinates of each point. About the middle of each sample where they lie so far from the origin, as
            those on a map, that float32 has too few digits for what is between them.
        values: `(samples, N, C)` float32, what is known of each point.
        mask: `(samples, N)` booleans, which places hold a point.
        targets: dict of arrays, the samples on axis 0.
        elements: charges of the elements that the values of atoms tell apart; empty where the points are no atoms.
    """

    name: str
    positions: np.ndarray
    values: np.ndarray
    mask: np.ndarray
    targets: dict
    elements: tuple = ()

    def __post_init__(self):
        shape = np.shape(self.positions)
        fits = len(shape) == 3 and 0 not in shape and np.shape(self.mask) == shape[:2]
        if not fits or np.shape(self.values)[:2] != shape[:2] or np.ndim(self.values) != 3:
            raise ValueError(
                "A set of points needs positions (samples, N, d), values (samples, N, C) and a mask (samples, N), with "
                f"at least one point. Received: {self.name} with shapes {shape}, {np.shape(self.values)}, "
                f"{np.shape(self.mask)}. Fill up with points that the mask leaves out."
            )
        there = np.asarray(self.mask, bool)
        kinds = {np.asarray(array).dtype for array in (self.positions, self.values)}
        if any(kind.kind not in "buif" for kind in kinds):
            raise ValueError(
                f"Positions and values must be real numbers. Received: {self.name} with dtypes "
                f"{', '.join(sorted(map(str, kinds)))}. Save complex values as two channels."
            )
        bad = there & ~(np.isfinite(self.positions).all(axis=-1) & np.isfinite(self.values).all(axis=-1))
        if bad.any():
            raise ValueError(
                f"Positions and values must be finite. Received: {self.name} with {int(bad.sum())} points that are NaN "
                f"or infinite, the first in sample {int(np.argwhere(bad)[0, 0])}. Remove them, or leave them out by "
                "the mask."
            )
        if not there.any(axis=1).all():
            empty = int(np.argmin(there.any(axis=1)))
            raise ValueError(
                f"Every sample must hold a point. Received: {self.name} with none in sample {empty}. Remove it."
            )
        keep = there[..., None]
        for field in ("positions", "values"):
            given = self._near(there) if field == "positions" else self.values
            numbers = np.where(keep, given, 0)
            object.__setattr__(self, field, as_numbers(numbers, "float32", f"The {field} of {self.name}"))
        object.__setattr__(self, "mask", there)
        for key, target in self.targets.items():
            if np.shape(target)[:1] != shape[:1]:
                raise ValueError(
                    f"There must be one target a sample. Received: {self.name} with {key!r} of shape "
                    f"{np.shape(target)} for {shape[0]} samples. Drop the rest."
                )

    def _near(self, there):
        """The positions, about their middles where float32 would round away what is between them."""
        positions = np.asarray(self.positions)
        d = space_of(positions.shape[-1])
        largest = np.abs(np.where(there[..., None], positions[..., :d], 0)).max(initial=0)
        step, apart = float(np.spacing(np.float32(largest))), extent_of(positions, there)
        if positions.dtype == "float32" or not step > COARSE * apart > 0:
            return positions
        log.info(
            "The points of %s lie up to %.4g from the origin, where float32 has steps of %.2g: they are taken about "
            "the middle of each sample.",
            self.name,
            largest,
            step,
        )
        return about_middles(positions, there)

    def __len__(self):
        return len(self.positions)

    def __repr__(self):
        _, places, width = self.positions.shape
        dimension = space_of(width)
        return (
            f"<PointSet {self.name}: {len(self)} samples of up to {places} points in {dimension} dimensions"
            f"{'' if width == dimension else ' in periodic cells'}, "
            f"{self.values.shape[-1]} values a point, targets: {', '.join(self.targets) or 'none'}>"
        )

    @property
    def inputs(self):
        """`[positions, values, mask]`, what a network on points takes."""
        return [self.positions, self.values, self.mask]

    def take(self, rows):
        """The samples with these numbers."""
        targets = {key: target[rows] for key, target in self.targets.items()}
        parts = (self.positions[rows], self.values[rows], self.mask[rows])
        return PointSet(self.name, *parts, targets, self.elements)

    def split(self, test, seed=0):
        """(training, test) sets, `test` samples in the second, drawn at random."""
        if not 0 < test < len(self):
            raise ValueError(f"`test` must be from 1 to {len(self) - 1}. Received: test={test}")
        order = np.random.default_rng(seed).permutation(len(self))
        return self.take(np.sort(order[test:])), self.take(np.sort(order[:test]))


def about_middles(positions, mask):
    """Positions `(samples, N, ...)` about the mean of those of each sample that are there; lattice vectors stay."""
    there = np.asarray(mask, bool)[..., None]
    points = np.where(there, positions, 0)
    mean = points.sum(axis=1, keepdims=True) / there.sum(axis=1, keepdims=True)
    mean[..., space_of(mean.shape[-1]) :] = 0
    return (points - mean) * there


def in_cells(positions, cells):
    """Positions of points with the lattice vectors of their cell behind them, as `SteerablePointConv` takes them.

    Args:
        positions: `(samples, N, d)`; whole numbers become floating ones.
        cells: `(samples, d, d)`, lattice vectors as rows, zeros where there is no period; or `(d, d)`, one for all.

    Returns:
        An array `(samples, N, d + d d)`.

    Raises:
        ValueError: arrays of other shapes.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data import in_cells
        >>> in_cells(np.zeros((2, 5, 3)), np.tile(np.eye(3), (2, 1, 1))).shape
        (2, 5, 12)
    """
    positions, cells = np.asarray(positions), np.asarray(cells)
    if positions.dtype.kind in "bui":  # else the lattice vectors would lose what is behind the point
        positions = positions.astype(np.result_type(cells, "float32"))
    d = positions.shape[-1] if positions.ndim else 0
    if positions.ndim != 3 or cells.shape not in ((d, d), (1, d, d), (len(positions), d, d)):
        raise ValueError(
            "Cells are the lattice vectors of each sample, (samples, d, d), or of all, (d, d), beside positions "
            f"(samples, N, d). Received: positions of shape {positions.shape} and cells of shape {cells.shape}. Give "
            "one or as many as there are samples, zeros where there is no period."
        )
    flat = cells.astype(positions.dtype).reshape(-1, 1, d * d)
    return np.concatenate([positions, np.broadcast_to(flat, (*positions.shape[:2], d * d))], axis=-1)


def least_heights(cells):
    """The least height of each of the cells `(samples, d, d)`: between the planes of the lattice that its faces are;
    infinite without a period."""
    heights = []
    for vectors in np.asarray(cells, "float64"):
        kept = vectors[(vectors**2).sum(axis=1) > 0]
        # A reciprocal vector is as long as 1 / height.
        heights.append(1 / np.linalg.norm(np.linalg.pinv(kept), axis=0).max() if len(kept) else np.inf)
    return np.array(heights)


def molecules_of(name, z, positions, targets, elements=None, points=None):
    """A `PointSet` of atoms, with values by their elements.

    Args:
        name: where it comes from.
        z: charges `(samples, N)`, 0 where there is no atom.
        positions: `(samples, N, ...)`.
        targets: dict of arrays; those of several numbers an atom have the atoms on axis 1.
        elements, points: as of `load_molecules`.
    """
    count, there = z.shape[1], z > 0
    elements = np.unique(z[there]) if elements is None else checked_elements(elements)
    targets = {
        key: with_places(array, points, there) if np.ndim(array) > 2 and np.shape(array)[1] == count else array
        for key, array in targets.items()
    }
    z, positions = with_places(z, points, there), with_places(positions, points, there)
    return PointSet(name, positions, charge_values(z, elements), z > 0, targets, tuple(map(int, elements)))


def load_molecules(path, elements=None, points=None):
    """Molecules from an archive: QM7 (`qm7.npz`) or 10,000 of QM9 (`qm9_mp2_10k.npz`), or one in their form.

    The archive holds `z` (samples, N), charges with 0 where there is no atom, or (N,) where all samples have the same
    atoms, `pos` (samples, N, 3), and arrays of targets with the samples on axis 0. The names of MD17 and rMD17 (`R`;
    `nuclear_charges`, `coords`) do as well. With `cell` (samples, 3, 3), lattice vectors as rows, zeros where there is
    no period, or (3, 3) for all samples, the positions come with them. Energies in hartree (`*_ha`) are given in
    kcal/mol too (`*_kcal`).

    Args:
        path: an .npz file, or the name of one in the folder that KERAS_EQUIVARIANT_DATA names.
        elements: charges of the elements that the values tell apart; by default those that occur.
        points: places for atoms; by default as many as `z` has.
    """
    path = find(str(path)) or Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"No such data file. Received: {path}. Give a path, or set KERAS_EQUIVARIANT_DATA to its folder."
        )
    arrays = read_arrays(path, _FORMATS.get(path.name), "An archive of molecules")
    own = names_of_atoms(arrays)
    if own is None:
        raise ValueError(f"An archive of molecules must hold z and pos. Received: {path} with {', '.join(arrays)}.")
    given, positions = (np.asarray(arrays.pop(name)) for name in own)
    z = as_numbers(given, "int64", f"Charges of atoms, z of {path},")
    if z.ndim == 1 and positions.shape == (len(positions), len(z), 3):
        z = np.tile(z, (len(positions), 1))
    if z.ndim != 2 or z.min(initial=0) < 0 or not z.any():
        raise ValueError(
            "Charges of atoms must be an array (samples, N) of positive integers, 0 where there is no atom. "
            f"Received: {path} with z of shape {z.shape} from {z.min(initial=0)}. Save them so."
        )
    if positions.shape != (*z.shape, 3):
        raise ValueError(
            "Positions of atoms must be an array (samples, N, 3) for charges (samples, N). Received: "
            f"{path} with pos of shape {positions.shape} and z of shape {z.shape}. Save them so, lattice vectors as "
            "`cell`."
        )
    cell, targets = arrays.pop("cell", None), _targets(path, arrays, len(z))
    with naming(path):
        positions = positions if cell is None else in_cells(positions, cell)
        return molecules_of(path.stem, z, positions, targets, elements, points)


def _targets(path, arrays, count):
    """The arrays of `count` samples, energies in hartree in kcal/mol too; what else there is stays behind, and no
    target may."""
    known = {name for names in NAMES.values() for name in names}
    whole = _whole(path, arrays, count, ("a molecule", "charges z"), lambda key: key in known or key.endswith("_ha"))
    return whole | {
        key.removesuffix("_ha") + "_kcal": array * HARTREE
        for key, array in whole.items()
        if key.endswith("_ha") and array.dtype.kind in "buif"
    }


def _whole(path, arrays, count, what, is_target):
    """The arrays with an entry for each of `count` samples; others are left out, which is said, but no target may.

    Args:
        what: a sample is, and what there is one of for each.
    """
    whole = {key: array for key, array in arrays.items() if np.ndim(array) and len(array) == count}
    left = {key: np.shape(array) for key, array in arrays.items() if np.ndim(array) and key not in whole}
    for key, shape in left.items():
        if is_target(key):
            raise ValueError(
                f"There must be one target a sample. Received: {path} with {key} of shape {shape} for {count} samples. "
                f"Save as many as there are {what[1]}, or leave the array out."
            )
    if left:
        log.info("Arrays of %s that have no entry %s are left out: %s.", path.name, what[0], ", ".join(left))
    return whole


def load_xyz(paths, points=None, elements=None):
    """Molecules from files in the published xyz format of QM9, one a file.

    A file has the number of atoms, a line `gdb <id>` with fifteen properties, and a line an atom: symbol, x, y, z in
    angstrom and a partial charge; further lines are ignored. Numbers may be written as 1.2*^-5.

    Args:
        paths: the files, or one.
        points: places for atoms; by default as many as the largest molecule has.
        elements: charges of the elements that the values tell apart; by default those that occur.

    Returns:
        A PointSet; its targets are the properties, as the files give them.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else paths
    molecules = [_read_xyz(Path(path)) for path in paths]
    if not molecules:
        raise ValueError("There must be a file at least. Received: none. Give the paths of .xyz files.")
    z = np.zeros((len(molecules), max(len(numbers) for numbers, _, _ in molecules)), "int64")
    positions = np.zeros((*z.shape, 3), "float32")
    for i, (numbers, places, _) in enumerate(molecules):
        z[i, : len(numbers)], positions[i, : len(numbers)] = numbers, places
    properties = np.array([found for _, _, found in molecules], "float64")
    targets = {name: properties[:, i] for i, name in enumerate(QM9_PROPERTIES)}
    return molecules_of(f"{len(molecules)} xyz files", z, positions, targets, elements, points)


def _read_xyz(path):
    try:
        lines = path.read_text().splitlines()
        count = int(lines[0])
        properties = [_number(word) for word in lines[1].split()[2:17]]
        rows = [line.split() for line in lines[2 : 2 + count]]
        if count < 1 or len(rows) != count or len(properties) != len(QM9_PROPERTIES):
            raise ValueError("an atom, a line or a property is missing")
        if any(len(row) < 4 for row in rows):
            raise ValueError("a line has no symbol and three coordinates")
        unknown = [row[0] for row in rows if row[0] not in ELEMENTS]
        if unknown:
            raise ValueError(f"{unknown[0]} is no element")
        numbers = [ELEMENTS[row[0]] for row in rows]
        places = [[_number(word) for word in row[1:4]] for row in rows]
    except (ValueError, IndexError) as error:
        raise ValueError(
            "An xyz file must be as QM9's are: atoms, properties, one line an atom. Received: "
            f"{path} ({error}). Correct it, or read extended xyz files with ke.data.load."
        ) from error
    return numbers, places, properties


def _number(text):
    return float(text.replace("*^", "e"))


def load_point_cloud(path):
    """A PointSet from an .npz file with `positions`, and `values`, `mask` and targets if it has them.

    Without values every point has the value 1; without a mask all points are there, but those at NaN. Arrays without an
    entry a cloud are left out, but for what each cloud says, `y`, `label` or `labels`.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"No such data file. Received: {path}. Give the path of an existing .npz file.")
    arrays = read_arrays(path, what="A point cloud")
    if "positions" not in arrays:
        raise ValueError(f"A point cloud must hold `positions`. Received: {path} with {', '.join(arrays)}.")
    positions = arrays.pop("positions")
    if positions.ndim != 3 or positions.dtype.kind not in "buif":
        raise ValueError(
            f"Positions must be real numbers (samples, N, d). Received: {path} with positions of shape "
            f"{positions.shape} and dtype {positions.dtype}. Save them so."
        )
    mask = arrays.pop("mask", np.isfinite(positions).all(axis=-1)).astype(bool)
    values = arrays.pop("values", np.ones((*positions.shape[:2], 1), "float32"))
    arrays = _whole(path, arrays, len(positions), ("a cloud", "positions"), lambda key: key in ("y", "label", "labels"))
    with naming(path):
        return PointSet(path.stem, positions, values, mask, arrays)


def points_of_images(images, spacing=1.0, threshold=0.0):
    """The pixels brighter than `threshold` as points of the plane, x to the right and y up about the center.

    Each image becomes its own set of points; `ImageToPoints` makes the same points of all. The brightness is the value.

    Args:
        images: `(samples, H, W, C)`.
        spacing: distance of two pixels.
        threshold: a pixel is a point where its largest channel is above it.

    Raises:
        ValueError: an array of another shape, or of no numbers; an image without a pixel above the threshold.
    """
    images = np.asarray(images)
    if images.ndim != 4 or 0 in images.shape or images.dtype.kind not in "buif":
        raise ValueError(
            "Images are an array of numbers (samples, H, W, channels). Received: an array of shape "
            f"{images.shape} and dtype {images.dtype}. Give gray ones an axis of one channel, images[..., None]."
        )
    images = images.astype("float32")
    _, height, width, channels = images.shape
    y, x = np.meshgrid((height - 1) / 2 - np.arange(height), np.arange(width) - (width - 1) / 2, indexing="ij")
    grid = spacing * np.stack([x.ravel(), y.ravel()], axis=-1)
    flat = images.reshape(len(images), -1, channels)
    there = flat.max(axis=-1) > threshold
    count = max(1, int(there.sum(axis=1).max()))
    order = np.argsort(~there, axis=1, kind="stable")[:, :count]
    rows = np.arange(len(images))[:, None]
    return PointSet("images", grid[order], flat[rows, order], there[rows, order], {})
