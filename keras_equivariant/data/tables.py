"""Data sets from a CSV file: names of image files, and what they show."""

import csv
from pathlib import Path

import numpy as np

from keras_equivariant.data import files, vectors
from keras_equivariant.data.assemble import assembled, part_of

TARGETS = ("class", "number", "angle", "axis", "vector")
CLASS_COLUMNS = ("class", "label", "category", "target_class", "diagnosis")
PART_COLUMNS = ("part", "split", "set", "subset", "fold")


def load_table(path, seed=0, size=None, fit="pad", target=None):
    """A data set from a CSV file with a header: one column of file names, and one or more of what the images show.

    Texts, and whole numbers in a column called class or label, are classes; other numbers are numbers, of which each
    column is one; a column called `angle` holds degrees, counted counter-clockwise. A column `split` may say train, val
    or test.

    Args:
        path: the CSV file; file names are relative to its folder.
        seed: of the draw of what is for testing, where no column says so.
        size, fit: as in `load_folder`.
        target: what the columns are: `"class"`, `"number"`, `"angle"` (degrees), `"axis"` (degrees, of a direction that
            half a turn leaves as it is), `"vector"` (two columns, x to the right and y up; of volumes three); by
            default
            what they look like.

    Raises:
        ValueError: no such columns, a file that is missing, or cells that are no numbers.
    """
    path = Path(path).expanduser()
    rows, columns = _read(path)
    named = next((c for c in columns if all(files.suffix_of(row[c]) for row in rows)), None)
    if named is None:
        raise ValueError(
            f"One column of a CSV file names image files. Received: {path} with the columns {', '.join(columns)}. "
            "Write "
            "names with their ending, such as cell_17.png."
        )
    paths = [path.parent / row[named] for row in rows]
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise ValueError(
            f"Every file of a CSV file exists, relative to its folder. Received: {path}, {len(missing)} of "
            f"{len(paths)} are "
            f"missing, such as {missing[0]}. Correct the names."
        )
    split = next((c for c in columns if c.lower() in PART_COLUMNS and all(part_of(row[c]) for row in rows)), None)
    wanted = [c for c in columns if c not in (named, split)]
    values, fields = _targets(path, rows, wanted, target)
    where = [part_of(row[split]) if split else "train" for row in rows]
    parts = {}
    for part in dict.fromkeys(where):
        chosen = [i for i, p in enumerate(where) if p == part]
        parts[part] = [paths[i] for i in chosen], values[chosen]
    return assembled(path, parts, size=size, fit=fit, seed=seed, **fields)


def _read(path):
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            text = file.read()
        dialect = _dialect(text)
        reader = csv.DictReader(text.splitlines(), dialect=dialect, skipinitialspace=True)
        rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"A CSV file is text with a header. Received: {path} ({error}). Save it as CSV (UTF-8)."
        ) from error
    if not rows or len(rows[0]) < 2:
        raise ValueError(
            f"A CSV file has a header, a column of file names, and one of what they show. Received: {path} with "
            f"{len(rows)} rows and {len(rows[0]) if rows else 0} columns. Add them."
        )
    return rows, list(rows[0])


def _dialect(text):
    """What separates the columns; commas where nothing tells."""
    try:
        return csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        return csv.excel


def _targets(path, rows, columns, target):
    if target not in (None, *TARGETS):
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}. Received: target={target!r}. Choose one.")
    if not columns:
        raise ValueError(f"A CSV file says what the images show. Received: {path} with file names alone. Add a column.")
    cells = [[row[c] for c in columns] for row in rows]
    numbers = _numbers(cells)
    if target is None:
        target = "class" if len(columns) == 1 and numbers is None else "number"
        if len(columns) == 1 and numbers is not None:
            name = columns[0].lower()
            target = "class" if name in CLASS_COLUMNS else "angle" if name.startswith("angle") else "number"
    if target == "class":
        if len(columns) > 1:
            raise ValueError(
                f"Classes are one column. Received: {path} with {', '.join(columns)}. Take the others away."
            )
        whole = numbers is not None and np.array_equal(numbers, np.floor(numbers)) and numbers.min() >= 0
        labels = numbers[:, 0].astype("int64") if whole else np.array([c[0] for c in cells])
        return labels, {"task": "classification"}
    if numbers is None:
        bad = next(cell for row in cells for cell in row if _number(cell) is None)
        raise ValueError(
            f"The columns {', '.join(columns)} hold numbers. Received: {path} with {bad!r}. Correct it, or say "
            "--target class."
        )
    return as_targets(numbers, target, columns, str(path))


def as_targets(numbers, target, columns, name):
    """`(array, fields of the Dataset)` of numbers `(rows, columns)` that are numbers, angles, axes or vectors."""
    if target == "number":
        return numbers, {"task": "regression", "target_names": tuple(columns)}
    if target == "vector":
        if numbers.shape[1] not in (2, 3):
            raise ValueError(
                f"A vector has two numbers, in volumes three. Received: {name} with {numbers.shape[1]}: "
                f"{', '.join(columns)}. Take the others away."
            )
        return numbers.astype("float32"), {"task": "vectors", "target_type": "1x1"}
    if numbers.shape[1] != 1:
        raise ValueError(
            f"An angle is one number, in degrees. Received: {name} with {', '.join(columns)}. Take the others away."
        )
    frequency = 2 if target == "axis" else 1
    return vectors.directions(numbers, frequency), {"task": "vectors", "target_type": f"1x{frequency}"}


def _numbers(cells):
    found = [[_number(cell) for cell in row] for row in cells]
    return None if any(v is None for row in found for v in row) else np.asarray(found, "float64")


def _number(cell):
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
