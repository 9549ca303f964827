"""A trained network meets data again: its own, divided as they were, and others, whose classes it knows by name."""

import json
import shutil

import keras
import numpy as np
import pytest
import yaml
from tiny_training import SPEC

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training.saved import Trained, load_trained

RNG = np.random.default_rng(0)
GRAYS = {"ant": 20, "cat": 20, "dog": 120, "eel": 220}
QUICK = {"angle_step": 180, "export_formats": (), "verbose": 0}


def folder_of(path, classes, count=20, size=8):
    image = pytest.importorskip("PIL.Image")
    for name in classes:
        (path / name).mkdir(parents=True)
        for i in range(count):
            noise = RNG.integers(0, 20, (size, size), "uint8")
            image.fromarray(noise + np.uint8(GRAYS[name])).save(path / name / f"{i}.png")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network that tells cat, dog and eel apart, trained on a folder named by a relative path."""
    place = tmp_path_factory.mktemp("zoo")
    folder_of(place / "zoo", ("cat", "dog", "eel"))
    recipe = {"optimizer": {"Adam": {"learning_rate": 0.1}}}
    (place / "tiny.yaml").write_text(yaml.safe_dump(SPEC))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        found = ke.train(
            "tiny.yaml", "zoo", "run", recipe=recipe, epochs=15, batch_size=8, data_options={"size": 8}, **QUICK
        )
    assert found.test_accuracy == 1
    return place / "run"


def evaluate(run, capsys, *options):
    status = main(["evaluate", str(run), "--angle-step", "180", *map(str, options)])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_classes_are_matched_by_name(run, capsys, tmp_path):
    status, text = evaluate(run, capsys, "--data", folder_of(tmp_path / "two", ("dog", "eel")))
    assert status == 0 and "Test error 0.00 %" in text
    status, text = evaluate(run, capsys, "--data", folder_of(tmp_path / "four", ("ant", "cat", "dog", "eel")))
    assert status == 2 and "with ant; the network knows cat, dog, eel" in text


def test_numbers_and_names_of_numbers(run):
    trained, images = load_trained(run), np.zeros((4, 8, 8, 1), "uint8")
    numbered = ke.data.Dataset("a", "a", images, np.arange(4) % 3, images, np.arange(4) % 3)
    assert trained.in_own_terms(numbered).y_test.tolist() == [0, 1, 2, 0]
    with pytest.raises(ValueError, match="with 3; the network knows 0, 1, 2"):
        trained.in_own_terms(ke.data.Dataset("a", "a", images, np.arange(4), images, np.arange(4)))
    bare = load_trained(run / "model.keras")
    for names, expected in (("021", [0, 2, 1, 0]), ("xyz", [0, 1, 2, 0])):
        labels = np.array([*names, names[0]])
        found = bare.in_own_terms(ke.data.Dataset("a", "a", images, labels, images, labels))
        assert found.y_test.tolist() == expected
    with pytest.raises(ValueError, match="with x, y; the network knows 0, 1, 2"):
        bare.in_own_terms(ke.data.Dataset("a", "a", images, [*"xyxy"], images, [*"xyxy"]))


def test_numbers_with_gaps_are_names(run, caplog):
    images, labels = np.zeros((6, 8, 8, 1), "uint8"), np.array([3, 1, 7, 1, 3, 7])
    found = ke.data.Dataset("a", "a", images, labels, images[:2], labels[:2])
    assert (found.num_classes, found.class_names) == (3, ("1", "3", "7"))
    assert found.y_train.tolist() == [1, 0, 2, 0, 1, 2] and found.y_test.tolist() == [1, 0]
    left = found.with_fraction(0.3)
    assert (left.num_classes, left.class_names) == (3, ("1", "3", "7"))
    assert set(left.y_train) <= {0, 1, 2}
    full = ke.data.Dataset("a", "a", images, np.arange(6), images, np.arange(6))
    assert full.with_fraction(0.3).num_classes == 6, "what is left out of a part is no gap"
    given = ke.data.Dataset("a", "a", images, labels, images, labels, num_classes=9)
    assert (given.num_classes, given.y_train.tolist()) == (9, labels.tolist())
    unknown = ke.data.Dataset("a", "a", images[:5], labels[:5], images, np.array([3, 1, 7, 9, 9, 9]))
    assert unknown.num_classes == 10, "a class that is not trained on"
    trained = load_trained(run)
    some = ke.data.Dataset("a", "a", images, np.array([0, 2] * 3), images, np.array([2, 0] * 3))
    assert trained.in_own_terms(some).y_test.tolist() == [2, 0] * 3
    trained.settings["classes"] = ["1", "3", "7"]
    assert trained.in_own_terms(found).y_test.tolist() == [1, 0]
    with pytest.raises(ValueError, match="with 0, 2; the network knows 1, 3, 7"):
        trained.in_own_terms(some)


NUMBERS = """
spec: 1
name: numbers
params: {outputs: 2}
input: {shape: [8, 8, 1]}
layers:
  - LiftingConv2D: {filters: 2, kernel_size: 3, group: C4}
  - GroupPooling: mean
  - GlobalAveragePooling2D
  - Dense: ${outputs}
