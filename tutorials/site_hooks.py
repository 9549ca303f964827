"""What the site adds to the pages of this folder: the README as its first page, the API, the skill page and
llms-full.txt.

The generated pages of the reference are made anew, so that the site shows what the code says.
"""

import os
import pathlib
import re
import sys

from mkdocs.structure.files import File

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

MOVED = {ROOT / "README.md": "index.md", HERE / "README.md": "learn.md"}
SKILL = ROOT / "keras_equivariant" / "cli" / "SKILL.md"
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(\))")
PARTS = {"groups": "Groups", "data": "Data", "dynamics": "Dynamics"}


def on_files(files, config):
    sys.path[:0] = [str(ROOT), str(HERE)]  # the package of this checkout, and build_pages
    import build_pages

    import keras_equivariant as ke

    pages = {"index.md": (ROOT / "README.md").read_text(), "learn.md": (HERE / "README.md").read_text()}
    pages["skill.md"] = SKILL.read_text()
    for name, make in build_pages.GENERATED.items():
        if name != "specs":  # which shows results, filled in by build_pages
            pages[f"reference/{name}.md"] = make()
    functions = [name for name in ke.__all__ if not name.startswith("_") and callable(getattr(ke, name))]
    pages["api/package.md"] = _api("The package", "keras_equivariant", functions)
    pages["api/layers.md"] = _api("Layers", "keras_equivariant.layers", ke.layers.__all__)
    pages["api/parts.md"] = "# Groups, data and dynamics\n\n" + "\n".join(
        _api(title, f"keras_equivariant.{name}", getattr(ke, name).__all__, "##") for name, title in PARTS.items()
    )
    pages["llms-full.txt"] = build_pages.llms_full()
    moved = files.get_file_from_path("README.md")
    files.remove(moved)
    for path, text in pages.items():
        old = files.get_file_from_path(path)
        if old is not None:
            files.remove(old)
        files.append(File.generated(config, path, content=text))
    return files


def _api(title, module, names, level="#"):
    public = sorted(name for name in names if not name.startswith("_"))
    return f"{level} {title}\n\n" + "\n".join(f"::: {module}.{name}\n" for name in public)


def on_page_markdown(markdown, page, config, files):
    """Links between the files of the repository, as links between pages of the site."""
    where = page.file.src_uri
    source = {name: path for path, name in MOVED.items()}.get(where, HERE / where)

    def one(match):
        start, target, anchor, end = match.groups()
        if re.match(r"[a-z]+:", target):
            return match.group(0)
        path = pathlib.Path(os.path.normpath(source.parent / target))
        name = MOVED.get(path) or os.path.relpath(path, HERE).replace(os.sep, "/")
        return f"{start}{os.path.relpath(name, os.path.dirname(where) or '.')}{anchor or ''}{end}"

    return LINK.sub(one, markdown)
