"""`train` from end to end on a small spec, and everything that should stop it before it starts."""

import json
import os

import keras
import numpy as np
import pytest
from tiny_training import SPEC, plain, save_shapes

import keras_equivariant as ke
from keras_equivariant.training.normalization import adapt
from keras_equivariant.training.run_folder import RunFolder
from keras_equivariant.training.saved import load_trained


@pytest.fixture
def shapes(tmp_path):
    return save_shapes(tmp_path / "shapes.npz")


def quiet(spec, data, folder, **options):
    return ke.train(spec, data, folder, **{"angle_step": 90, "export_formats": (), "verbose": 0, **options})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    data = save_shapes(folder / "shapes.npz")
    recipe = {"epochs": 2, "batch_size": 16}
    options = {"epochs": 8, "compare": plain("other"), "validation": 12, "tensorboard": True}
    return quiet({**SPEC, "training": {**SPEC["training"], **recipe}}, data, folder / "run", **options)


def test_everything_is_in_the_run_folder(finished):
    names = sorted(path.name for path in finished.run_dir.iterdir() if not path.name.startswith("."))
    pictures = ["accuracy_by_angle.png", "certificate.json", "certificate.png", "certificate.txt"]
    others = ["checkpoint.npz", "compare", "config.json", "log.csv", "model.keras", "report.html", "spec.yaml"]
    assert names == [*pictures, *others, "summary.json", "tensorboard", "tested.json"]
    config = json.loads((finished.run_dir / "config.json").read_text())
    assert config["settings"]["epochs"] == 8 and config["settings"]["seed"] == 0
    assert config["versions"]["keras"] == keras.__version__ and "python" in config["versions"]
    resolved = ke.load_spec(finished.run_dir / "spec.yaml")
    assert resolved.input_shape == (8, 8, 1) and resolved.params == {}
    assert ke.build_from_spec(resolved).output_shape == (None, 3)


def test_it_learned_and_is_invariant(finished):
    assert finished.history["loss"][-1] < finished.history["loss"][0]
    assert len(finished.history["val_accuracy"]) == len(finished.history["seconds"]) == 8
    assert finished.certificate.verdict == "exact" and finished.certificate.group == "C4"
    assert set(finished.accuracy_by_angle) == {0.0, 90.0, 180.0, 270.0}
    assert len(set(finished.accuracy_by_angle.values())) == 1, "quarter turns changed the accuracy"
    assert finished.accuracy_by_angle[0.0] == finished.test_accuracy
    # The negative control: the plain network is not invariant, and the same test says so.
    assert finished.comparison.certificate.verdict == "broken"
    assert finished.comparison.certificate.max_error > 0.05


def test_the_summary_has_errors_in_percent(finished):
    summary = json.loads((finished.run_dir / "summary.json").read_text())
    assert summary["test_error_percent"] == pytest.approx(100 * (1 - finished.test_accuracy), abs=1e-3)
    assert summary["compared_with"]["network"] == "other"
    assert summary["certificate"]["verdict"] == "exact"
    assert summary["parameters"] == 4 * 9 + 4 + 8 + 4 * 3 + 3


def test_the_saved_model_predicts_the_same(finished):
    images = np.random.default_rng(0).uniform(0, 255, (4, 8, 8, 1)).astype("float32")
    trained = load_trained(finished.run_dir)
    np.testing.assert_allclose(trained.model(images), finished.model(images), atol=1e-6)
    assert trained.settings["data"].endswith("shapes.npz")


