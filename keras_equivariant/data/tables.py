"""Data sets from a CSV file: names of image files, and what they show."""

import csv
import io
import logging
import re
from pathlib import Path

import numpy as np

from keras_equivariant.data import files, vectors
from keras_equivariant.data.assemble import assembled
from keras_equivariant.data.parts import PARTS, part_of
from keras_equivariant.data.targets import are_labels, is_one_hot
from keras_equivariant.data.undivided import GROUPS

TARGETS = ("class", "labels", "number", "angle", "axis", "vector")
CLASS_COLUMNS = ("class", "label", "category", "target_class", "diagnosis")
PART_COLUMNS = ("part", "split", "set", "subset", "fold")
NUMBER_COLUMNS = ("id", "index", "idx", "unnamed: 0")  # of rows

log = logging.getLogger("keras_equivariant.data")

_COMMA = re.compile(r"[-+]?\d*,\d+")  # a decimal comma


def load_table(path, seed=0, size=None, fit="pad", target=None, bits=None):
    """A data set from a CSV file with a header: one column of file names, and one or more of what the images show.

    Texts, and whole numbers in a column called class or label, are classes, as are columns of 0 and 1 of which one in
    each row is 1; other columns of 0 and 1, or texts such as `a|b`, are labels, several an image; other numbers are
    numbers, of which each column is one; a column called `angle` holds degrees, counted counter-clockwise. A column
    `split` may say train, val or test, a column `patient` (`groups`) to whom an image belongs, whose images are in
    one part only. A column `id` (`index`) that numbers the rows is left out where there are others.

    Args:
        path: the CSV file; file names are relative to its folder.
        seed: of the draw of what is for testing, where no column says so.
        size, fit: as in `load_folder`.
        target: what the columns are: `"class"`, `"number"`, `"angle"` (degrees), `"axis"` (degrees, of a direction that
            half a turn leaves as it is), `"labels"` (several an image: a column of 0 and 1 for each, or one of texts
            such as `a|b` or `a;b`), `"vector"` (two columns, x to the right and y up; of volumes three); by
            default what they look like.
        bits: as in `load_folder`.

    Raises:
        ValueError: no such columns, a file that is missing, or cells that are empty or no numbers, with their line.
    """
    path = Path(path).expanduser()
    rows, lines, columns = _read(path)
    _check_header(path, columns)
    named = next((c for c in columns if all(files.suffix_of(row[c]) for row in rows)), None)
    if named is None:
        raise ValueError(
            f"One column of a CSV file names image files. Received: {path} with the columns {', '.join(columns)}. "
            "Write names with their ending, such as cell_17.png."
        )
    paths = [path.parent / row[named] for row in rows]
    missing = [p for p in paths if not p.is_file()]
    if missing:
        raise ValueError(
            f"Every file of a CSV file exists, relative to its folder. Received: {path}, {len(missing)} of "
            f"{len(paths)} are missing, such as {missing[0]}. Correct the names."
        )
    split = _part_column(path, rows, lines, [c for c in columns if c != named])
    wanted = _learned(path, rows, [c for c in columns if c not in (named, split)])
    owner = next((c for c in wanted if c.lower() in GROUPS), None) if len(wanted) > 1 else None
    owners = {p: ("patient", row[owner]) for p, row in zip(paths, rows, strict=True) if owner and row[owner]}
    wanted = [c for c in wanted if c != owner]
    values, fields = _targets(path, rows, lines, wanted, target)
    _log_contradictions(path, paths, lines, values)
    where = [part_of(row[split]) if split else "train" for row in rows]
    parts = {}
    for part in dict.fromkeys(where):
        chosen = [i for i, p in enumerate(where) if p == part]
        parts[part] = [paths[i] for i in chosen], values[chosen]
    return assembled(path, parts, size=size, fit=fit, seed=seed, bits=bits, owners=owners, **fields)


def _learned(path, rows, columns):
    """The columns without those that number the rows, where there are others."""
    numbering = [c for c in columns if c.lower() in NUMBER_COLUMNS and len({row[c] for row in rows}) == len(rows)]
    if not numbering or len(numbering) == len(columns):
        return columns
    log.info("What numbers the rows of %s is not learned: %s.", path, ", ".join(numbering))
    return [c for c in columns if c not in numbering]


