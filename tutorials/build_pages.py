"""Makes the pages that are generated: results, reference, pictures of the glossary and llms.txt.

`python tutorials/build_pages.py` writes them, with `--check` it only says which would change (exit status 1).
"""

import argparse
import ast
import inspect
import os
import pathlib
import re
import sys

import keras_equivariant as ke

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGE = pathlib.Path(ke.__file__).parent
NOTE = "<!-- Made by tutorials/build_pages.py; change the source that it reads. -->"
FAMILIES = {
    "regular": "Group convolutions, on regular features",
    "steerable": "Field types",
    "harmonic": "Harmonic features",
    "points": "Points",
}


def first_sentence(text):
    return re.split(r"(?<!e\.g\.)(?<=[.:])\s", " ".join(inspect.cleandoc(text or "").split("\n\n")[0].split()))[
        0
    ].rstrip(":")


def escaped(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("](", "]\\(")


def page(title, lead, *parts):
    return "\n\n".join([f"# {title}", NOTE, f"What you get here: {lead}", *parts]) + "\n"


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def layers():
    parts = []
    for family, title in FAMILIES.items():
        found = [name for name in ke.layers.__all__ if family in getattr(ke.layers, name).__module__.split(".")]
        rows = []
        for name in found:
            text = inspect.getdoc(getattr(ke.layers, name))
            law = re.search(r"Equivariance:\s*(.+?)(?:\n\s*\n|$)", text, re.DOTALL)
            law = first_sentence(law.group(1)) if law else ""
            rows.append((f"`{name}`", escaped(first_sentence(text)), escaped(law)))
        parts.append(f"## {title}\n\n" + table(("layer", "what it does", "equivariance"), rows))
    return page(
        "Layers",
        "every layer in one line. Arguments, shapes, formula and an example that runs stand in its docstring: "
        "`help(ke.layers.GroupConv2D)`, or the API pages of the site.",
        *parts,
        "Keras's own layers on the last axis (Dense, LayerNormalization, Activation, Dropout, Add, Concatenate, …) "
        "act on "
        "regular features as they are; where one would break the symmetry the next layer of ours refuses it and says "
        "why.",
    )


GROUPS = (
    *(
        "Z2",
        "C4",
        "D4",
        "C8",
        "D8",
        "D1",
        "SO2",
        "O2",
        "Z3",
        "C4z",
        "D4z",
        "C4h",
        "C4v",
        "D4h",
        "D2d",
        "S4",
        "Ci",
        "Cs",
    ),
    *("T", "Td", "Th", "O", "Oh", "I", "Ih", "SO3", "O3"),
    *("Cinfz", "Cinfv", "Cinfh", "Dinfz", "Dinfh", "D4xC2"),
    *("T1", "T2", "T3", "Tx", "Ty", "Rx", "RxSO2", "SE2", "SE3", "Trivial1", "Trivial2", "Trivial3"),
)


def groups():
    rows = []
    for name in GROUPS:
        group = ke.groups.get(name)
        order = str(group.order) if group.is_finite else "infinite"
        irreps = ""
        if group.orthogonal:
            found = ke.groups.irreps(group, *(() if group.is_finite else (1,)))
            irreps = ", ".join([*(f"`{irrep.name}`" for irrep in found), *([] if group.is_finite else ["..."])])
        grid = "yes" if group.on_grid and group.is_finite else "its part on the grid"
        if group.factors:
            rows.append((f"`{name}`", f"`{group.name}`", "pairs of points", order, "–", irreps))
        elif group.orthogonal:
            rows.append((f"`{name}`", f"`{group.name}`", f"{group.dimension}D", order, grid, irreps))
        else:
            rows.append((f"`{name}`", f"`{group.name}`", f"points in {group.dimension}D", order, "–", ""))
    examples = table(("name", "is", "moves", "elements", "exact on the grid", "irreps"), rows)
    return page(
        "Groups",
        "the names of groups, how many elements they have, which of them a pixel grid keeps exactly, and their irreps.",
        "`C<n>` and `D<n>` take any n, so do `C<n>h`, `C<n>v`, `C<n>z`, `D<n>h`, `D<n>d`, `D<n>z` and `S<2n>`; about "
        "the axis of `Cinfz`, `Cinfv`, `Cinfh`, `Dinfz` and `Dinfh` n is infinite; `D4xC2` is "
        "the direct product of two finite groups, which moves pairs of points and takes features without space; `p4` "
        "is C4, `p4m` "
        "is D4. The order of elements stands in [conventions](conventions.md). A group of your own: "
        "[extending](../guides/extending.md).",
        examples,
    )


def specs():
    parts = ["<!-- results: specs -->\n<!-- end -->", "## One by one"]
    for name in ke.list_specs():
        spec = ke.load_spec(name)
        training = spec.training
        lines = [f"### {name}", spec.description + "."]
        if training:
            lines.append(f"Recipe: {training.get('dataset', 'digits')}, {training.get('epochs', 20)} epochs.")
        values = ", ".join(f"`{key}: {value}`" for key, value in spec.params.items())
        lines.append(f"Parameters: {values}." if values else "It has no parameters.")
        parts.append("\n\n".join(lines))
    return page(
        "Packaged specs",
        "every network that comes with the package, its size, its parameters to `--set`, and what it is trained on.",
        *parts,
    )


def formats():
    from keras_equivariant.export.formats import registry

    rows = []
    for name in ke.export.format_names():
        found = registry.get(name)
        extra = f'`pip install "keras-equivariant[{found.extra}]"`' if found.extra else "nothing more"
        file = found.file.format(name="<name>", version="<version>")
        rows.append((f"`{name}`", f"`{file}`", found.purpose, f"{found.tolerance:g}", extra))
    return page(
        "Formats",
        "the files that `ke.export` and `keras-equivariant export` write, what runs them, and how closely each must "
        "agree with "
        "the model.",
        table(("format", "file", "for", "largest difference", "needs"), rows),
        "Which packaged spec does not go into which format, and why: [deploying](../guides/deploying.md). A format "
        "of your own: "
        "`ke.export.register_format`, [extending](../guides/extending.md).",
    )


def command_line():
    from keras_equivariant.cli.parser import COMMANDS, make_parser

    parser = make_parser()
    actions = next(action for action in parser._actions if hasattr(action, "choices") and action.choices)
    parts = []
    for name, command in actions.choices.items():
        rows = []
        for action in command._actions:
            if action.dest == "help":
                continue
            label = ", ".join(action.option_strings) or action.metavar or action.dest
            if action.option_strings and action.nargs != 0 and (action.metavar or action.choices):
                value = action.metavar if isinstance(action.metavar, str) else "|".join(map(str, action.choices or ()))
                label += f" {value}"
            text = (action.help or "").replace("%%", "%")
            rows.append((f"`{label}`".replace("|", "\\|"), escaped(text)))
        parts.append(f"## {name}\n\n{COMMANDS[name][3] or COMMANDS[name][2].capitalize() + '.'}")
        parts.append(table(("argument", "what"), rows))
    return page("Commands", "every command of `keras-equivariant` and every option, as `--help` shows them.", *parts)


def errors():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                text = _message(node.exc.args[0])
                kind = getattr(node.exc.func, "id", getattr(node.exc.func, "attr", ""))
                if "Received" in text and kind.endswith(("Error", "Symmetry")):
                    rule, _, rest = text.partition("Received")
                    remedy = re.split(r"(?<=[.;}])\s+", rest.lstrip(": "), maxsplit=1)
                    remedy = remedy[1] if len(remedy) > 1 else ""
                    found.setdefault(part, set()).add((kind, rule.strip(), remedy.strip()))
    parts = []
    for part, messages in sorted(found.items()):
        rows = [(f"`{kind}`", escaped(rule), escaped(remedy)) for kind, rule, remedy in sorted(messages)]
        parts.append(f"## {part}\n\n" + table(("error", "the rule", "what helps"), rows))
    return page(
        "Errors",
        "the rules that errors state, so that a message is found by its words, and what helps. A message reads: the "
        "rule, "
        "`Received: …`, the remedy; … stands for what depends on the case. Exactness has a page of its own: [group "
        "convolutions](../guides/group_convolutions.md#exact-or-an-error).",
        *parts,
    )


def other_libraries():
    from keras_equivariant.transfer import peers

    parts = []
    for library in dict.fromkeys(row.library for row in peers.ROWS):
        rows = []
        for row in (row for row in peers.ROWS if row.library == library):
            verdict = f"**{row.verdict}**" if row.verdict in (peers.SAME, peers.AFTER) else row.verdict
            note = f": {row.note}" if row.note else ""
            checked = f"`{row.checked.rpartition('::')[2]}`" if row.checked else "–"
            theirs = ", ".join(f"`{name}`" for name in row.theirs)
            rows.append((theirs, row.ours or "–", verdict + note, checked))
        parts.append(f"## {library}\n\n" + table(("there", "here", "the same?", "checked by"), rows))
    return page(
        "Other libraries",
        "what other libraries have, what it is here, whether the numbers are the same, and the test that compares "
        "them.",
        "Numbers of escnn 1.0.11 are recorded in `tests/transfer`; `ke.from_escnn` brings over every module that is "
        "the same here, see [coming from escnn](../guides/coming_from_escnn.md).",
        *parts,
    )


def _message(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _message(node.left) + _message(node.right)
    return ""


def sources():
    """The Markdown pages of the site, in the order of llms.txt."""
    skipped = {HERE / "README.md"}
    for folder in ("guides", "reference", "development", "results"):
        yield from (path for path in sorted((HERE / folder).glob("*.md")) if path not in skipped)


def llms(texts):
    """llms.txt: one line a page, for agents that look for the right one."""
    lines = [
        "# keras_equivariant",
        "> Keras layers that are equivariant by construction, and a compiler that turns a YAML spec into a whole "
        "model, ready "
        "to train, to certify and to ship. `python -m keras_equivariant skill` prints a page for coding agents.",
        "## Pages",
    ]
    listed = []
    for path in [ROOT / "README.md", HERE / "README.md", *sources()]:
        text = texts.get(path) or path.read_text()
        title = re.search(r"^# (.+)$", text, re.MULTILINE).group(1)
        what = re.search(r"What you get here: (.+?)(?:\n\n|$)", text, re.DOTALL)
        name = os.path.relpath(path, HERE)
        listed.append(f"- [{title}]({name})" + (f": {_plain(what.group(1))}" if what else ""))
    return "\n\n".join([*lines, "\n".join(listed)]) + "\n"


def _plain(text):
    return re.sub(r"\[([^]]+)]\([^)]+\)", r"\1", " ".join(text.split()))


def llms_full():
    """All pages in one text; the site serves it as llms-full.txt."""
    parts = []
    for path in [ROOT / "README.md", PACKAGE / "cli" / "SKILL.md", HERE / "README.md", *sources()]:
        parts.append(f"<!-- {path.relative_to(ROOT).as_posix()} -->\n\n{path.read_text().strip()}")
    return "\n\n".join(parts) + "\n"


GENERATED = {
    "layers": layers,
    "groups": groups,
    "specs": specs,
    "formats": formats,
    "command_line": command_line,
    "errors": errors,
    "other_libraries": other_libraries,
}


def wanted(marks=None):
    """`{path: text}` of every generated page, filled; results first, which the others show."""
    from keras_equivariant.results import load_folder, pages, render, stale_rows

    folder = HERE / "results"
    experiments = load_folder(folder)
    if marks is None:
        marks = {name: stale_rows(experiment) for name, experiment in experiments.items()}
    texts = {folder / "README.md": render.index(experiments, marks)}
    for name, experiment in experiments.items():
        texts[folder / f"{name}.md"] = render.page(experiment, marks.get(name))
    for name, make in GENERATED.items():
        texts[HERE / "reference" / f"{name}.md"] = make()
    for path in [ROOT / "README.md", *HERE.rglob("*.md")]:
        if path.parent != folder:
            texts[path] = pages.filled(texts.get(path) or path.read_text(), experiments, marks, path)
    texts[HERE / "llms.txt"] = llms(texts)
    return texts


def draw():
    """The plots of the results and the pictures of the glossary."""
    from glossary_pictures import draw_pictures

    from keras_equivariant.results import load_folder, render

    for experiment in load_folder(HERE / "results").values():
        render.draw(experiment, HERE / "results")
    draw_pictures(HERE / "guides")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 if a page would change")
    check = parser.parse_args().check
    texts = wanted()
    changed = [path for path, text in texts.items() if not path.exists() or path.read_text() != text]
    for path in changed:
        print(f"{'would change' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(texts[path])
    if not check:
        draw()
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
