"""Tables, numbers and plots of an experiment."""

import pathlib

from keras_equivariant.results import equal
from keras_equivariant.results.experiment import show
from keras_equivariant.utils.optional import require

COLORS = ("#1f5fa8", "#c8553d", "#3a7d44", "#8a5fa8", "#b8860b", "#4d4d4d")
LINES = ("-", "--", ":", "-.")


def text(experiment, template):
    """A Markdown text of the experiment with its numbers filled in."""
    return show(template, {name: row.values for name, row in experiment.rows.items()})


def table(experiment, marks=None):
    """The Markdown table; rows that may no longer hold are marked.

    Args:
        experiment: an `Experiment`.
        marks: `{row: why}` of `stale_rows`.
    """
    titles = [column["title"] for column in experiment.columns]
    lines = [f"| {' | '.join(titles)} |", "|" + "---|" * len(titles)]
    for name, row in experiment.rows.items():
        cells = [show(column["show"], row.values).replace("|", "\\|") for column in experiment.columns]
        if name in (marks or {}):
            cells[0] += f" *({marks[name]})*"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def provenance(experiment):
    """How each row was measured, as Markdown; rows measured alike stand together."""
    groups = {}
    for name, row in experiment.rows.items():
        fields = row.fields
        versions = fields["versions"]
        if isinstance(versions, dict):
            versions = ", ".join(f"{key} {value}" for key, value in versions.items())
        seeds = fields["seeds"] if isinstance(fields["seeds"], str) else ", ".join(map(str, fields["seeds"])) or "none"
        data, published = fields["data"], fields["published"]
        if isinstance(data, dict):
            data = f"{data['name']} (SHA-256 {data.get('sha256', 'unknown')})"
        source = published.get("source", "none") if isinstance(published, dict) else published
        key = {
            "data": data,
            "seeds": seeds,
            "versions": versions,
            "machine": fields["machine"],
            "commit": fields["commit"],
            "date": fields["date"],
            "published in": source,
        }
        timed = fields.get("timed") or {}
        key |= {f"times: {title}": timed[title] for title in ("machine", "commit", "date") if title in timed}
        groups.setdefault(tuple(key.items()), []).append(
            (name, fields["command"], fields["spec"], timed.get("command"))
        )
    blocks = []
    for key, rows in groups.items():
        blocks.append("\n".join(f"- {title}: {value}" for title, value in key if value not in ("none", "–")))
        commands = {}
        for name, command, spec, timing in rows:
            if timing:
                commands.setdefault(timing, []).append("times")
            digest = f" (spec {spec['sha256']})" if isinstance(spec, dict) and spec.get("sha256") else ""
            commands.setdefault(command, []).append(name + digest)
        listed = [f"# {', '.join(dict.fromkeys(names))}\n{command}" for command, names in commands.items()]
        blocks.append("```text\n" + "\n".join(listed) + "\n```")
    return "\n\n".join(blocks)


def page(experiment, marks=None):
    """The page of an experiment, as Markdown."""
    parts = [
        f"# {experiment.title}",
        f"<!-- Rendered from {experiment.name}.yaml by `keras-equivariant render`; change that file. -->",
        text(experiment, experiment.about).strip(),
        table(experiment, marks) if experiment.rows else "",
        text(experiment, experiment.notes).strip(),
        *(f"![{plot['title']}]({plot['file']})" for plot in experiment.plots),
        equal.table(experiment),
        "## How it was measured" if experiment.rows else "",
        provenance(experiment),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def index(experiments, marks):
    """The page that lists the experiments."""
    lines = [
        "# Results",
        "<!-- Rendered by `keras-equivariant render`. -->",
        "What was measured, and how: every number in these pages comes from a YAML file beside it that says by which\n"
        "command, on which data, machine and commit it was made. Rows are marked in their first column: *earlier "
        "version*\n"
        "was measured before hashes of spec and code were kept, *spec changed since* and *code changed since* say "
        "that a\n"
        "new run may find another number.",
        "How to add one: `keras-equivariant record RUN --to FILE`, then `keras-equivariant render`; see "
        "[adding things](../development/adding.md).",
    ]
    rows = ["| experiment | rows | marked |", "|---|---|---|"]
    for name, experiment in experiments.items():
        rows.append(f"| [{experiment.title}]({name}.md) | {len(experiment.rows)} | {len(marks.get(name) or {})} |")
    return "\n\n".join([*lines, "\n".join(rows)]) + "\n"


def draw(experiment, folder):
    """Draw the plots of the experiment whose numbers it holds, and return their paths."""
    written = []
    for plot in experiment.plots:
        needed = {plot.get("numbers"), plot.get("across", plot.get("numbers"))}
        rows = [row for row in experiment.rows.values() if needed <= set(row.numbers)]
        if not rows:  # a picture of a run whose curves nobody kept
            continue
        figure = require("matplotlib.figure", "Plotting results").Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.subplots()
        (lines if "across" in plot else _curves)(axes, rows, plot)
        axes.set(title=plot["title"], ylabel=plot.get("y", ""))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        path = pathlib.Path(folder) / plot["file"]
        figure.savefig(path, dpi=150, metadata={"Software": None})
        written.append(path)
    return written


def _style(i):
    return {"color": COLORS[i % len(COLORS)], "linestyle": LINES[i % len(LINES)], "marker": "o", "linewidth": 1.8}


def _curves(axes, rows, plot):
    for i, row in enumerate(rows):
        curve = {float(x): y for x, y in row.numbers[plot["numbers"]].items()}
        if plot.get("turn", True):
            curve[360.0] = curve[0.0]
        label = row.values["label"].replace("`", "")
        axes.plot(list(curve), list(curve.values()), markersize=3.5, label=label, **_style(i))
    axes.set(xlabel=plot.get("x", "rotated by (degrees)"))
    if plot.get("turn", True):
        axes.set(xlim=(0, 360), ylim=(0, None), xticks=range(0, 361, 45))


def lines(axes, rows, plot):
    """A line for each series of rows: a number and its deviation, across another number."""
    series = {}
    for row in rows:
        series.setdefault(row.fields.get("series", row.values["label"]), []).append(row.numbers)
    for i, (label, found) in enumerate(series.items()):
        found = sorted(found, key=lambda numbers: numbers[plot["across"]])
        x, y = ([numbers[plot[key]] for numbers in found] for key in ("across", "numbers"))
        deviation = [numbers.get(f"{plot['numbers']}_deviation", 0.0) for numbers in found]
        axes.errorbar(x, y, deviation, markersize=5, capsize=3, label=label.replace("`", ""), **_style(i))
    axes.set(xlabel=plot.get("x", plot["across"]))
    if plot.get("log"):
        axes.set_xscale("log")
    if ticks := plot.get("ticks"):
        at = sorted({numbers[plot["across"]] for found in series.values() for numbers in found})
        axes.set_xticks(at, [ticks.format(x) for x in at])
        axes.minorticks_off()
