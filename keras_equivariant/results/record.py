"""Writing results: a row from the folder of a finished run, or from a benchmark."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Sequence

import yaml

from keras_equivariant.compiler import list_specs, load_spec
from keras_equivariant.results.check import built, resolved, signature
from keras_equivariant.results.experiment import VERSION, Row, load_experiment
from keras_equivariant.utils.provenance import UNKNOWN, provenance

# Numbers of a summary that are no measurement of the network, or stand in fields of their own.
_NO_NUMBERS = ("parameters", "seed", "batch_size", "training_images", "test_images")
_NO_SOURCE = {"text": "–", "source": "none"}


def record_run(
    run: str | os.PathLike[str],
    path: str | os.PathLike[str],
    name: str | None = None,
    published: dict | None = None,
) -> Row:
    """Write the results of a finished run of `ke.train` into the file of an experiment.

    Args:
        run: the folder of the run; of several seeds, the numbers are means, beside their deviations.
        path: the experiment's YAML file; a new one is made, in another the row is added or replaced.
        name: of the row; default: the folder's.
        published: `{"text": …, "source": …}`, the number to compare with.

    Returns:
        The `Row`.

    Raises:
        FileNotFoundError: the run is not finished.
        ValueError: a folder or a file that is none.
    """
    run, path = pathlib.Path(run), pathlib.Path(path)
    if not (run / "summary.json").exists():
        raise FileNotFoundError(
            f"A run to record must be finished. Received: {run} without a summary.json. Continue it with --resume."
        )
    summary, one = json.loads((run / "summary.json").read_text()), run
    if "seeds" in summary:
        one = run / f"seed{summary['seeds'][0]}"
    config = json.loads((one / "config.json").read_text())
    settings, origin = config["settings"], config.get("origin") or {}
    fields = {
        "command": summary.get("command") or origin.get("command", UNKNOWN),
        "spec": _spec(one, origin),
        "parameters": summary["parameters"],
        "data": {"name": settings["data"], "sha256": origin.get("data_sha256", UNKNOWN)},
        "seeds": summary.get("seeds") or [settings["seed"]],
        "versions": {key: value for key, value in config["versions"].items() if key != "machine"},
        **{key: origin.get(key, UNKNOWN) for key in ("machine", "commit", "date")},
        "numbers": _numbers(summary),
        "published": published or _NO_SOURCE,
    }
    row = Row(name or run.name, fields, fields["numbers"])
    spec = resolved(row)
    found = signature(built(spec)) if spec else None
    if found:
        fields["signature"] = found
    write_row(path, row.name, fields, title=f"{settings['data']}")
    return row


def record_timing(
    path: str | os.PathLike[str],
    name: str,
    numbers: dict,
    command: str,
    versions: dict,
    *,
    label: str | None = None,
    data: str = "none",
    seeds: Sequence[int] = (),
) -> None:
    """Write what a benchmark or a script measured into the file of an experiment: a row that names no spec.

    Args:
        path: the experiment's YAML file.
        name, label: of the row.
        numbers, command, versions: what was measured, by what, with what.
        data, seeds: that it was measured on.
    """
    none = {"spec": "none", "parameters": "–", "published": _NO_SOURCE}
    fields = {"command": command, **none, "data": data, "seeds": list(seeds), "versions": versions, **provenance()}
    fields |= {"numbers": numbers} | ({} if label is None else {"label": label})
    path = pathlib.Path(path)
    write_row(path, name, fields, title=path.stem)


def add_times(path: str | os.PathLike[str], times: dict[str, dict], command: str) -> None:
    """Write times into rows that are there, of networks measured elsewhere than they were trained.

    Args:
        path: the experiment's YAML file.
        times: the numbers to add, by the name of the row.
        command: that measured them.
    """
    path = pathlib.Path(path)
    load_experiment(path)
    content = yaml.safe_load(path.read_text())
    for name, numbers in times.items():
        row = content["rows"][name]
        row["numbers"] |= numbers
        row["timed"] = {"command": command, **provenance()}
    path.write_text(dump(content))


def write_row(path, name, fields, title):
    """Add a row to a file, or replace it; the rest of the file stays as it is read."""
    content = {"results": VERSION, "title": title, "rows": {}}
    if path.exists():
        load_experiment(path)  # refuses what is no file of results
        content = yaml.safe_load(path.read_text())
    before = content["rows"].get(name, {})
    kept = {key: before[key] for key in ("label", "series", "published") if key in before}
    if fields["published"] != _NO_SOURCE:
        kept.pop("published", None)
    content["rows"][name] = {**fields, **kept}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dump(content))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def _text(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dump(content):
    """A file of results as text: long texts as blocks, short maps and lists in one line."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=118, default_flow_style=None)


def _numbers(summary):
    numbers = {
        key: value for key, value in summary.items() if isinstance(value, int | float) and key not in _NO_NUMBERS
    }
    numbers |= {key: value for key, value in summary.items() if "_by_angle" in key}
    certificate = summary.get("certificate") or {}
    numbers |= {f"certificate_{key}": value for key, value in certificate.items() if value is not None}
    return numbers


def _spec(run, origin):
    if not (run / "spec.yaml").exists():
        return "none"
    spec, name = load_spec(run / "spec.yaml"), origin.get("spec")
    if name not in list_specs():
        return {"file": pathlib.Path(name).name if name else UNKNOWN, "sha256": spec.digest}
    defaults, values = load_spec(name).params, origin.get("params") or {}
    changed = {key: value for key, value in values.items() if value != defaults.get(key)}
    for key in list(changed):  # what follows from the other parameters is not repeated
        others = {other: value for other, value in changed.items() if other != key}
        if load_spec(name, **others).params == values:
            changed = others
    return {"name": name, "params": changed, "sha256": spec.digest}