def _log_contradictions(path, paths, lines, values):
    """Name a file that shows one thing in one row, and another in a second one."""
    first, other = {}, []
    for file, line, value in zip(files.identities(paths), lines, np.asarray(values).tolist(), strict=True):
        known = first.setdefault(file, (line, value))
        if known[1] != value:
            other.append((file, known[0], line))
    if other:
        file, before, line = other[0]
        log.warning(
            "%d files of %s show one thing in one row and another in a second, such as %s in the lines %d and %d: a "
            "network cannot know both. Take one row away.",
            len({file for file, *_ in other}),
            path,
            Path(file).name,
            before,
            line,
        )


def _read(path):
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            text = file.read()
        dialect = _dialect(text)
        reader = csv.DictReader(io.StringIO(text, newline=""), dialect=dialect, skipinitialspace=True)
        found = [(reader.line_num, row) for row in reader]
        columns = [name for name in reader.fieldnames or () if name]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"A CSV file is text with a header. Received: {path} ({error}). Save it as CSV (UTF-8)."
        ) from error
    for line, row in found:
        if any(cell.strip() for cell in row.pop(None, None) or ()):
            raise ValueError(
                f"A row of a CSV file has a cell for each column. Received: {path}, line {line}, with more than the "
                f"columns {', '.join(columns)}. Write numbers with a decimal point, and texts with commas in quotes."
            )
    found = [(line, {key: (row[key] or "").strip() for key in columns}) for line, row in found]
    lines, rows = [line for line, row in found if any(row.values())], [row for _, row in found if any(row.values())]
    if not rows or len(columns) < 2:
        raise ValueError(
            f"A CSV file has a header, a column of file names, and one of what they show. Received: {path} with "
            f"{len(rows)} rows and {len(columns)} columns. Add them."
        )
    if len(set(columns)) < len(columns):
        raise ValueError(
            f"Each column of a CSV file has a name of its own. Received: {path} with {', '.join(columns)}. Rename one."
        )
    return rows, lines, columns


def _check_header(path, columns):
    """ValueError where the first row is none of names: an image would be lost."""
    row = next((c for c in columns if files.suffix_of(c) and (path.parent / c).is_file()), None)
    if row is not None:
        raise ValueError(
            f"The first row of a CSV file names the columns. Received: {path}, line 1, with {row}, which is an image. "
            "Write a row such as file,label above it."
        )


def _part_column(path, rows, lines, columns):
    """The column that says what is for training and for testing, or None."""
    found = [c for c in columns if c.lower() in PART_COLUMNS]
    known = [c for c in found if all(part_of(row[c]) for row in rows)]
    others = [c for c in found if c not in known[:1]]
    if others and len(columns) > len(others) + len(known[:1]):  # alone it is what the images show
        line, cell = next(
            ((n, row[others[0]]) for n, row in zip(lines, rows, strict=True) if not part_of(row[others[0]])),
            (lines[0], rows[0][others[0]]),
        )
        raise ValueError(
            f"One column says the part of each row: {', '.join(name for names in PARTS.values() for name in names)}. "
            f"Received: {path}, line {line}, with {others[0]}={cell!r}{f' beside {known[0]}' if known else ''}. Write "
            "one of these, take the column away, or rename it if the images show what it says."
        )
    return known[0] if known else None


def _dialect(text):
    """What separates the columns; commas where nothing tells."""
    try:
        return csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except csv.Error:
        return csv.excel


