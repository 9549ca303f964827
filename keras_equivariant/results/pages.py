"""Pages with results in them: between markers stands what is rendered, so that no number is typed.

`<!-- results: digits -->` … `<!-- end -->` holds the table of `digits.yaml`;
`<!-- results: digits {p4_cnn.test_error_percent:.1f} % -->4.4 %<!-- end -->` a number in a sentence.
"""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterable

from keras_equivariant.results import render
from keras_equivariant.results.check import stale_rows
from keras_equivariant.results.experiment import load_folder
from keras_equivariant.utils.text import nearest

MARKED = re.compile(r"(<!-- results: ([a-z0-9_]+)(?: ((?:(?!-->).)+))? -->)(.*?)(<!-- end -->)", re.DOTALL)


def render_pages(
    pages: Iterable[str | os.PathLike[str]],
    results: str | os.PathLike[str],
    check: bool = False,
    marks: dict[str, dict[str, str]] | None = None,
) -> list[pathlib.Path]:
    """Render the page of every experiment and fill the markers of other pages.

    Args:
        pages: Markdown files, or folders of them.
        results: the folder with the experiments' YAML files; their pages and plots stand beside them.
        check: write nothing, only tell what would change.
        marks: `{experiment: {row: why}}` of rows that may no longer hold; default: every network is built and compared.

    Returns:
        The paths of the pages that changed, or would.

    Raises:
        ValueError: a file that is none of results, or a marker of an experiment or number that is not there.
    """
    folder = pathlib.Path(results)
    experiments = load_folder(folder)
    if marks is None:
        marks = {name: stale_rows(experiment) for name, experiment in experiments.items()}
    wanted = {folder / "README.md": render.index(experiments, marks)}
    for name, experiment in experiments.items():
        wanted[folder / f"{name}.md"] = render.page(experiment, marks.get(name))
        if not check:
            render.draw(experiment, folder)
    for path in _files(pages):
        if path.resolve() not in {page.resolve() for page in wanted}:
            wanted[path] = filled(path.read_text(), experiments, marks, path)
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in () if check else changed:
        path.write_text(wanted[path])
    return changed


def filled(text, experiments, marks, where):
    """The text of a page with everything between its markers rendered."""

    def one(match):
        start, name, template, _, end = match.groups()
        if name not in experiments:
            hint = nearest(name, experiments)
            raise ValueError(f"A marker names an experiment. Received: {where}: {start}. {hint}")
        if template:
            return start + render.text(experiments[name], template) + end
        return f"{start}\n{render.table(experiments[name], marks.get(name))}\n{end}"

    return MARKED.sub(one, text)


def _files(pages):
    for page in map(pathlib.Path, pages):
        yield from sorted(page.rglob("*.md")) if page.is_dir() else [page]
