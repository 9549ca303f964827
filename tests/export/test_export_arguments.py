"""What export refuses, and that nothing half-written stays behind."""

import dataclasses
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from export_models import random_inputs, small_cnn
from keras import layers

import keras_equivariant as ke
from keras_equivariant.export import ExportError, export
from keras_equivariant.export.formats import registry, tflite


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"formats": ["savedmodel"]}, r'`formats` must be.*Received.*savedmodel.*Did you mean "saved_model"'),
        ({"formats": []}, "`formats` must be one or more"),
        ({"formats": None}, r"`formats` must be one or more.*Received: formats=\[None\]"),
        ({"formats": "tflite_int8"}, r"needs `representative_data`.*x_train"),
        ({"version": 0}, "`version` must be a positive integer. Received: version=0"),
        ({"version": True}, "`version` must be"),
        ({"name": "../up"}, r"`name` becomes a file name.*\.\./up"),
        ({"inference_type": "int4"}, "`inference_type` must be"),
        ({"tolerance": {"saved": 1.0}}, "`tolerance` must be"),
        ({"tolerance": "high"}, "`tolerance` must be a number.*Received: 'high'"),
        ({"tolerance": {"keras": None}}, "`tolerance` must be a number"),
        ({"representative_data": np.zeros((9, 28, 28, 1))}, r"`representative_data` must hold.*12, 12.*28, 28"),
        ({"representative_data": np.zeros((2, 12, 12, 1))}, "at least 3 samples"),
        ({"group": "Q8"}, "Q8"),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        export(small_cnn(), tmp_path / "out", **{"formats": ["keras"], **arguments})
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_be_folded(tmp_path):
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    for model in (Subclassed(), keras.Sequential([layers.Dense(3)])):
        with pytest.raises(ValueError, match="must be (functional|built)"):
            export(model, tmp_path / "out")
    with pytest.raises(TypeError, match="must be a keras.Model"):
        export("model.keras", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_of_files_are_no_folders(tmp_path):
    with pytest.raises(
        ValueError, match=r"is the folder .*net\.keras'; .* use export\(model, '.*', 'keras', name='net'"
    ):
        export(small_cnn(), tmp_path / "net.keras", "keras")
    export(small_cnn(), tmp_path, "keras", name="net", verify=False)
    assert (tmp_path / "net.keras").is_file()
    (tmp_path / "was.onnx").mkdir()
    export(small_cnn(), tmp_path / "was.onnx", "keras", name="net", verify=False)


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("here first")
    with pytest.raises(OSError, match="The folder of a target must be a folder. Received: the file"):
        export(small_cnn(), tmp_path / "file" / "out", formats="keras")
    with pytest.raises(OSError, match="The folder of a target must be a folder"):
        export(small_cnn(), tmp_path / "file", formats="keras")
    assert (tmp_path / "file").read_text() == "here first"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match="`path` must be a folder"):
            export(small_cnn(), tmp_path / "out", formats="keras")
    finally:
        tmp_path.chmod(0o700)


def test_existing_files_are_kept_unless_asked(tmp_path):
    first, second = small_cnn("C4"), small_cnn("D4")
    before = export(first, tmp_path, formats=["saved_model", "keras"]).path("keras").read_bytes()
    with pytest.raises(FileExistsError, match=r"already there; pass overwrite=True"):
        export(second, tmp_path, formats=["saved_model", "keras"])
    assert (tmp_path / "small_cnn.keras").read_bytes() == before
    export(second, tmp_path, formats=["saved_model", "keras"], overwrite=True)
    assert (tmp_path / "small_cnn.keras").read_bytes() != before
    export(first, tmp_path, formats="saved_model", version=2)
    assert sorted(path.name for path in (tmp_path / "small_cnn").iterdir()) == ["1", "2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small_cnn", "small_cnn.keras", "small_cnn.report.json"]


def test_artifact_that_computes_something_else(tmp_path, monkeypatch):
    """An artifact whose numbers are wrong: a report that says so, an error, and no artifact."""
    right = registry.get("saved_model")

    def wrong(path, source):
        run = right.load(path, source)
        return lambda inputs: {name: y + 0.01 * x.std() for x in inputs.values() for name, y in run(inputs).items()}

    monkeypatch.setitem(registry._formats, "saved_model", dataclasses.replace(right, load=wrong))
    with pytest.raises(ExportError, match="differ from the Keras model's") as failure:
        export(small_cnn(), tmp_path, formats=["keras", "saved_model"])
    assert [bool(artifact.problems) for artifact in failure.value.report.artifacts] == [False, True]
    assert [path.name for path in tmp_path.iterdir()] == ["small_cnn.report.json"]
    written = json.loads((tmp_path / "small_cnn.report.json").read_text())
    assert written["passed"] is False and written["artifacts"][1]["relative_error"] > 1e-3
    assert export(small_cnn(), tmp_path / "loose", formats="saved_model", tolerance=0.5, group="C1").passed