def _targets(path, rows, lines, columns, target):
    if target not in (None, *TARGETS):
        raise ValueError(f"`target` must be one of {', '.join(TARGETS)}. Received: target={target!r}. Choose one.")
    if not columns:
        raise ValueError(f"A CSV file says what the images show. Received: {path} with file names alone. Add a column.")
    cells = [[row[c] for c in columns] for row in rows]
    numbers = [[_number(cell) for cell in row] for row in cells]
    _check_filled(path, lines, columns, cells)
    if len(columns) == 1 and _hold_lists([row[0] for row in cells], target):
        text = "The column %s of %s is read as lists of labels; --target class takes each text as a class."
        log.info(text, columns[0], path)
        columns, numbers = _as_columns([row[0] for row in cells])
        return as_targets(np.asarray(numbers, "float64"), "labels", columns, str(path))
    name = columns[0].lower()
    texts = target == "class" or (target is None and len(columns) == 1 and name in CLASS_COLUMNS)
    texts = texts and (target == "class" or not any(_is_fraction(row[0]) for row in cells))
    every = all(value is not None for row in numbers for value in row)
    if not texts and not every:
        texts = _only_texts(path, lines, columns, cells, numbers, target)
    if target is None:
        target = "class" if texts else "angle" if len(columns) == 1 and name.startswith("angle") else "number"
        target = "labels" if every and are_labels(numbers) and not is_one_hot(numbers) else target
        target = "class" if every and is_one_hot(numbers) else target
    if target != "class":
        return as_targets(np.asarray(numbers, "float64"), target, columns, str(path))
    if every and is_one_hot(numbers):
        return np.array(columns)[np.argmax(numbers, axis=1)], {"task": "classification"}
    if len(columns) > 1:
        raise ValueError(f"Classes are one column. Received: {path} with {', '.join(columns)}. Take the others away.")
    values = np.asarray(numbers, "float64")[:, 0] if every else None
    whole = every and np.array_equal(values, np.floor(values)) and values.min() >= 0
    labels = values.astype("int64") if whole else np.array([c[0] for c in cells])
    return labels, {"task": "classification"}


def _hold_lists(cells, target):
    """Whether cells are lists of labels: divided by | some, or said to be labels and no numbers."""
    if target not in (None, "labels"):
        return False
    return any("|" in cell for cell in cells) or target == "labels" and any(_number(cell) is None for cell in cells)


def _as_columns(cells):
    """The labels in lists such as `a|b`, and a row of 0 and 1 for each list."""
    found = [{label.strip() for label in re.split(r"[|;]", cell) if label.strip()} for cell in cells]
    names = sorted(set().union(*found))
    return names, [[int(name in labels) for name in names] for labels in found]


def _check_filled(path, lines, columns, cells):
    for line, row in zip(lines, cells, strict=True):
        for column, cell in zip(columns, row, strict=True):
            if cell.lower() in ("", "nan"):
                raise ValueError(
                    f"Every row of a CSV file says what its image shows. Received: {path}, line {line}, with "
                    f"{column}={cell!r}. Fill it in, or take the row away."
                )


def _only_texts(path, lines, columns, cells, numbers, target):
    """True where cells of one column are all texts that may be classes; else the first that is no number is named."""
    line, column, cell = next(
        (line, column, cell)
        for line, row, values in zip(lines, cells, numbers, strict=True)
        for column, cell, value in zip(columns, row, values, strict=True)
        if value is None
    )
    comma = _COMMA.fullmatch(cell)
    alone = len(columns) == 1 and target is None
    if alone and not comma and all(value is None for row in numbers for value in row):
        return True
    remedy = f"Write a decimal point, {cell.replace(',', '.')}" if comma else "Correct it, or take its row away"
    remedy += ", or say --target class if all are names of classes" if len(columns) == 1 else ""
    raise ValueError(
        f"The column{'s' if len(columns) > 1 else ''} {', '.join(columns)} hold{'s' if len(columns) == 1 else ''} "
        f"numbers. Received: {path}, line {line}, with {column}={cell!r}. {remedy}."
    )


def as_targets(numbers, target, columns, name):
    """`(array, fields of the Dataset)` of numbers `(rows, columns)` that are numbers, angles, axes or vectors."""
    if target == "number":
        return numbers, {"task": "regression", "target_names": tuple(columns)}
    if target == "labels":
        if not are_labels(numbers):
            raise ValueError(
                f"Several labels an image are two columns or more of 0 and 1. Received: {name} with the columns "
                f"{', '.join(columns)}. Write them so, or leave out `target`."
            )
        return numbers, {"task": "multilabel", "target_names": tuple(columns)}
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


def _is_fraction(cell):
    """Whether a cell holds a number that is not whole, with a decimal point or a comma."""
    value = _number(cell)
    return bool(_COMMA.fullmatch(cell)) if value is None else value != np.floor(value)


def _number(cell):
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None
