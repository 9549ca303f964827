"""Several seeds: each a run of its own, together a mean with its deviation."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from tiny_training import SPEC, plain, save_shapes

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.export import export
from keras_equivariant.results import record_run
from keras_equivariant.training import compare_runs, results
from keras_equivariant.training.seeds import train_seeds
from keras_equivariant.training.tasks.classification import Classification

pytestmark = pytest.mark.tensorflow


def summary(folder):
    return json.loads((folder / "summary.json").read_text())


def test_seeds_are_runs_and_their_mean(tmp_path, capsys):
    data, run = save_shapes(tmp_path / "shapes.npz", 24), tmp_path / "run"
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(SPEC))
    options = ["--data", data, "--run-dir", str(run), "--epochs", "1", "--angle-step", "180", "--no-export"]
    assert main(["train", str(tmp_path / "tiny.yaml"), *options, "--seed", "3", "--seeds", "2"]) == 0
    assert "Over the seeds 3, 4" in capsys.readouterr().out
    errors = [summary(run / f"seed{seed}")["test_error_percent"] for seed in (3, 4)]
    found = summary(run)
    assert found["seeds"] == [3, 4] and found["test_error_percent"] == pytest.approx(np.mean(errors), abs=1e-3)
    assert found["test_error_percent_deviation"] == pytest.approx(np.std(errors, ddof=1), abs=1e-3)
    assert (run / "scores_by_angle.png").is_file() and "--seeds 2" in found["command"]
    assert main(["compare", str(run), str(run / "seed3"), "--plot", str(tmp_path / "plot.png")]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert "seeds" in head and first.startswith("run ") and "±" in first and "±" not in second
    assert main(["evaluate", str(run)]) == 2 and f"such as {run / 'seed3'}" in capsys.readouterr().err
    row = record_run(run, tmp_path / "results.yaml")
    assert row.fields["seeds"] == [3, 4] and "error_percent_by_angle_deviation" in row.numbers
    for seeds, error, message in ((2, FileExistsError, "empty folder.*--resume"), (0, ValueError, "positive integer")):
        with pytest.raises(error, match=message):
            ke.train(SPEC, data, run, recipe={"seeds": 3}, seeds=seeds)
    with pytest.raises(ValueError, match=r"weights of its own.*spec_of"):
        ke.train(plain(), data, tmp_path / "other", recipe={"seeds": 2})


def test_a_fraction_of_the_training_images_is_drawn_and_said(tmp_path, capsys):
    data, spec = save_shapes(tmp_path / "shapes.npz", 60), str(tmp_path / "tiny.yaml")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(SPEC))
    whole = ke.data.load(data)
    tenth = whole.with_fraction(0.1, seed=1)
    assert np.bincount(tenth.y_train).tolist() == [2, 2, 2] and len(tenth.x_test) == len(whole.x_test)
    assert whole.with_fraction(None) is whole and len(whole.with_fraction(0.001).x_train) == 1
    assert (whole.with_fraction(0.1, seed=2).x_train != tenth.x_train).any()
    options = ["--data", data, "--epochs", "1", "--angle-step", "180", "--no-export", "--quiet"]
    assert main(["train", spec, *options, "--run-dir", str(tmp_path / "half"), "--fraction", "0.5"]) == 0
    found = summary(tmp_path / "half")
    assert found["fraction"] == 0.5 and found["training_images"] == 30 and found["test_images"] == 30
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "summary.json").write_text(json.dumps({**found, "fraction": None, "training_images": 60}))
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "all"), str(tmp_path / "half")]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert "training images" in head and " 60 " in first and " 30 (50 %) " in second
    assert main(["train", spec, *options, "--run-dir", str(tmp_path / "half"), "--resume", "--fraction", "0.4"]) == 2
    assert "fraction: 0.5 then, 0.4 now" in capsys.readouterr().err
    for wrong in (0, 1.5, -1):
        with pytest.raises(ValueError, match=f"above 0 and at most 1. Received: fraction={wrong}"):
            whole.with_fraction(wrong)


def stand_in(score):
    """A function that leaves what `train` leaves, at once; `score(network, seed)` is the error in degrees."""

    def one(folder, network, seed):
        keys = {"network": network, "parameters": 5, "data": "d", "data_description": "d", "seed": seed}
        names = ("test_angle_error_degrees", "mean_angle_error_degrees_over_angles")
        names += ("worst_angle_error_degrees_over_angles",)
        found = {
            **keys,
            **dict.fromkeys(names, score(network, seed)),
            "certificate": {"group": "C4", "verdict": "exact"},
        }
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("summary.json", "config.json"):
            (folder / file).write_text(json.dumps(found))
        return SimpleNamespace(summary=found, score_by_angle={}, comparison=None)

    def train(spec, seed, run_dir, **options):
        train.calls.append((seed, options["resume"]))
        found = one(run_dir, "first", seed)
        found.comparison = one(run_dir / "compare", "second", seed)
        return found

    train.calls = []
    return train


def test_missing_seeds_are_added_and_the_other_network_is_compared(tmp_path):
    train = stand_in(lambda network, seed: seed + 10.0 * (network == "second"))
    given = {"spec": "a", "compare": "b", "seed": 0, "resume": False, "run_dir": tmp_path / "run"}
    train_seeds(train, 2, given, "command")
    found = train_seeds(train, 3, {**given, "resume": True}, "command")
    assert train.calls == [(0, False), (1, False), (0, True), (1, True), (2, False)]
    table = compare_runs([tmp_path / "run", tmp_path / "run" / "compare"])
    assert str(found) == table
    _, first, second = table.splitlines()
    assert first.startswith("run ") and "1 ± 1 " in first and second.startswith("run/compare ") and "11 ± 1 " in second
    (tmp_path / "run" / "seed1" / "summary.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"seed1 without.*--resume"):
        compare_runs([tmp_path / "run"])


def test_data_called_by_two_paths_are_the_same(tmp_path):
    for name, data, tested in (("a", "d.npz", "1"), ("b", "/there/d.npz", "1"), ("c", "e.npz", "2")):
        stand_in(lambda network, seed: 1.0)(spec="a", seed=0, run_dir=tmp_path / name, resume=False)
        path = tmp_path / name / "summary.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "data": data, "sha256_of_test": tested}))
    assert len(compare_runs([tmp_path / "a", tmp_path / "b"]).splitlines()) == 3
    with pytest.raises(ValueError, match=r"same data can be compared.*c on e.npz.*evaluate RUN --data"):
        compare_runs([tmp_path / "a", tmp_path / "c"])


def test_runs_that_are_left_from_more_seeds_are_not_counted(tmp_path):
    train = stand_in(lambda network, seed: float(seed))
    given = {"spec": "a", "compare": None, "seed": 0, "resume": False, "run_dir": tmp_path / "run"}
    train_seeds(train, 3, given, "command")
    fewer = train_seeds(train, 2, {**given, "resume": True}, "command")
    assert fewer.summary["seeds"] == [0, 1] and str(fewer) == compare_runs([tmp_path / "run", tmp_path / "run/compare"])
    assert "0.5 ± " in str(fewer).splitlines()[1]


def test_seeds_that_have_ended_are_read_not_tested_again(tmp_path, monkeypatch):
    data, run = save_shapes(tmp_path / "shapes.npz", 24), tmp_path / "run"
    options = {"epochs": 1, "angle_step": 180, "export_formats": (), "verbose": 0}
    first = ke.train(SPEC, data, run, seeds=2, **options)
    tested, scores = [], Classification.scores
    monkeypatch.setattr(Classification, "scores", lambda *given: tested.append(1) or scores(*given))
    again = ke.train(SPEC, data, run, seeds=2, resume=True, **options)
    assert not tested and again.summary == first.summary and str(again) == str(first)
    for old, new in zip(first.results, again.results, strict=True):
        assert (old.scores, old.score_by_angle, old.history) == (new.scores, new.score_by_angle, new.history)
        assert old.summary == new.summary and str(old.certificate) == str(new.certificate)
        for a, b in zip(old.model.get_weights(), new.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    # What is asked for in other words, or is not there any more, is made: another network and a file, then other data.
    one, file = {**options, "compare": SPEC, "export_formats": ("keras",)}, run / "seed0" / "export" / "tiny.keras"
    arrays = dict(np.load(data))
    for images in (arrays["x_test"], 255 - arrays["x_test"]):
        np.savez(data, **{**arrays, "x_test": images})
        tested.clear()
        found = ke.train(SPEC, data, run / "seed0", resume=True, **one)
        assert tested and file.is_file()
    tested.clear()
    read = ke.train(SPEC, data, run / "seed0", resume=True, **one)
    assert not tested and read.summary == found.summary and read.comparison.summary == found.comparison.summary
    file.unlink()
    made = []
    monkeypatch.setattr(results, "export", lambda *given, **named: made.append(1) or export(*given, **named))
    ke.train(SPEC, data, run / "seed0", resume=True, **one)
    assert made
