"""Results as data: files of the schema, pages rendered from them, networks and commands that are still as they say."""

import gc
import json
import pathlib
import re
import shlex
import sys

import keras
import numpy as np
import pytest
import yaml

from keras_equivariant.cli import main
from keras_equivariant.cli.parser import make_parser
from keras_equivariant.compiler import list_specs, load_spec
from keras_equivariant.results import (
    Row,
    add_times,
    equal,
    load_experiment,
    load_folder,
    record_timing,
    render_pages,
    stale,
)
from keras_equivariant.results.check import built, parameters, resolved, signature
from keras_equivariant.results.render import draw, lines

ROOT = pathlib.Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials"
RESULTS = TUTORIALS / "results"
EXPERIMENTS = load_folder(RESULTS)
ROWS = [(name, row) for name, experiment in EXPERIMENTS.items() for row in experiment.rows.values()]
LARGE = 1_000_000
sys.path.insert(0, str(TUTORIALS))


@pytest.mark.tensorflow
@pytest.mark.parametrize("large", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_parameters_are_those_of_the_networks_built_now(large):
    """The large ones are counted in tests/compiler each time."""
    counted = {}
    for name, row in ROWS:
        spec = resolved(row)
        if spec is None or (row.fields["parameters"] > LARGE) != large:
            continue
        if spec.digest not in counted:
            counted[spec.digest] = parameters(built(spec))
            keras.backend.clear_session()
        assert counted[spec.digest] == row.fields["parameters"], f"{name}: {row.name}"
    gc.collect()


def test_every_packaged_spec_is_listed():
    assert {row.fields["spec"]["name"] for row in EXPERIMENTS["specs"].rows.values()} == set(list_specs())


@pytest.mark.tensorflow
def test_pages_are_those_that_are_rendered():
    import build_pages

    texts = build_pages.wanted()
    often_changed = {
        "layers.md",
        "command_line.md",
        "errors.md",
    }  # of docstrings and messages; the site makes them anew
    for path, text in texts.items():
        known = path.read_text()
        if path.name in often_changed and path.parent.name == "reference":
            text, known = (set(re.findall(r"^(?:## |\| `\w+`)", page, re.MULTILINE)) for page in (text, known))
        assert known == text, f"{path.relative_to(ROOT)}: run `python tutorials/build_pages.py`"


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name}-{row.name}" for name, row in ROWS])
def test_commands_are_still_commands(name, row):
    program, *words = shlex.split(row.fields["command"])
    if program == "keras-equivariant":
        arguments = make_parser().parse_args(words)
        load_spec(arguments.spec, **{k: yaml.safe_load(v) for k, _, v in (s.partition("=") for s in arguments.set)})
    elif program == "pytest":
        paths = [word for word in words if "/" in word]
        assert paths and all((ROOT / path).exists() for path in paths)
    elif program == "python":
        assert (ROOT / words[0]).exists()
    else:
        assert program == "unknown"