def test_a_recipe_for_other_data_is_shortened_and_a_given_number_is_kept(shapes, tmp_path):
    import dataclasses

    from keras_equivariant import data
    from keras_equivariant.training.recipe import Recipe
    from keras_equivariant.training.run import suited

    own = data.load(shapes)
    capped = dataclasses.replace(own, default_epochs=40, default_batch_size=64)
    large = dataclasses.replace(own, x_train=np.tile(own.x_train, (30, 1, 1, 1)), y_train=np.tile(own.y_train, 30))
    few = max(8, len(own.x_train) // 8)  # so that an epoch of few images has several steps
    assert suited(Recipe(dataset="elsewhere", epochs=300), own) == (300, few) and few < 128
    assert suited(Recipe(dataset="elsewhere", epochs=300), large) == (300, min(128, len(large.x_train) // 8))
    assert suited(Recipe(dataset="elsewhere", epochs=300), capped) == (40, 64)
    assert suited(Recipe(dataset="elsewhere", epochs=10), capped) == (10, 64)
    assert suited(Recipe(dataset=own.name, epochs=300), capped) == (300, 128)
    assert suited(Recipe(dataset="elsewhere", epochs=300), capped, {"epochs": 300}) == (300, 64)
    assert suited(Recipe(dataset="elsewhere", epochs=300), capped, {"batch_size": 128, "epochs": None}) == (40, 128)


def test_numbers_given_for_the_recipe_are_those_of_the_run(shapes, tmp_path, caplog):
    caplog.set_level("INFO")
    known = quiet(SPEC, shapes, tmp_path / "run", recipe={"epochs": 1, "batch_size": 30}).summary
    assert (known["epochs"], known["batch_size"]) == (1, 30) and "written for" not in caplog.text
    quiet(SPEC, shapes, tmp_path / "short", epochs=1)
    assert "The recipe was written for elsewhere (3 epochs, batches of 16)" in caplog.text


def test_an_existing_run_is_never_written_over(finished, shapes):
    spec = {**SPEC, "training": {**SPEC["training"], "epochs": 2, "batch_size": 16}}
    before = (finished.run_dir / "config.json").read_text()
    with pytest.raises(FileExistsError, match="--resume.*--run-dir"):
        quiet(spec, shapes, finished.run_dir)
    with pytest.raises(ValueError, match="seed: 0 then, 1 now.*--run-dir"):
        quiet(spec, shapes, finished.run_dir, seed=1, resume=True)
    assert (finished.run_dir / "config.json").read_text() == before


def test_a_folder_with_other_files_is_left_alone(shapes, tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "thesis.tex").write_text("x")
    with pytest.raises(FileExistsError, match="holds other files"):
        quiet(plain(), shapes, folder)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_an_unwritable_folder(shapes, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(OSError, match=r"must be writable. Received: .*file/run.*--run-dir"):
        quiet(plain(), shapes, blocked / "run")
    if os.geteuid() != 0:
        tmp_path.chmod(0o500)
        with pytest.raises(PermissionError, match="must be writable"):
            quiet(plain(), shapes, tmp_path / "run")


def test_more_epochs_continue_a_finished_run(shapes, tmp_path):
    folder = tmp_path / "run"
    short = quiet(plain(), shapes, folder, recipe={"batch_size": 16}, epochs=2)
    longer = quiet(plain(), shapes, folder, recipe={"batch_size": 16}, epochs=4, resume=True)
    assert longer.history["loss"][:2] == short.history["loss"] and len(longer.history["loss"]) == 4
    with pytest.raises(ValueError, match="epochs: 4 then, 3 now"):
        quiet(plain(), shapes, folder, recipe={"batch_size": 16}, epochs=3, resume=True)


def test_a_diverging_run_says_so_and_keeps_the_last_good_state(shapes, tmp_path):
    recipe = {"batch_size": 16, "optimizer": {"SGD": {"learning_rate": 1e38}}}
    with pytest.raises(FloatingPointError, match="finite loss.*smaller learning rate"):
        quiet(plain(), shapes, tmp_path / "run", recipe=recipe, epochs=5)
    assert not (tmp_path / "run" / "model.keras").exists()


def test_a_run_that_finished_no_epoch_is_begun_anew_with_other_settings(shapes, tmp_path):
    folder, diverging = tmp_path / "run", {"batch_size": 16, "optimizer": {"SGD": {"learning_rate": 1e38}}}
    with pytest.raises(FloatingPointError, match="finite loss"):
        quiet(plain(), shapes, folder, recipe=diverging, epochs=2)
    (folder / "best.npz").write_bytes(b"of the run that failed")
    recipe = {"batch_size": 16, "keep_best": True}
    result = quiet(plain(), shapes, folder, recipe=recipe, epochs=2, validation=12)
    assert len(result.history["loss"]) == 2 and (folder / "model.keras").exists()
    with pytest.raises(FileExistsError, match="never written over"):
        quiet(plain(), shapes, folder, recipe=recipe, epochs=2, validation=12)
    for seed in (0, 1):
        with pytest.raises(FloatingPointError, match="finite loss"):
            quiet(SPEC, shapes, tmp_path / "seeds", recipe=diverging, epochs=1, seed=seed, seeds=2)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"early_stopping": 2}, "Use --validation 0.2"),
        ({"augment": {"quarter_turns": True}}, "`quarter_turns` needs square images"),
        ({"preprocess": ["zca"]}, "needs square images"),
        ({"optimizer": {"SGD": {"momentum": 2}}}, "momentum"),
        ({"shuffle_block": 7}, "multiple of `shuffle_block`"),
        ({"refit_head": True}, "all classes from 0 to 9"),
    ],
)
def test_a_recipe_that_cannot_be_carried_out_leaves_no_folder(recipe, message, tmp_path):
    images, labels = np.random.default_rng(0).uniform(size=(60, 8, 12, 1)).astype("float32"), np.arange(60) % 3
    oblong = ke.data.Dataset("oblong", "oblong", images, labels, images, labels)
    spec = {**SPEC, "params": {**SPEC["params"], "size": [8, 12]}, "input": {"shape": [8, 12, "${channels}"]}}
    with pytest.raises(ValueError, match=message):
        quiet(spec, oblong, tmp_path / "run", params={"classes": 10}, recipe=recipe)
    assert not (tmp_path / "run").exists()


