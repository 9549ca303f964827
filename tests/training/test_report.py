"""report.html: one file without references, HTML that parses, and every section, for each task."""

import re
from html.parser import HTMLParser

import pytest
from tiny_training import SPEC, save_shapes

import keras_equivariant as ke

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
    import dataclasses

    named = dataclasses.replace(
        ke.data.load(save_shapes(tmp_path / "shapes.npz")), class_names=("<b>dot</b>", "bar & bar", "cross")
    )
    with caplog.at_level("INFO", "keras_equivariant"):
        result = run(named, tmp_path / "run", export_formats=("tflite",), validation=12)
    page = checked(result.run_dir)
    assert page.titles["h3"] == ["Class balance", "Samples", "Confusion matrix", "Worst mistakes"]
    pictures = [image["alt"] for image in page.images]
    assert {"Class balance", "Learning curves", "accuracy by angle", "Confusion matrix", "certificate"} <= set(pictures)
    for words in ("Chance", "keeps the law of C4 exactly", "largest relative error", "tiny.tflite", "verified"):
        assert words in page.words
    *_, where, certificate, last = [record.getMessage() for record in caplog.records]
    assert str(result.run_dir / "report.html") in where
    assert "C4" in certificate and "Test error" in last