training: {task: regression, epochs: 1}
"""


def table_of(path, **columns):
    """A CSV file of ten images with these columns."""
    rng = np.random.default_rng(0)
    lines = [",".join(("file", *columns))]
    for i in range(10):
        np.save(path.parent / f"{i}.npy", rng.normal(size=(8, 8)))
        lines.append(",".join([f"{i}.npy", *(str(value * (i + 0.5)) for value in columns.values())]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_numbers_are_matched_by_the_names_of_their_columns(tmp_path):
    (tmp_path / "numbers.yaml").write_text(NUMBERS)
    ke.train(tmp_path / "numbers.yaml", table_of(tmp_path / "first.csv", area=1, length=10), tmp_path / "run", **QUICK)
    trained = load_trained(tmp_path / "run")
    first = trained.in_own_terms(trained.load_data())
    other = trained.in_own_terms(trained.load_data(table_of(tmp_path / "other.csv", length=10, area=1)))
    assert other.target_names == first.target_names == ("area", "length")
    np.testing.assert_array_equal(other.y_test, first.y_test)
    for columns in ({"area": 1}, {"area": 1, "width": 1}, {"area": 1, "length": 1, "width": 1}):
        found = trained.load_data(table_of(tmp_path / "wrong.csv", **columns))
        with pytest.raises(ValueError, match=f"area, length. Received: .* with {', '.join(columns)}"):
            trained.in_own_terms(found)


def test_vectors_rotate_as_those_that_were_learned():
    images, targets = np.zeros((4, 8, 8, 1), "uint8"), np.eye(4, 2)
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    trained = Trained(model, task="vectors", target_type="1x1")
    parts = ("a", "a", images, targets, images, targets)
    same = ke.data.Dataset(*parts, task="vectors", target_type="1x1")
    assert trained.in_own_terms(same) is same
    with pytest.raises(ValueError, match='targets of type "1x2", for a network that learned "1x1"'):
        trained.in_own_terms(ke.data.Dataset(*parts, task="vectors", target_type="1x2"))


def test_own_data_are_divided_as_the_run_divided_them(run, capsys, tmp_path):
    trained = load_trained(run)
    seen = {image.tobytes() for image in ke.data.load(run.parent / "zoo").x_train}
    for name in (None, run.parent / "zoo"):
        found = trained.load_data(name, seed=5)
        assert found.name == "zoo" and not seen & {image.tobytes() for image in found.x_test}
    copy = shutil.copytree(run.parent / "zoo", tmp_path / "zoo")
    assert seen & {image.tobytes() for image in trained.load_data(copy, seed=5).x_test}, "the seed divides other data"
    status, text = evaluate(run, capsys, "--seed", 5)
    assert status == 0 and "12 test images" in text


def test_own_data_are_found_from_another_folder(run, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert evaluate(run, capsys)[0] == 0
    assert main(["export", str(run), "--output", "out", "--formats", "tflite_int8"]) == 0
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["data"] == "zoo" and "--data zoo" in config["origin"]["command"]
    summary = (run / "summary.json").read_text()
    assert str(run.parent) not in summary, "results name the data as they were given"


def test_options_of_the_run_hold_for_other_data_that_take_them(run, capsys, tmp_path):
    status, text = evaluate(run, capsys, "--data", folder_of(tmp_path / "large", ("cat", "eel"), size=12))
    assert status == 0 and "Test error 0.00 %" in text, "size=8 was not handed on"
    labels = np.array([0, 1, 1, 1])
    images = np.broadcast_to(np.array([20, 120], "uint8")[labels, None, None, None], (4, 8, 8, 1))
    ke.data.register("dogs", lambda: ke.data.Dataset("dogs", "dogs", images, labels, images, labels))
    status, text = evaluate(run, capsys, "--data", "dogs")
    assert status == 0 and "dogs does not take are left out: {'size': 8, 'bits': 8}" in text
    assert "Test error 0.00 %" in text
    status, text = evaluate(run, capsys, "--data", "dogs", "--size", 8)
    assert status == 2 and "Unknown option" in text
    status, text = evaluate(run, capsys, "--option", "size=null")
    assert status == 0, "an option of the run can be taken off"


def test_one_class_is_none_to_learn_but_may_be_tested_on(run, capsys, tmp_path):
    x = np.full((6, 8, 8, 1), 20, "uint8")
    np.savez(tmp_path / "one.npz", x_train=x, y_train=np.zeros(6, int), x_test=x, y_test=np.zeros(6, int))
    with pytest.raises(ValueError, match=r"two or more.*the class 0 alone.*--target number"):
        ke.train(SPEC, tmp_path / "one.npz", tmp_path / "run", epochs=1, **QUICK)
    assert ke.data.load(tmp_path / "one.npz", target="number").task == "regression"
    images = np.full((4, 8, 8, 1), 120, "uint8")
    alone = ke.data.Dataset("dogs_alone", "dogs", images, np.ones(4, int), images, np.ones(4, int))
    ke.data.register("dogs_alone", lambda: alone)
    status, text = evaluate(run, capsys, "--data", "dogs_alone")
    assert status == 0 and "Test error 0.00 %" in text


def test_images_of_other_channels_are_told_to_be_saved_in_those(run, capsys, tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("cat", "dog"):
        (tmp_path / "colors" / name).mkdir(parents=True)
        for i in range(5):
            image.fromarray(RNG.integers(0, 255, (8, 8, 3), "uint8")).save(tmp_path / "colors" / name / f"{i}.png")
    status, text = evaluate(run, capsys, "--data", tmp_path / "colors")
    assert status == 2 and "train on them; save them in gray" in text


def test_all_images_of_other_data_are_tested_where_asked(run, capsys, tmp_path):
    other = folder_of(tmp_path / "two", ("dog", "eel"), count=15)
    status, text = evaluate(run, capsys, "--data", other)
    assert status == 0 and "6 test images" in text and "the 6 for testing of the 30 of" in text
    status, text = evaluate(run, capsys, "--data", other, "--all")  # as the line says
    assert status == 0 and "30 test images" in text and "for testing of the" not in text
    status, text = evaluate(run, capsys, "--all")
    assert status == 2 and "Received: --all without --data" in text


def test_parts_become_one_whatever_holds_them(tmp_path):
    x, y = RNG.integers(0, 255, (20, 8, 8, 1)).astype("uint8"), np.arange(20) % 2
    for name, rows in (("a", slice(12)), ("b", slice(12, 16))):
        np.savez(tmp_path / f"{name}.npz", x_train=x[rows], y_train=y[rows])
    np.savez(tmp_path / "c.npz", x_test=x[16:], y_test=y[16:])
    stored = ke.data.load(str(tmp_path / "*.npz"))
    in_memory = ke.data.Dataset("set", "", x[:12], y[:12], x[16:], y[16:], x_val=x[12:16], y_val=y[12:16])
    for dataset in (stored, in_memory):
        found = dataset.all_tested()
        np.testing.assert_array_equal(np.asarray(found.x_test), x)
        np.testing.assert_array_equal(found.x_test[np.array([15, 3, 17])], x[[15, 3, 17]])
        assert found.y_test.tolist() == y.tolist() and len(found.x_train) == len(dataset.x_train)
    points = ke.data.load("clusters").all_tested()
    assert len(points.x_test) == len(points.y_test) == len(points.x_train) + len(ke.data.load("clusters").x_test)
