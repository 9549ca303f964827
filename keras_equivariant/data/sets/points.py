"""Sets of points with values and targets: molecules from archives and xyz files, point clouds, pixels of images."""

import dataclasses
from pathlib import Path

import numpy as np

from keras_equivariant.data.archive import find
from keras_equivariant.utils.arrays import as_numbers, naming, read_arrays
from keras_equivariant.utils.periodic import space_of

ELEMENTS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9, "S": 16, "Cl": 17, "Br": 35}
HARTREE = 627.509474  # kcal/mol
QM9_PROPERTIES = ("A", "B", "C", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "U0", "U", "H", "G", "Cv")
_FORMATS = {
    "qm7.npz": ("z", "pos", "energy_pbe0_kcal"),
    "qm9_mp2_10k.npz": ("z", "pos", "binding_energy_ha", "homo_ha", "dipole_au"),
}


@dataclasses.dataclass(frozen=True)
class PointSet:
    """Samples of up to N points each.

    Attributes:
        name: where it comes from.
        positions: `(samples, N, d)` float32; in periodic cells `(samples, N, d + d d)`, the d lattice vectors behind
            the coordinates of each point.
        values: `(samples, N, C)` float32, what is known of each point.
        mask: `(samples, N)` booleans, which places hold a point.
        targets: dict of arrays, the samples on axis 0.
    """

    name: str
    positions: np.ndarray
    values: np.ndarray
    mask: np.ndarray
    targets: dict

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
            numbers = np.where(keep, getattr(self, field), 0)
            object.__setattr__(self, field, as_numbers(numbers, "float32", f"The {field} of {self.name}"))
        object.__setattr__(self, "mask", there)
        for key, target in self.targets.items():
            if np.shape(target)[:1] != shape[:1]:
                raise ValueError(
                    f"There must be one target a sample. Received: {self.name} with {key!r} of shape "
                    f"{np.shape(target)} for {shape[0]} samples. Drop the rest."
                )

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
        return PointSet(self.name, *parts, targets)

    def split(self, test, seed=0):
        """(training, test) sets, `test` samples in the second, drawn at random."""
        if not 0 < test < len(self):
            raise ValueError(f"`test` must be from 1 to {len(self) - 1}. Received: test={test}")
        order = np.random.default_rng(seed).permutation(len(self))
        return self.take(np.sort(order[test:])), self.take(np.sort(order[:test]))


def in_cells(positions, cells):
    """Positions of points with the lattice vectors of their cell behind them, as `SteerablePointConv` takes them.

    Args:
        positions: `(samples, N, d)`.
        cells: `(samples, d, d)`, lattice vectors as rows, zeros where there is no period.

    Returns:
        An array `(samples, N, d + d d)`.

    Example:
        >>> import numpy as np
        >>> from keras_equivariant.data import in_cells
        >>> in_cells(np.zeros((2, 5, 3)), np.tile(np.eye(3), (2, 1, 1))).shape
        (2, 5, 12)
    """
    positions = np.asarray(positions)
    d = positions.shape[-1]
    flat = np.asarray(cells, positions.dtype).reshape(len(positions), 1, d * d)
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


def charge_values(numbers, elements=None):
    """Values of atoms `(..., 3 E)`: one-hot of the E elements that occur, times 1, c and c^2, c = charge / largest.

    Args:
        numbers: `(...)` integers, the charges, 0 where there is no atom.
        elements: the E charges; by default those that occur.
    """
    found = np.unique(numbers[numbers > 0]) if elements is None else np.asarray(elements)
    one_hot = (numbers[..., None] == found).astype("float32")
    scale = (numbers / found.max()).astype("float32")[..., None]
    return np.concatenate([one_hot, one_hot * scale, one_hot * scale**2], axis=-1)