def test_artifact_that_lost_the_symmetry(tmp_path, monkeypatch):
    """Numbers within the tolerance, but no longer invariant: found by the symmetry alone."""
    right = registry.get("saved_model")

    def tilted(path, source):
        run = right.load(path, source)
        return lambda inputs: {
            name: y + 1e-3 * x[:, :3, :3].mean() for x in inputs.values() for name, y in run(inputs).items()
        }

    monkeypatch.setitem(registry._formats, "saved_model", dataclasses.replace(right, load=tilted))
    with pytest.raises(ExportError, match="C4 symmetry error"):
        export(small_cnn(), tmp_path, formats="saved_model", tolerance=0.5)


def test_failure_while_writing_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tflite, "convert", full)
    with pytest.raises(OSError, match="No space left"):
        export(small_cnn(), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_verification(tmp_path):
    report = export(small_cnn(), tmp_path, formats="keras", verify=False)
    assert report.artifacts[0].relative_error is None
    assert "not verified" in str(report)


def test_report_is_written_beside(tmp_path):
    report = export(small_cnn("D4"), tmp_path, formats=["keras", "tflite"])
    written = json.loads((tmp_path / "small_cnn.report.json").read_text())
    assert written == json.loads(json.dumps(report.to_dict()))
    assert written["passed"] and written["group"] == "D4" and written["libraries"]["keras"] == keras.__version__
    assert [artifact["batches"] for artifact in written["artifacts"]] == [[1, 3], [1, 3]]
    assert len(written["equivariance"]) == 8
    assert "small_cnn.tflite" in str(report) and "verified" in str(report)
    with pytest.raises(ValueError, match="`format` must be one that was exported"):
        report.path("saved_model")


def test_symmetry_that_cannot_be_measured_is_said(tmp_path):
    image = keras.Input((8, 8, 1), name="image")
    plain = keras.Model(image, layers.Conv2D(2, 3)(image), name="plain")
    report = export(plain, tmp_path, formats="keras")
    assert report.group is None and "the symmetry was not measured" in report.notes[0]
    zero = keras.Model(image, keras.ops.zeros_like(ke.layers.LiftingConv2D(2, 3, group="C4")(image)), name="zero")
    assert "outputs are zero" in export(zero, tmp_path, formats="keras").notes[0]


def test_images_that_are_no_squares_are_measured_on_the_part_of_the_group_that_they_keep(tmp_path):
    wide = keras.Input((8, 12, 1), name="image")
    x = ke.layers.GroupPooling("max")(ke.layers.LiftingConv2D(2, 3, group="D4")(wide))
    report = export(keras.Model(wide, x, name="wide"), tmp_path, formats=["tflite"])
    assert report.group == "D2" and not report.notes and max(report.equivariance.values()) < 1e-5
    assert report.artifacts[0].proof.verdict == "proved" and report.artifacts[0].proof.group == "D2"


def test_inputs_that_cannot_be_made_up(tmp_path):
    token = keras.Input((3,), dtype="int32", name="token")
    model = keras.Model(token, layers.Embedding(5, 2)(token), name="tokens")
    with pytest.raises(ValueError, match="pass a few as `representative_data`"):
        export(model, tmp_path, formats="keras")
    assert export(model, tmp_path, formats="keras", representative_data=np.ones((3, 3), "int32")).passed


OTHER_BACKEND = """
import sys
import keras, numpy as np
import keras_equivariant as ke
from keras_equivariant.export import export, fold
sys.path.insert(0, sys.argv[1])
from export_models import small_cnn, random_inputs, relative_error
model = small_cnn("D4")
inputs = random_inputs(model)
folded = fold(model)
assert relative_error(folded(inputs), model(inputs)) <= 1e-5
try:
    export(model, sys.argv[2], formats=["saved_model"])
except ValueError as error:
    print(error)
assert export(model, sys.argv[2], formats=["keras"]).passed
np.save(sys.argv[2] + "/y.npy", keras.ops.convert_to_numpy(model(inputs)))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_fold_and_say_where_to_export(backend, tmp_path):
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-c", OTHER_BACKEND, os.path.dirname(__file__), str(tmp_path)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for hint in (f'"{backend}" backend', 'model.save("model.keras")', "KERAS_BACKEND=tensorflow"):
        assert hint in done.stdout
    loaded = keras.models.load_model(tmp_path / "small_cnn.keras")
    outputs = keras.ops.convert_to_numpy(loaded(random_inputs(loaded)))
    np.testing.assert_allclose(outputs, np.load(tmp_path / "y.npy"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["self", "class", "None"])
def test_names_of_inputs_that_a_signature_cannot_have(name, tmp_path):
    def network(name):
        image = keras.Input((8, 8, 1), name=name)
        return keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image)))

    with pytest.raises(ValueError, match=f"no word of Python's own. Received: '{name}'.*name='x{name}'"):
        export(network(name), tmp_path, "saved_model")
    assert export(network(f"x{name}"), tmp_path, "saved_model").passed