def test_no_number_is_typed_into_a_page():
    for path in [ROOT / "README.md", *TUTORIALS.glob("*.md"), *(TUTORIALS / "guides").glob("*.md")]:
        text = re.sub(r"<!-- results: .*?<!-- end -->|```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL)
        assert not re.findall(r"\d[\d.,]* ?%", text), f"{path.name}: numbers come from tutorials/results"


def test_a_row_says_where_it_comes_from(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("results: 1\ntitle: one\nrows: {a: {command: unknown}}\n")
    with pytest.raises(ValueError, match=r"rows\.a without spec, parameters.*write `unknown`"):
        load_experiment(path)
    path.write_text("results: 1\ntitle: one\nrow: {}\n")
    with pytest.raises(ValueError, match='Did you mean "rows"'):
        load_experiment(path)


@pytest.mark.tensorflow
def test_rows_are_marked_when_the_spec_or_the_code_changed():
    digest = load_spec("z2_cnn").digest
    assert load_spec("z2_cnn", filters=7).digest != digest
    found = signature(built(load_spec("z2_cnn")))
    fields = {"spec": {"name": "z2_cnn", "sha256": digest}, "signature": found}
    assert stale(Row("a", fields, {})) == ""
    assert stale(Row("a", {**fields, "signature": [2 * x for x in found]}, {})) == "code changed since"
    assert stale(Row("a", {**fields, "spec": {"name": "z2_cnn", "sha256": "0" * 16}}, {})) == "spec changed since"
    assert stale(Row("a", {**fields, "spec": {"name": "z2_cnn", "sha256": "unknown"}}, {})) == "earlier version"
    assert stale(Row("a", {"spec": "none"}, {})) == ""


@pytest.mark.tensorflow
def test_a_run_is_recorded_and_rendered(tmp_path, capsys):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (24, 28, 28, 1)).astype("uint8"), np.arange(24) % 3
    np.savez(tmp_path / "noise.npz", x_train=images, y_train=labels, x_test=images[:9], y_test=labels[:9])
    run, target = tmp_path / "run", tmp_path / "results" / "noise.yaml"
    train = ["train", "z2_cnn", "--data", str(tmp_path / "noise.npz"), "--set", "filters=2", "--epochs", "1"]
    assert main([*train, "--angle-step", "90", "--no-export", "--quiet", "--run-dir", str(run)]) == 0
    record = ["record", str(run), "--to", str(target), "--published", "1 %", "--source", "a paper"]
    assert main(record) == 0 and main([*record, "--name", "again"]) == 0
    (row, _), summary = load_experiment(target).rows.values(), json.loads((run / "summary.json").read_text())
    assert row.fields["command"].startswith("keras-equivariant train z2_cnn --data ")
    assert row.fields["command"].endswith("--set filters=2 --epochs 1 --angle-step 90.0 --no-export")
    assert row.fields["spec"]["params"] == {"filters": 2, "classes": 3}
    assert re.fullmatch(r"[0-9a-f]{16}", row.fields["data"]["sha256"]) and row.fields["versions"]["keras"]
    assert row.numbers["test_error_percent"] == summary["test_error_percent"] and stale(row) == ""

    content = yaml.safe_load(target.read_text())
    content["columns"] = [{"title": "error", "show": "{test_error_percent:.1f} %"}]
    content["plots"] = [{"file": "noise.png", "numbers": "error_percent_by_angle", "title": "noise"}]
    target.write_text(yaml.safe_dump(content))
    page = tmp_path / "page.md"
    page.write_text("Wrong on <!-- results: noise {run.test_error_percent:.1f} % -->old<!-- end --> of noise.\n")
    render = ["render", str(page), "--results", str(target.parent)]
    assert main([*render, "--check"]) == 1 and "old" in page.read_text()
    assert main(render) == 0 and main([*render, "--check"]) == 0
    assert f"-->{summary['test_error_percent']:.1f} %<!--" in page.read_text()
    assert (target.parent / "noise.png").read_bytes().startswith(b"\x89PNG")
    assert "published in: a paper" in (target.parent / "noise.md").read_text()
    page.write_text("<!-- results: nois -->\n<!-- end -->")
    assert main(render) == 2 and 'Did you mean "noise"' in capsys.readouterr().err
    page.write_text("<!-- results: noise {run.acuracy} -->\n<!-- end -->")
    assert main(render) == 2
    assert main(["record", str(tmp_path), "--to", str(target)]) == 2
    assert main([*record[:4], "--source", "a paper"]) == 2


def test_benchmarks_record_too(tmp_path):
    record_timing(tmp_path / "speed.yaml", "step", {"ratio": 0.9}, "pytest -m benchmark tests/benchmarks", {})
    row = load_experiment(tmp_path / "speed.yaml").rows["step"]
    assert row.numbers == {"ratio": 0.9} and row.fields["machine"]
    assert not render_pages([], tmp_path, check=False) == []


def test_a_plot_of_a_number_across_another(tmp_path):
    """A line for each series, its points in the order of the number across, as far as rows have both numbers."""
    path = tmp_path / "one.yaml"
    for name, fraction in (("a", 1.0), ("b", 0.1), ("c", 0.1), ("d", 1.0)):
        numbers = {"fraction": fraction, "test_error_percent": 10 * fraction, "test_error_percent_deviation": 1.0}
        record_timing(path, name, numbers, "pytest", {})
    content = yaml.safe_load(path.read_text())
    for name, series in (("a", "on D4"), ("b", "on D4"), ("c", "plain"), ("d", "plain")):
        content["rows"][name]["series"] = series
    plot = {"across": "fraction", "numbers": "test_error_percent", "title": "one", "log": True, "ticks": "{:.0%}"}
    absent = {"file": "absent.png", "across": "tflite_ms", "numbers": "test_error_percent", "title": "none"}
    content["plots"] = [{"file": "one.png", **plot}, absent]
    path.write_text(yaml.safe_dump(content))
    assert [drawn.name for drawn in draw(load_experiment(path), tmp_path)] == ["one.png"]
    axes = pytest.importorskip("matplotlib.figure").Figure().subplots()
    lines(axes, list(load_experiment(path).rows.values()), plot)
    found = {c.get_label(): [list(map(float, line)) for line in c.lines[0].get_data()] for c in axes.containers}
    assert found == {"on D4": [[0.1, 1.0], [1.0, 10.0]], "plain": [[0.1, 1.0], [1.0, 10.0]]}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10%", "100%"]

    content["equal"] = [{"series": "on D4", "better": "lower", "show": "{:.0%}", "value": "{:.1f} %"}]
    content["equal"][0] |= {
        "across": "fraction",
        "numbers": "test_error_percent",
        "title": "set",
        "numbers_title": "error",
    }
    path.write_text(yaml.safe_dump(content))
    assert "| 10% | 1.0 % | at most 10% |" in equal.table(load_experiment(path))
    assert equal.reached([(0.01, 9.0), (0.1, 5.0), (1.0, 1.0)], 7.0, "lower") == (pytest.approx(0.1**1.5), False)
    assert equal.reached([(0.1, 5.0), (1.0, 4.0)], 3.9, "lower") is None
    assert equal.reached([(0.1, 5.0), (1.0, 9.0)], 7.0, "higher") == (pytest.approx(0.1**0.5), False)

    add_times(path, {"b": {"tflite_ms": 0.5}}, "pytest -m benchmark here")
    row = load_experiment(path).rows["b"]
    assert row.numbers["tflite_ms"] == 0.5 and row.numbers["fraction"] == 0.1
    render_pages([], tmp_path)
    assert "# times\npytest -m benchmark here" in (tmp_path / "one.md").read_text()


def test_a_folder_of_results_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="Results are the YAML files of a folder.*no folder. Correct its name"):
        render_pages([], tmp_path / "nothing")