def load_molecules(path):
    """Molecules from an archive: QM7 (`qm7.npz`) or 10,000 of QM9 (`qm9_mp2_10k.npz`), or one in their form.

    The archive holds `z` (samples, N), charges with 0 where there is no atom, `pos` (samples, N, 3), and arrays of
    targets with the samples on axis 0. With `cell` (samples, 3, 3), lattice vectors as rows, zeros where there is no
    period, the positions come with them. Energies in hartree (`*_ha`) are given in kcal/mol too (`*_kcal`).

    Args:
        path: an .npz file, or the name of one in the folder that KERAS_EQUIVARIANT_DATA names.
    """
    path = find(str(path)) or Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"No such data file. Received: {path}. Give a path, or set KERAS_EQUIVARIANT_DATA to its folder."
        )
    arrays = read_arrays(path, _FORMATS.get(path.name), "An archive of molecules")
    if "positions" in arrays and "pos" not in arrays:
        arrays["pos"] = arrays.pop("positions")
    if not {"z", "pos"} <= set(arrays):
        raise ValueError(f"An archive of molecules must hold z and pos. Received: {path} with {', '.join(arrays)}.")
    z = as_numbers(arrays.pop("z"), "int64", f"Charges of atoms, z of {path},")
    if z.ndim != 2 or z.min(initial=0) < 0 or not z.any():
        raise ValueError(
            "Charges of atoms must be an array (samples, N) of positive integers, 0 where there is no atom. "
            f"Received: {path} with z of shape {z.shape} from {z.min(initial=0)}. Save them so."
        )
    positions = np.asarray(arrays.pop("pos"))
    cells = arrays.pop("cell", None)
    if cells is not None:
        if np.shape(cells) != (len(z), 3, 3):
            raise ValueError(
                f"Cells of molecules must be arrays of lattice vectors (samples, 3, 3). Received: {path} with cell of "
                f"shape {np.shape(cells)} for {len(z)} samples. Save them so, zeros where there is no period."
            )
        positions = in_cells(positions, cells)
    targets = {key: array for key, array in arrays.items() if np.ndim(array) and len(array) == len(z)}
    targets |= {
        key.removesuffix("_ha") + "_kcal": array * HARTREE for key, array in targets.items() if key.endswith("_ha")
    }
    with naming(path):
        return PointSet(path.stem, positions, charge_values(z), z > 0, targets)


def load_xyz(paths, points=None):
    """Molecules from files in the published xyz format of QM9, one a file.

    A file has the number of atoms, a line `gdb <id>` with fifteen properties, and a line an atom: symbol, x, y, z in
    angstrom and a partial charge; further lines are ignored. Numbers may be written as 1.2*^-5.

    Args:
        paths: the files, or one.
        points: places for atoms; by default as many as the largest molecule has.

    Returns:
        A PointSet; its targets are the properties, as the files give them.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else paths
    molecules = [_read_xyz(Path(path)) for path in paths]
    if not molecules:
        raise ValueError("There must be a file at least. Received: none. Give the paths of .xyz files.")
    largest = max(len(numbers) for numbers, _, _ in molecules)
    if points is not None and points < largest:
        raise ValueError(f"`points` must hold the largest molecule. Received: points={points} for {largest} atoms")
    z = np.zeros((len(molecules), points or largest), "int64")
    positions = np.zeros((*z.shape, 3), "float32")
    for i, (numbers, places, _) in enumerate(molecules):
        z[i, : len(numbers)], positions[i, : len(numbers)] = numbers, places
    properties = np.array([found for _, _, found in molecules], "float64")
    targets = {name: properties[:, i] for i, name in enumerate(QM9_PROPERTIES)}
    return PointSet(f"{len(molecules)} xyz files", positions, charge_values(z), z > 0, targets)


def _read_xyz(path):
    try:
        lines = path.read_text().splitlines()
        count = int(lines[0])
        properties = [_number(word) for word in lines[1].split()[2:17]]
        rows = [line.split() for line in lines[2 : 2 + count]]
        numbers = [ELEMENTS[row[0]] for row in rows]
        places = [[_number(word) for word in row[1:4]] for row in rows]
        if len(rows) != count or len(properties) != len(QM9_PROPERTIES):
            raise ValueError("a line or a property is missing")
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"An xyz file must be as QM9's are: atoms, properties, one line an atom. Received: {path} ({error!r})."
        ) from error
    return numbers, places, properties


def _number(text):
    return float(text.replace("*^", "e"))


def load_point_cloud(path):
    """A PointSet from an .npz file with `positions`, and `values`, `mask` and targets if it has them.

    Without values every point has the value 1; without a mask all points are there, but those at NaN.
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
    with naming(path):
        return PointSet(path.stem, positions, values, mask, arrays)


def points_of_images(images, spacing=1.0, threshold=0.0):
    """The pixels brighter than `threshold` as points of the plane, x to the right and y up about the center.

    Each image becomes its own set of points; `ImageToPoints` makes the same points of all. The brightness is the value.

    Args:
        images: `(samples, H, W, C)`.
        spacing: distance of two pixels.
        threshold: a pixel is a point where its largest channel is above it.
    """
    images = np.asarray(images, "float32")
    _, height, width, channels = images.shape
    y, x = np.meshgrid((height - 1) / 2 - np.arange(height), np.arange(width) - (width - 1) / 2, indexing="ij")
    grid = spacing * np.stack([x.ravel(), y.ravel()], axis=-1)
    flat = images.reshape(len(images), -1, channels)
    there = flat.max(axis=-1) > threshold
    count = max(1, int(there.sum(axis=1).max()))
    order = np.argsort(~there, axis=1, kind="stable")[:, :count]
    rows = np.arange(len(images))[:, None]
    return PointSet("images", grid[order], flat[rows, order], there[rows, order], {})