def test_mixed_precision_trains_and_leaves_the_global_policy_alone(shapes, tmp_path):
    before = keras.config.dtype_policy()
    result = quiet(SPEC, shapes, tmp_path / "run", epochs=1, mixed_precision="bfloat16")
    assert keras.config.dtype_policy() == before
    assert result.model.layers[2].compute_dtype == "bfloat16"
    assert np.isfinite(result.history["loss"]).all()
    with pytest.raises(ValueError, match="Received: 'float8'"):
        quiet(SPEC, shapes, tmp_path / "other", mixed_precision="float8")


@pytest.mark.parametrize("task", ["classification", "regression", "molecules"])
def test_float16_scales_the_loss_of_every_task(task, tmp_path, monkeypatch):
    compiled, compile_ = [], keras.Model.compile

    def watched(self, *arguments, **options):
        compile_(self, *arguments, **options)
        compiled.append(type(self.optimizer).__name__)

    monkeypatch.setattr(keras.Model, "compile", watched)
    if task == "molecules":
        spec, data = "lieconv_molecules", ke.data.load("clusters").limited(16)
        options = {"params": {"width": 8, "layers": 1, "neighbors": 4}, "batch_size": 8}
    else:
        images = np.random.default_rng(0).integers(0, 255, (32, 8, 8, 1)).astype("uint8")
        y = np.arange(32) % 3 if task == "classification" else 1000.5 + 100 * np.random.default_rng(1).normal(size=32)
        spec, data = SPEC, ke.data.Dataset("own", "own", images, y, images, y, task=task)
        options = {"batch_size": 16}
    found = quiet(spec, data, tmp_path / "run", epochs=1, mixed_precision="float16", angle_step=180, **options)
    assert compiled[0] == "LossScaleOptimizer"
    assert np.isfinite(found.history["loss"]).all()
    assert task == "classification" or found.model.outputs[0].dtype == "float32", "units of the data need the digits"


def test_networks_that_do_not_fit_the_data(shapes, tmp_path):
    with pytest.raises(ValueError, match=r'network "plain" for 9x9x1, data ".*" of 8x8x1.*resize: 9'):
        quiet(plain(size=9), shapes, tmp_path / "run")
    with pytest.raises(ValueError, match="with 3 classes. Use --set classes=3"):
        quiet(SPEC, shapes, tmp_path / "run", params={"classes": 2})
    with pytest.raises(ValueError, match="for 9x9x1"):
        quiet(SPEC, shapes, tmp_path / "run", params={"size": 9})
    assert not (tmp_path / "run").exists(), "a folder was left for a run that never began"


