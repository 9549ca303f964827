"""The file of an experiment: what was measured, on what, by which command, and how its table looks.

```yaml
results: 1
title: Digits, the default job
about: Markdown above the table; `{p4_cnn.test_error_percent:.1f}` is a number of a row.
columns:                       # of the table, from left to right
  - {title: network, show: "`{name}`"}
  - {title: test error, show: "{test_error_percent:.1f} %"}
shared: {versions: {tensorflow: 2.21.0}, machine: …, commit: …, date: …}      # fields that all rows have
rows:
  p4_cnn:                      # the row's name
    command: keras-equivariant train p4_cnn --data digits
    spec: {name: p4_cnn, params: {}, sha256: …}
    parameters: 24680
    data: {name: digits, sha256: …}
    seeds: [0]
    numbers: {test_error_percent: 4.4}
    published: {text: 2.28 %, source: arXiv 1602.07576}
    signature: […]             # what the network answers with weights of a fixed seed: tells when the code changed
    series: on D4              # rows of one series are one line of a plot
    timed: {command: …, machine: …, commit: …, date: …}    # where times were measured elsewhere than the rest
notes: Markdown below the table.
plots:
  - {file: digits.png, numbers: error_percent_by_angle, title: …}                       # a curve for each row
  - {file: data.png, across: fraction, numbers: test_error_percent, title: …, log: true}   # a line for each series
equal: [{series: on D4, across: fraction, numbers: test_error_percent, …}]    # what the others need to be as good
```

Every row has all of `FIELDS`, of its own or shared; what nobody wrote down is `unknown`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import string

import yaml

from keras_equivariant.utils.text import nearest

VERSION = 1
KEYS = ("results", "title", "about", "columns", "shared", "rows", "notes", "plots", "equal")
FIELDS = ("command", "spec", "parameters", "data", "seeds", "versions", "machine", "commit", "date", "published")
ROW_KEYS = (*FIELDS, "numbers", "signature", "label", "series", "timed")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table: its name, its fields, and its numbers by name."""

    name: str
    fields: dict
    numbers: dict

    @property
    def values(self):
        """What a column may show: the numbers, `name`, `label`, `parameters` and `published`."""
        published = self.fields["published"]
        return {
            "name": self.name,
            "label": self.fields.get("label", f"`{self.name}`"),
            "parameters": self.fields["parameters"],
            "published": published.get("text", "–") if isinstance(published, dict) else "–",
            **self.numbers,
        }


@dataclasses.dataclass(frozen=True)
class Experiment:
    """The content of an experiment's file; see the head of this module."""

    path: pathlib.Path
    title: str
    about: str
    columns: tuple
    rows: dict
    notes: str
    plots: tuple
    equal: tuple

    @property
    def name(self):
        """The name of its file, without the ending."""
        return self.path.stem


def load_experiment(path: str | os.PathLike[str]) -> Experiment:
    """Read the file of an experiment.

    Args:
        path: of the YAML file.

    Raises:
        ValueError: an unknown key, or a field that a row lacks.
    """
    path = pathlib.Path(path)
    content = yaml.safe_load(path.read_text())
    if not isinstance(content, dict) or content.get("results") != VERSION:
        raise ValueError(f"A file of results begins with `results: {VERSION}`. Received: {path}; write it there.")
    _check_keys(path, "", content, KEYS)
    shared = content.get("shared") or {}
    _check_keys(path, "shared", shared, ROW_KEYS)
    rows = {str(name): _row(path, str(name), {**shared, **row}) for name, row in (content.get("rows") or {}).items()}
    columns = tuple(content.get("columns") or DEFAULT_COLUMNS)
    texts = (content.get("about") or "", content.get("notes") or "")
    return Experiment(
        path,
        content["title"],
        texts[0],
        columns,
        rows,
        texts[1],
        *(tuple(content.get(key) or ()) for key in ("plots", "equal")),
    )


def load_folder(folder: str | os.PathLike[str]) -> dict[str, Experiment]:
    """`{name: Experiment}` of the results in a folder; other YAML files there, such as counts that a script keeps, are
    left alone."""
    if not pathlib.Path(folder).is_dir():
        raise FileNotFoundError(
            f"Results are the YAML files of a folder, as `record` writes them. Received: {folder}, which is no folder. "
            "Correct its name."
        )
    paths = sorted(pathlib.Path(folder).glob("*.yaml"))
    return {
        path.stem: load_experiment(path) for path in paths if re.search(r"^results:", path.read_text(), re.MULTILINE)
    }


DEFAULT_COLUMNS = ({"title": "network", "show": "{label}"}, {"title": "parameters", "show": "{parameters:,}"})


def _row(path, name, found):
    _check_keys(path, f"rows.{name}", found, ROW_KEYS)
    missing = [field for field in FIELDS if field not in found]
    if missing:
        raise ValueError(
            f"A row of results says where it comes from. Received: {path}: rows.{name} without {', '.join(missing)}; "
            "write `unknown` for what nobody knows."
        )
    return Row(name, {k: v for k, v in found.items() if k != "numbers"}, dict(found.get("numbers") or {}))


def _check_keys(path, where, found, known):
    for key in found:
        if key not in known:
            raise ValueError(
                f"The keys of results are fixed. Received: {path}: {where or 'top level'}: {key!r}. "
                f"{nearest(key, known)}"
            )


class _Formatter(string.Formatter):
    """`{key:format}` from a dict; a value without a number is shown as it is, one that is not there as a dash."""

    def get_field(self, name, arguments, values):
        row, dot, key = name.rpartition(".")  # names of rows may hold dots: `o_0.1`
        if dot:
            if not isinstance(values.get(row), dict) or key not in values[row]:
                raise ValueError(f"A text of results shows numbers that a row has. Received: {{{name}}}.")
            return values[row][key], name
        return values.get(name, "–"), name

    def format_field(self, value, how):
        if not isinstance(value, int | float) or isinstance(value, bool):
            return str(value)
        return super().format_field(value, how)


def show(text, values):
    """A text with `{key:format}` filled in; where a column has no value at all it is a dash, without the unit."""
    filled = _Formatter().vformat(text, (), values)
    return "–" if re.fullmatch(r"–[ %a-z]*", filled) else filled
