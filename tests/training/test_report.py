"""report.html: one file without references, HTML that parses, and every section, for each task."""

import dataclasses
import re
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from tiny_training import SPEC, save_shapes

import keras_equivariant as ke
from keras_equivariant.data import Dataset, Rows
from keras_equivariant.training import reporting
from keras_equivariant.training.report import page
from keras_equivariant.training.tasks import TASKS, task_of

SECTIONS = ["Result", "Data", "Learning curves", "Rotated test inputs", "Answers", "Certificate", "Exported files"]
VOID = {"meta", "img", "link", "br"}

pytestmark = pytest.mark.tensorflow


class Page(HTMLParser):
    """Titles, images and texts of a page; a tag that is not closed, or closed twice, is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.titles, self.images, self.attributes, self.words = [], {}, [], [], ""
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("h2", "h3"):
            self.titles.setdefault(self.open[-1], []).append(data)
        self.words += data


def checked(run_dir):
    text = (run_dir / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|<script|<link|url\(|@import", text)
    page = Page(text)
    assert page.titles["h2"] == [*SECTIONS, "Settings"]
    assert all(image["src"].startswith("data:image/png;base64,") and image["alt"] for image in page.images)
    assert all(value.startswith("data:") for name, value in page.attributes if name in ("src", "href"))
    return page


def run(data, folder, **options):
    return ke.train(
        SPEC, data, folder, **{"angle_step": 90, "epochs": 2, "verbose": 0, "export_formats": (), **options}
    )


def test_a_classifier_s_report(tmp_path, caplog):
    named = dataclasses.replace(
        ke.data.load(save_shapes(tmp_path / "shapes.npz")), class_names=("<b>dot</b>", "bar & bar", "cross")
    )
    with caplog.at_level("INFO", "keras_equivariant"):
        result = run(named, tmp_path / "run", export_formats=("tflite_int8",), inference_type="int8", validation=12)
    page = checked(result.run_dir)
    assert page.titles["h3"] == ["Class balance", "Samples", "Feature maps", "Confusion matrix", "Worst mistakes"]
    pictures = [image["alt"] for image in page.images]
    assert {
        "Class balance",
        "Learning curves",
        "Feature maps",
        "accuracy by angle",
        "Confusion matrix",
        "certificate",
    } <= set(pictures)
    for words in (
        "Chance",
        "keeps the law of C4 exactly",
        "largest relative error",
        "tiny_int8.tflite",
        "verified",
        "milliseconds are the median",
    ):
        assert words in page.words
    (served,) = result.summary["served"]
    assert served["latency_ms"] > 0 and abs(served["accuracy_percent"] - 100 * result.test_accuracy) < 15
    assert "Feature maps" in pictures and "milliseconds are the median" in page.words
    *_, where, certificate, last = [record.getMessage() for record in caplog.records]
    assert str(result.run_dir / "report.html") in where
    assert "C4" in certificate and "Test error" in last


RNG = np.random.default_rng(0)


def images(target, count=12, space=(8, 8)):
    """A data set of noise with targets `(count, *target)`, in both parts."""
    x = RNG.normal(size=(count, *space, 1)).astype("float32")
    return {"x_train": x, "y_train": target(count), "x_test": x, "y_test": target(count)}


def fields(channels, space=(8, 8)):
    inputs = keras.Input((*space, 1))
    return keras.Model(inputs, getattr(keras.layers, f"Conv{len(space)}D")(channels, 1)(inputs))


def numbers(count):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, keras.layers.Dense(count)(keras.layers.Flatten()(inputs)))


def atoms(count=5, points=4):
    """Molecules of up to four atoms with dipoles, and a network of (positions, values, mask)."""
    mask = np.arange(points) < RNG.integers(2, points + 1, (count, 1))
    x = Rows(
        positions=RNG.normal(size=(count, points, 3)).astype("float32"),
        values=np.eye(3, dtype="float32")[RNG.integers(0, 3, (count, points))],
        mask=mask,
    )
    y = Rows(dipole=RNG.normal(size=(count, 3)).astype("float32"))
    inputs = [keras.Input((points, 3)), keras.Input((points, 3)), keras.Input((points,), dtype="bool")]
    dipole = keras.ops.sum(inputs[0], axis=1) + 0 * keras.ops.sum(inputs[1], axis=1)
    return {"x_train": x, "y_train": y, "x_test": x, "y_test": y}, keras.Model(inputs, dipole)


def masks(classes, space=(8, 8)):
    kind = "float32" if classes == 2 else "int32"
    return lambda count: RNG.integers(0, classes, (count, *space, 1)).astype(kind)


def normal(*shape):
    return lambda count: RNG.normal(size=(count, *shape)).astype("float32")


CASES = {
    "classification": ("classification", images(lambda n: np.arange(n) % 3), numbers(3), "Confusion matrix"),
    "labels": ("multilabel", images(lambda n: np.arange(3 * n).reshape(n, 3) % 2), numbers(3), "Balance of the labels"),
    "one mask": ("segmentation", images(masks(2)), fields(1), "Best answers"),
    "masks of volumes": ("segmentation", images(masks(3, (4,) * 3), 4, (4,) * 3), fields(3, (4,) * 3), "Class balance"),
    "numbers": ("regression", images(normal(2)), numbers(2), "Parity plot"),
    "directions": ("vectors", images(normal(2)), numbers(2), "Error wheel"),
    "axes": ("vectors", {**images(normal(2)), "target_type": "1x2"}, numbers(2), "Error wheel"),
    "a field": ("vectors", images(normal(8, 8, 2)), fields(2), "Errors"),
    "dipoles": ("molecules", *atoms(), "Parity plot"),
}


def test_names_are_drawn_as_they_are_written(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 1)).astype("uint8")
    labels = np.array(["$_$", "$5 to $10", "plain"])[np.arange(30) % 3]
    data = Dataset("own", r"the folder $\frac$", images, labels, images, labels)
    result = run(data, tmp_path / "run", epochs=1)
    assert "Confusion matrix" in checked(result.run_dir).titles["h3"]


def test_a_network_beside_itself_has_a_curve_of_its_own(tmp_path, monkeypatch, caplog):
    drawn = []
    monkeypatch.setattr(reporting, "plot_by_angle", lambda curves, *rest: drawn.append(list(curves)))
    data = save_shapes(tmp_path / "shapes.npz")
    with caplog.at_level("INFO", logger="keras_equivariant"):
        run(data, tmp_path / "run", compare=SPEC, epochs=1)
    assert drawn == [["tiny", "tiny (compared)"]] and "tiny (compared): Test error" in caplog.text


@pytest.mark.parametrize("case", CASES)
def test_the_pictures_of_a_task(case):
    task, arrays, model, wanted = CASES[case]
    dataset = Dataset(name="own", description="noise", task=task, **{"target_type": "1x1", **arrays})
    task = task_of(dataset)
    found = task.data_pictures(dataset) + task.answer_pictures(model, dataset.x_test, dataset.y_test, dataset)
    titles = [picture.title for picture in found]
    assert {"Samples", "Worst mistakes", wanted} <= set(titles) and len(set(titles)) == len(titles)
    for picture in found:
        Page(page.picture(picture))


def test_every_task_has_pictures():
    shown = {task for task, *_ in CASES.values()} | {"trajectories"}  # which the command line trains in other tests
    assert shown == set(TASKS)
