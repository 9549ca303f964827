import keras
import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.presets import preset

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("name", ke.list_presets())
def test_packaged_presets(name):
    model, about = ke.from_preset(name), preset.preset_info(name)
    assert about["parameters"] == sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    scores = {key: about[key] for key in ("test_error_percent", "test_f1_percent", "test_mae") if key in about}
    assert len(scores) == 1
    assert 0 < scores.get("test_error_percent", 1) < 20 and scores.get("test_f1_percent", 99) > 85
    assert scores.get("test_mae", 0) < about.get("chance_mae", 1) / 10
    if (preset.FOLDER / name).is_dir():
        assert "license of the data" in about and about["training"]["recipe"]["epochs"] == about["epochs"]
    whole = [preset.FOLDER / f"{name}.npz", *(preset.FOLDER / name).glob("*")]
    assert sum(path.stat().st_size for path in whole if path.is_file()) < 1_000_000


def test_an_equivariant_preset_is_exactly_invariant():
    report = ke.certify(ke.from_preset("hnet_rotated_mnist"))
    assert report.max_error <= 1e-12


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preset") / "run"
    options = {"epochs": 1, "limit": 64, "angle_step": 90, "export_formats": (), "verbose": 0}
    return folder, ke.train("p4_cnn", data="digits", run_dir=folder, params={"filters": 2}, **options)


def test_a_run_becomes_a_preset(run, tmp_path):
    folder, result = run
    preset.save_preset(folder, tmp_path / "own.npz")
    model = ke.from_preset(tmp_path / "own.npz")
    x = np.random.default_rng(1).random((3, 28, 28, 1), dtype="float32")
    np.testing.assert_allclose(model.predict_on_batch(x), result.model.predict_on_batch(x), rtol=1e-5, atol=1e-5)
    assert preset.preset_info(tmp_path / "own.npz")["data"] == "digits"


def test_mistakes(run, tmp_path):
    with pytest.raises(ValueError, match='Did you mean "hnet_rotated_mnist"'):
        ke.from_preset("hnet_rotated_mnis")
    with pytest.raises(ValueError, match="A preset is a folder"):
        preset.save_preset(run[0], tmp_path / "own.keras")
    path = tmp_path / "own.npz"
    preset.save_preset(run[0], path)
    arrays = dict(np.load(path))
    last = f"weight_{sum(key.startswith('weight_') for key in arrays) - 1}"
    np.savez(tmp_path / "wrong.npz", **{**arrays, last: arrays[last] + 1})
    with pytest.raises(ValueError, match="must answer as it did"):
        ke.from_preset(tmp_path / "wrong.npz")
    np.savez(tmp_path / "wrong.npz", **{**arrays, "weight_4": arrays["weight_4"][..., :1]})
    with pytest.raises(ValueError, match="must hold the weights of its network"):
        ke.from_preset(tmp_path / "wrong.npz")
    np.savez(tmp_path / "wrong.npz", spec=arrays["spec"])
    with pytest.raises(ValueError, match="without about, question, answer"):
        ke.from_preset(tmp_path / "wrong.npz")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="must be a whole file"):
        ke.from_preset(path)


def test_another_head_and_size():
    whole = ke.from_preset("p4_cnn_rotated_mnist")
    x = np.random.default_rng(1).random((2, 28, 28, 1), dtype="float32")
    features = ke.from_preset("p4_cnn_rotated_mnist", include_top=False)
    names = [layer.name for layer in features.layers]
    inner = keras.Model(whole.input, whole.get_layer(names[-1]).output)
    np.testing.assert_allclose(features(x), inner(x), atol=1e-5)
    head = ke.from_preset("p4_cnn_rotated_mnist", classes=3, input_shape=(44, 44, 1))
    assert head.output_shape == (None, 3) and head.input_shape == (None, 44, 44, 1)
    assert ke.certify(head).verdict == "exact"
    for options, text in [
        ({"input_shape": (44, 44, 3)}, "convert the images to 1 channels"),
        ({"classes": 3, "include_top": False}, "those of the head"),
        ({"input_shape": (45, 45, 1)}, "loses its exact symmetry"),
        (
            {"input_shape": (5, 5, 1)},
            r"must fit.*trained on \(28, 28, 1\), give it images of such a size",
        ),
    ]:
        with pytest.raises(ValueError, match=text):
            ke.from_preset("p4_cnn_rotated_mnist", **options)


def test_folders_and_files(run, tmp_path):
    folder, result = run
    x = np.random.default_rng(1).random((2, 28, 28, 1), dtype="float32")
    preset.save_preset(folder, tmp_path / "own", about={"license": "CC0"})
    card = (tmp_path / "own" / "README.md").read_text()
    assert "| data | digits |" in card and "## Certificate" in card and "batch_size:" in card
    assert 'ke.from_preset("own")' in card and "| license | CC0 |" in card
    assert preset.preset_info(tmp_path / "own")["data"] == "digits"
    for handle in (folder, folder / "model.keras", tmp_path / "own"):
        np.testing.assert_allclose(ke.from_preset(handle)(x), result.model(x), rtol=1e-5, atol=1e-5)
    with pytest.raises(FileExistsError, match="a new folder"):
        ke.save_preset(result.model, tmp_path / "own")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="write one with save_preset"):
        ke.from_preset(tmp_path / "empty")


def test_features_of_a_network_that_ends_in_a_sum():
    whole = ke.from_preset("tfn_molecules_qm9")
    features = ke.from_preset("tfn_molecules_qm9", include_top=False)
    inner = keras.Model(whole.input, whole.get_layer("dense").input)
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(2, 29, 3)), rng.normal(size=(2, 29, 15)), rng.random((2, 29)) < 0.8]
    found = np.asarray(features(given))
    assert found.shape == (2, 29, 24) and np.ptp(found) > 1e-3
    np.testing.assert_allclose(found, inner(given), atol=1e-5)
    with pytest.raises(ValueError, match="take its features, include_top=False"):
        ke.from_preset("tfn_molecules_qm9", classes=2)


def test_a_run_that_its_spec_does_not_describe_becomes_a_folder(tmp_path):
    options = {"epochs": 1, "limit": 32, "angle_step": 180, "export_formats": (), "verbose": 0}
    params = {"scalars": 4, "vectors": 2, "layers": 1}
    result = ke.train("tfn_molecules", data="clusters", run_dir=tmp_path / "run", params=params, **options)
    with pytest.raises(ValueError, match="write a folder, save_preset"):
        ke.save_preset(tmp_path / "run", tmp_path / "own.npz")
    ke.save_preset(tmp_path / "run", tmp_path / "own")
    model = ke.from_preset(tmp_path / "own")
    assert [tuple(w.shape) for w in model.weights] == [tuple(w.shape) for w in result.model.weights]
    assert " and (B, " in (tmp_path / "own" / "README.md").read_text()


@pytest.mark.parametrize("classes", [0, -1, 2.5, True])
def test_classes_are_a_positive_integer(classes):
    with pytest.raises(ValueError, match=f"`classes` must be a positive integer. Received: classes={classes}"):
        ke.from_preset("p4_cnn_rotated_mnist", classes=classes)


def test_about_is_a_dict(tmp_path):
    model = ke.from_preset("p4_cnn_rotated_mnist")
    with pytest.raises(ValueError, match=r"`about` must be a dict.*license"):
        ke.save_preset(model, tmp_path / "own", about="CC0")
    ke.save_preset(model, tmp_path / "own", about={"license": "CC0"})