def test_built_models_that_cannot_be_trained(shapes, tmp_path):
    image = keras.Input((8, 8, 1))
    several = keras.Model([image, keras.Input((3,))], keras.layers.Flatten()(image))
    for model, counts in ((several, "2 inputs and 1 outputs"), (keras.Sequential([keras.layers.Dense(3)]), "0 inputs")):
        with pytest.raises(ValueError, match=counts):
            quiet(model, shapes, tmp_path / "run")
    with pytest.raises(ValueError, match="decide how a spec is built"):
        quiet(plain(), shapes, tmp_path / "run", mixed_precision="bfloat16")


def test_two_processes_cannot_share_a_folder(tmp_path):
    pytest.importorskip("fcntl")
    first, second = RunFolder(tmp_path / "run"), RunFolder(tmp_path / "run")
    first.open({"seed": 0}, resume=False)
    with pytest.raises(FileExistsError, match="a run is going on"):
        second.open({"seed": 0}, resume=True)
    first.close()
    second.open({"seed": 0}, resume=True)
    second.close()


def test_preprocessing_is_saved_with_the_run(shapes, tmp_path):
    recipe = {"batch_size": 16, "preprocess": ["contrast", "zca", {"resize": 9}]}
    result = quiet(SPEC, shapes, tmp_path / "run", recipe=recipe, epochs=1)
    trained = load_trained(tmp_path / "run")
    images = ke.data.load(shapes).x_test
    assert trained.preprocess(images).shape == (30, 9, 9, 1)
    assert ke.training.accuracy(trained.model, images, ke.data.load(shapes).y_test, trained.preprocess) == (
        result.test_accuracy
    )
    with pytest.raises(ValueError, match="fitted on the training images first"):
        ke.data.Preprocess(recipe["preprocess"])(images)


def test_normalization_is_fitted_to_what_reaches_it():
    images = np.random.default_rng(0).normal(7, 3, (500, 6, 6, 1)).astype("float32")
    inputs = keras.Input((6, 6, 1))
    first, second = keras.layers.Normalization(axis=None), keras.layers.Normalization(axis=None)
    fixed = keras.layers.Normalization(axis=None, mean=1.0, variance=4.0)
    x = keras.layers.Rescaling(2.0)(first(inputs))
    model = keras.Model(inputs, fixed(second(x)))
    adapt(model, images)
    np.testing.assert_allclose([first.mean.numpy().item(), first.variance.numpy().item()], [7, 9], rtol=0.02)
    np.testing.assert_allclose([second.mean.numpy().item(), second.variance.numpy().item()], [0, 4], atol=0.01)
    assert fixed.mean.numpy().item() == 1.0
    inner = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Normalization(axis=None)])
    nested = keras.Model(inputs, inner(inputs))
    with pytest.raises(ValueError, match="must be in the outer model"):
        adapt(nested, images)


def test_an_export_that_cannot_be_is_refused_before_training(monkeypatch, shapes, tmp_path):
    with pytest.raises(ValueError, match=r"`formats` must be one or more of .*\['onyx'\]\. Did you mean"):
        quiet(plain(), shapes, tmp_path / "run", export_formats=["onyx"])
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="Received: the backend jax.*--no-export"):
        quiet(plain(), shapes, tmp_path / "run", export_formats=["tflite"])
    assert not (tmp_path / "run").exists()


def test_wrong_names_stop_at_once(tmp_path, shapes):
    with pytest.raises(ValueError, match='Did you mean "digits"'):
        quiet("p4_cnn", "digit", tmp_path / "run")
    with pytest.raises(ValueError, match="p4_cn"):
        quiet("p4_cn", shapes, tmp_path / "run")
    with pytest.raises(ValueError, match="angle"):
        quiet(plain(), shapes, tmp_path / "run", angle_step=0)
    with pytest.raises(ValueError, match="epochs=-1"):
        quiet(plain(), shapes, tmp_path / "run", epochs=-1)
    assert not (tmp_path / "run").exists()
