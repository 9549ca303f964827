"""What a trained network says of files that nobody has labeled, from Python and from the command line."""

import csv

import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.cli import main
from keras_equivariant.training import predict_files as module
from keras_equivariant.training.saved import Trained, load_trained

image_module = pytest.importorskip("PIL.Image")
QUICK = {"export_formats": (), "angle_step": 180, "angle_samples": 4, "verbose": 0}
SPEC = """
spec: 1
name: tiny
params: {classes: 3}
input: {shape: [8, 8, 1]}
layers:
  - Rescaling: {scale: 0.02, offset: -2.4}
  - LiftingConv2D: {filters: 8, kernel_size: 3, group: C4, activation: elu}
  - GroupPooling: mean
  - GlobalAveragePooling2D
  - Dense: ${classes}
training: {optimizer: {Adam: {learning_rate: 0.05}}}
"""
MASKS = """
spec: 1
name: masks
input: {shape: [16, 16, 1]}
layers:
  - Rescaling: 0.01
  - LiftingConv2D: {filters: 4, kernel_size: 3, group: C4, padding: same, activation: relu}
  - GroupPooling: mean
  - Dense: 1
training: {task: segmentation, optimizer: {Adam: {learning_rate: 0.1}}}
"""


def picture(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    image_module.fromarray(array).save(path)
    return path


def squares(shape, corner, side=6):
    image = np.full(shape, 30, "uint8")
    image[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = 200
    return image


def of_model(monkeypatch, outputs, shape=(8, 8, 1), **fields):
    """A network that answers with its image, or with the mean of it times numbers, as if a run had been loaded."""
    image = keras.Input(shape)
    mean = keras.layers.GlobalAveragePooling2D()(image) * np.array(outputs, "float32") if outputs else None
    model = keras.Model(image, keras.layers.Identity()(image) if mean is None else mean)
    monkeypatch.setattr(module, "load_trained", lambda run: Trained(model, **fields))


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    place = tmp_path_factory.mktemp("classes")
    (place / "tiny.yaml").write_text(SPEC)
    for name, level in (("cat", 20), ("dog", 120), ("eel", 220)):
        for i in range(6):
            picture(place / "zoo" / name / f"{name}{i}.png", np.full((8, 8), level + i, "uint8"))
    ke.train(place / "tiny.yaml", place / "zoo", place / "run", epochs=40, batch_size=6, **QUICK)
    return place


def test_classes_have_their_names(classes, capsys, tmp_path):
    found = ke.predict_files(classes / "run", [classes / "zoo" / "cat", classes / "zoo" / "eel" / "eel3.png"])
    assert found.columns == ("file", "class", "probability")
    assert [row[1] for row in found.rows] == ["cat"] * 6 + ["eel"]
    images = np.full((1, 8, 8, 1), 223, "uint8")
    logits = np.array(load_trained(classes / "run").model.predict(images, verbose=0), "float64")[0]
    assert found.rows[-1][2] == pytest.approx(np.exp(logits - logits.max()).sum() ** -1, rel=1e-4)
    output = tmp_path / "new" / "answers.csv"
    assert main(["predict", str(classes / "run"), str(classes / "zoo" / "dog"), "--output", str(output)]) == 0
    assert capsys.readouterr().out.count(" dog ") == 6
    rows = list(csv.DictReader(output.open()))
    assert {row["class"] for row in rows} == {"dog"} and len(rows) == 6


def test_pictures_of_16_bits_are_read_as_those_of_8(classes, tmp_path):
    trained = load_trained(classes / "run")
    assert trained.settings["data_options"]["bits"] == 8
    for name, level in (("cat", 21), ("dog", 121), ("eel", 221)):
        for i in range(3):
            picture(tmp_path / "deep" / name / f"{i}.png", np.full((8, 8), 257 * level, "uint16"))
        found = ke.predict_files(classes / "run", tmp_path / "deep" / name)
        assert {row[1] for row in found.rows} == {name}
    assert trained.load_data(tmp_path / "deep").x_train.max() == 221
    assert ke.data.load(tmp_path / "deep").reading == {"bits": 16}
    assert ke.data.load(classes / "zoo", bits=16).x_train.max() == 225 * 257
    with pytest.raises(ValueError, match="8 or 16. Received: bits=12"):
        ke.data.load(classes / "zoo", bits=12)


def test_images_have_the_scale_of_those_of_the_run(classes, monkeypatch, tmp_path, caplog):
    assert load_trained(classes / "run").inputs == {"dtype": "uint8", "largest": 225.0}
    bytes_ = np.full((8, 8), 200, "uint8")
    picture(tmp_path / "byte.png", bytes_)
    np.save(tmp_path / "part.npy", bytes_ / np.float32(255))
    np.save(tmp_path / "black.npy", np.zeros((8, 8), "float32"))
    for own, wrong, right in (("float32", "byte.png", "part.npy"), ("uint8", "part.npy", "byte.png")):
        largest = 1.0 if own == "float32" else 255.0
        for outputs in ([1.0], None):  # numbers, and answers at every pixel
            of_model(monkeypatch, outputs, inputs={"dtype": own, "largest": largest})
            with pytest.raises(
                ValueError, match=f"trained on, {own} up to {largest:g}. Received: .*numpy.save"
            ) as error:
                ke.predict_files("run", tmp_path / wrong)
            ke.predict_files("run", tmp_path / right)
            ke.predict_files("run", tmp_path / "black.npy")
        x = np.asarray(image_module.open(tmp_path / wrong) if wrong.endswith("png") else np.load(tmp_path / wrong))
        remedy = "(255 * x).astype('uint8')" if own == "uint8" else "(x / 255).astype('float32')"
        assert f"numpy.save(name, {remedy})" in str(error.value)
        np.save(tmp_path / "mended.npy", (255 * x).astype("uint8") if own == "uint8" else (x / 255).astype("float32"))
        ke.predict_files("run", tmp_path / "mended.npy")
    assert not caplog.records
    of_model(monkeypatch, [1.0], inputs={"dtype": "float32", "largest": 3000.0})
    ke.predict_files("run", tmp_path / "part.npy")
    assert "numbers up to 3000; those of" in caplog.text


def test_what_holds_for_many_files_is_said_once(monkeypatch, tmp_path, caplog):
    for i in range(4):
        np.save(tmp_path / f"part{i}.npy", np.full((8, 8), 0.1 * (i + 1), "float32"))
    for outputs in ([1.0], None):  # numbers, and answers at every pixel
        of_model(monkeypatch, outputs, inputs={"dtype": "float32", "largest": 3000.0})
        ke.predict_files("run", tmp_path)
        first, *more = [record.getMessage() for record in caplog.records]
        assert "trained on numbers up to 3000; those of" in first
        assert [text[:18] for text in more] == ([] if outputs else ["So, too, 3 more: T"])
        caplog.clear()
    ke.predict_files("run", tmp_path / "part0.npy")
    assert len(caplog.records) == 1  # the logger is as it was


def test_masks_are_as_large_as_their_images(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(8):
        image = squares((16, 16), rng.integers(0, 10, 2))
        picture(tmp_path / "data" / "images" / f"{i}.png", image)
        picture(tmp_path / "data" / "masks" / f"{i}.png", np.where(image > 100, 255, 0).astype("uint8"))
    (tmp_path / "masks.yaml").write_text(MASKS)
    ke.train(tmp_path / "masks.yaml", tmp_path / "data", tmp_path / "run", epochs=40, batch_size=4, **QUICK)
    given = {
        name: squares(size, (2, 3)) for name, size in (("same", (16, 16)), ("large", (21, 40)), ("small", (9, 12)))
    }
    for name, image in given.items():
        picture(tmp_path / "new" / f"{name}.png", image)
    found = ke.predict_files(tmp_path / "run", tmp_path / "new", tmp_path / "out")
    assert found.columns == ("file", "share found", "written")
    for path, share, written in found.rows:
        image, mask = (np.asarray(image_module.open(p)) for p in (path, written))
        assert mask.shape == image.shape and set(np.unique(mask)) <= {0, 255}
        assert share == (mask > 0).mean() and ((mask > 0) == (image > 100)).mean() > 0.9
    trained = load_trained(tmp_path / "run")
    assert 0 < trained.threshold < 1 and trained.threshold != 0.5
    logits = trained.model.predict(given["same"][None, ..., None], verbose=0)[0, ..., 0]
    same = np.asarray(image_module.open(tmp_path / "out" / "same.png"))
    np.testing.assert_array_equal(same > 0, 1 / (1 + np.exp(-logits.astype("float64"))) >= trained.threshold)
    with pytest.raises(ValueError, match=r"one file an image, in a folder. .* such as out"):
        ke.predict_files(tmp_path / "run", tmp_path / "new", tmp_path / "out.png")


def test_what_was_scaled_is_scaled_back(monkeypatch, tmp_path):
    """The network answers with what it sees: on the pixels of the image the image itself."""
    of_model(monkeypatch, [], settings={"data_options": {"size": [8, 8], "fit": "resize"}})
    image = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((4, 4))).astype("uint8")
    path = picture(tmp_path / "wide.png", image)
    found = ke.predict_files("run", path, tmp_path / "out")
    answer = np.load(found.rows[0][-1])
    assert answer.shape == (12, 16, 1)
    np.testing.assert_allclose(answer[1::4, 1::4, 0], image[1::4, 1::4], atol=1.5)


def test_no_answer_replaces_a_picture_or_another_answer(monkeypatch, tmp_path):
    of_model(monkeypatch, [], task="segmentation")
    first, other = (picture(tmp_path / name / "a.png", squares((8, 8), (1, 1))) for name in ("one", "two"))
    before = first.read_bytes()
    with pytest.raises(ValueError, match=r"beside no picture.*Received: output='.*one', where a.png lies"):
        ke.predict_files("run", [first], tmp_path / "two" / ".." / "one")
    with pytest.raises(ValueError, match=r"that of one alone. Received: .*one.a.png and .*two.a.png"):
        ke.predict_files("run", [first, other], tmp_path / "out")
    for path, folder in ((first, "out1"), (other, "out2")):
        assert ke.predict_files("run", path, tmp_path / folder).rows[0][-1] == str(tmp_path / folder / "a.png")
    assert first.read_bytes() == before
    with pytest.raises(ValueError, match="There must be a file to predict. Received: none"):
        ke.predict_files("run", [])


def test_volumes_keep_their_grid(monkeypatch, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = np.zeros((10, 12, 8), "float32")
    volume[2:6, 4:8, 2:6] = 9
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(volume, affine), tmp_path / "scan.nii.gz")
    fields = {"task": "segmentation", "threshold": 0.9, "settings": {"data_options": {"voxel_size": 1.0}}}
    of_model(monkeypatch, [], shape=(8, 8, 8, 1), **fields)
    found = ke.predict_files("run", tmp_path / "scan.nii.gz", tmp_path / "out")
    mask = nibabel.load(tmp_path / "out" / "scan.nii.gz")
    assert mask.shape == volume.shape and np.array_equal(mask.affine, affine)
    there = np.asarray(mask.dataobj) > 0
    assert (there == (volume > 0)).mean() > 0.95 and found.rows[0][1] == pytest.approx(there.mean(), abs=0.05)


def test_numbers_and_angles(monkeypatch, tmp_path):
    np.save(tmp_path / "one.npy", np.ones((8, 8), "float32"))
    of_model(monkeypatch, [2, 3], task="regression", targets=("area", "length"))
    assert ke.predict_files("run", tmp_path / "one.npy").rows[0][1:] == (2, 3)
    assert ke.predict_files("run", str(tmp_path)).columns == ("file", "area", "length")
    for kind, what, degrees in (("1x1", "angle", 90), ("1x2", "axis", 45)):
        of_model(monkeypatch, [0, 2], task="vectors", target_type=kind)
        found = ke.predict_files("run", [tmp_path / "one.npy"])
        assert found.columns == ("file", f"{what} (degrees)", "x", "y")
        assert found.rows[0][1:] == pytest.approx((degrees, 0, 2))
    of_model(monkeypatch, [2, 3])
    assert ke.predict_files("bare.keras", tmp_path / "one.npy").columns[1:] == ("output 1", "output 2")


def test_what_cannot_be_predicted_is_said(monkeypatch, classes, tmp_path):
    run = classes / "run"
    with pytest.raises(FileNotFoundError, match="A file to predict must exist.*missing.png"):
        ke.predict_files(run, tmp_path / "missing.png")
    for path in (tmp_path, classes / "tiny.yaml"):
        with pytest.raises(ValueError, match=r"a picture or a volume \(.jpg.*Name the files"):
            ke.predict_files(run, path)
    with pytest.raises(ValueError, match=r"the shape that the network was trained on, \(8, 8, 1\)"):
        ke.predict_files(run, picture(tmp_path / "large.png", np.zeros((9, 9), "uint8")))
    with pytest.raises(ValueError, match="the 1 channels that the network was trained on.*with 3. Save them in gray"):
        ke.predict_files(run, picture(tmp_path / "color.png", np.zeros((8, 8, 3), "uint8")))
    with pytest.raises(ValueError, match=r"a .csv file. Received: output='a.png'. Name one, such as a.csv"):
        ke.predict_files(run, classes / "zoo" / "cat", "a.png")
    points = [keras.Input((4, 3)), keras.Input((4, 2))]
    model = keras.Model(points, keras.layers.Dense(1)(points[1]))
    monkeypatch.setattr(module, "load_trained", lambda run: Trained(model, task="molecules"))
    with pytest.raises(ValueError, match="take images or volumes, or .* answer with one tensor.*model.predict"):
        ke.predict_files("run", classes / "zoo" / "cat")
