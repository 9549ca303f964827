"""Which class a value of a mask stands for: the same in every file that is read with the values of the first ones."""

import logging

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import data
from keras_equivariant.training.saved import load_trained

image_module = pytest.importorskip("PIL.Image")
SPEC = """
spec: 1
name: masks
params: {classes: 1}
input: {shape: [8, 8, 1]}
layers:
  - LiftingConv2D: {filters: 2, kernel_size: 3, group: C4, padding: same}
  - GroupPooling: mean
  - Dense: "${classes}"
training: {task: segmentation, epochs: 1}
"""
QUICK = {"export_formats": (), "angle_step": 180, "angle_samples": 2, "verbose": 0}


def masks_of(values, count=6):
    """Each value in some pixels of every mask."""
    return np.stack([np.resize(np.roll(values, i), (8, 8)) for i in range(count)]).astype("uint8")


def folder(root, values):
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i, mask in enumerate(masks_of(values)):
        image_module.fromarray(mask).save(root / "masks" / f"{i}.png")
        image_module.fromarray(np.full((8, 8), i, "uint8")).save(root / "images" / f"{i}.png")
    return root


def archive(root, values):
    masks, images = masks_of(values), np.zeros((6, 8, 8, 1), "uint8")
    np.savez(root.with_suffix(".npz"), x_train=images, y_train=masks, x_test=images[:2], y_test=masks[:2])
    return root.with_suffix(".npz")


def floats(root, values):
    """Volumes, as many tools write them: whole numbers in floats."""
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for i, mask in enumerate(masks_of(values)):
        np.save(root / "masks" / f"{i}.npy", mask.astype("float32"))
        np.save(root / "images" / f"{i}.npy", np.full((8, 8), i, "uint8"))
    return root


def float_archive(root, values):
    masks = masks_of(values).astype("float64")
    np.savez(root.with_suffix(".npz"), x=np.zeros((6, 8, 8, 1), "uint8"), masks=masks)
    return root.with_suffix(".npz")


def occurring(dataset):
    return {*np.unique(dataset.y_train).tolist()}


@pytest.mark.parametrize("save", [folder, archive, floats, float_archive])
@pytest.mark.parametrize(
    "values, others",
    [
        ([0, 100, 200], [200, 0]),
        ([0, 1, 2], [0, 2]),
        ([0, 1, 2, 3], [3, 3]),
        ([0, 1, 255], [0, 255]),
        ([5, 7, 255], [7, 5]),
    ],
)
def test_other_masks_are_read_with_the_values_of_the_first(save, values, others, tmp_path):
    first = data.load(save(tmp_path / "first", values))
    assert first.num_classes == len(values) and occurring(first) == {*range(len(values))}
    assert first.class_names == tuple(map(str, values))
    assert [*first.reading["mask_values"]] == values
    other = data.load(save(tmp_path / "other", others), **first.reading)
    assert other.num_classes == len(values) and occurring(other) == {values.index(value) for value in others}


def test_floats_between_whole_numbers_are_no_classes(tmp_path):
    masks = masks_of([0, 1, 2]).astype("float32")
    masks[0, 0, 0] = 1.5
    with pytest.raises(ValueError, match="A mask must hold 1 where.*from 0.0 to 2.0"):
        data.Dataset("set", "masks", np.zeros((6, 8, 8, 1)), masks, np.zeros((6, 8, 8, 1)), masks, task="segmentation")
    masks[0, 0, 0] = 1
    found = data.Dataset(
        "set", "masks", np.zeros((6, 8, 8, 1)), masks, np.zeros((6, 8, 8, 1)), masks, task="segmentation"
    )
    assert found.num_classes == 3 and found.y_train.dtype == "int32"


@pytest.mark.parametrize("save", [folder, archive])
def test_the_order_of_given_values_is_that_of_the_classes(save, tmp_path):
    path = save(tmp_path / "set", [0, 40, 80])
    turned = data.load(path, mask_values=[80, 0, 40])
    plain = data.load(path)
    np.testing.assert_array_equal(turned.y_train, (plain.y_train + 1) % 3)
    path = save(tmp_path / "two", [9, 90])
    two, plain_two = data.load(path, mask_values=[90, 9]), data.load(path)
    assert two.num_classes == 1 and two.y_train.dtype == "float32"
    np.testing.assert_array_equal(two.y_train[..., 0] == 1, plain_two.y_train[..., 0] == 0)


@pytest.mark.parametrize("save", [folder, archive])
def test_numbered_objects_are_one_class_where_they_are_said_to_be(save, tmp_path, caplog):
    path = save(tmp_path / "set", [*range(40)])
    with caplog.at_level(logging.WARNING, "keras_equivariant.data"):
        assert data.load(path).num_classes == 40
    assert 'mask_values="objects"' in caplog.text
    found = data.load(path, mask_values="objects")
    assert found.num_classes == 1 and occurring(found) == {0.0, 1.0} and found.reading["mask_values"] == "objects"


@pytest.mark.parametrize("save", [folder, archive])
@pytest.mark.parametrize("given", [[0], [0, 0, 1], "gray", [0, 1.5], 3, [True, 2]])
def test_values_that_are_none_are_refused(save, given, tmp_path):
    with pytest.raises(ValueError, match="`mask_values` lists the whole numbers"):
        data.load(save(tmp_path / "set", [0, 100, 200]), mask_values=given)


@pytest.mark.parametrize("save", [folder, archive])
def test_a_value_of_no_class_is_named(save, tmp_path):
    with pytest.raises(ValueError, match="Received: 150, where the classes have 0, 100, 200"):
        data.load(save(tmp_path / "set", [0, 100, 150]), mask_values=[0, 100, 200])


LARGER = (8, 12)


@pytest.mark.parametrize("save", [folder, archive, floats, float_archive])
@pytest.mark.parametrize("fit", ["pad", "resize"])
def test_what_masks_are_padded_with_is_a_class_of_theirs_or_the_rest(save, fit, tmp_path):
    """Random values and orders: what lies outside is the class of 0, of two classes the rest, else it has none."""
    rng, outside = np.random.default_rng(3), np.ones(LARGER, bool)
    outside[:, 2:10] = False
    kinds = set()
    for trial in range(12):
        values = rng.choice([0, 1, 2, 3, 9, 100, 200], rng.integers(2, 5), replace=False).tolist()
        order = values if rng.random() < 0.5 else None
        more = [0, *values] if order and 0 not in values and rng.random() < 0.5 else order
        path, options = save(tmp_path / str(trial), values), {"size": LARGER, "fit": fit, "mask_values": more}
        kind = "zero" if 0 in (more or values) else "two" if len(values) == 2 else "none"
        kinds.add(kind)
        if kind == "none":
            with pytest.raises(ValueError, match="every pixel has a class are not padded.*mask_values=\\[0,"):
                data.load(path, **options)
            continue
        plain, found = data.load(path, mask_values=more), data.load(path, **options)
        classes = more or sorted(values)
        assert found.num_classes == plain.num_classes and found.class_names == plain.class_names
        wanted = classes.index(0) if kind == "zero" else 0
        assert (found.y_train[:, outside] == wanted).all()
        np.testing.assert_array_equal(found.y_train[:, :, 2:10], plain.y_train)
    assert kinds == {"zero", "two", "none"}


def test_images_without_masks_have_no_values_of_masks(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for i in range(3):
            image_module.fromarray(np.full((8, 8), i, "uint8")).save(tmp_path / label / f"{i}.png")
    with pytest.raises(ValueError, match="are those of masks"):
        data.load(tmp_path, mask_values=[0, 1])
    labels = {"y_train": [0, 1, 0], "y_test": [0, 1, 1]}
    np.savez(tmp_path / "set.npz", x_train=np.zeros((3, 8, 8, 1)), x_test=np.zeros((3, 8, 8, 1)), **labels)
    with pytest.raises(ValueError, match="are those of masks"):
        data.load(tmp_path / "set.npz", mask_values=[0, 1])


@pytest.mark.tensorflow
def test_a_run_tests_and_predicts_in_the_values_it_was_trained_on(tmp_path):
    (tmp_path / "masks.yaml").write_text(SPEC)
    ke.train(tmp_path / "masks.yaml", folder(tmp_path / "three", [0, 100, 200]), tmp_path / "run", **QUICK)
    trained = load_trained(tmp_path / "run")
    assert trained.mask_values == [0, 100, 200]
    few = trained.in_own_terms(trained.load_data(folder(tmp_path / "few", [0, 200])))
    assert few.num_classes == 3 and occurring(few) == {0, 2}
    bias = trained.model.layers[-1].weights[1]
    bias.assign([0.0, 0.0, 1e6])
    trained.model.save(tmp_path / "run" / "model.keras")
    found = ke.predict_files(tmp_path / "run", tmp_path / "few" / "images", tmp_path / "out")
    assert found.columns == ("file", "share of 0", "share of 100", "share of 200", "written")
    assert (np.asarray(image_module.open(tmp_path / "out" / "0.png")) == 200).all()


@pytest.mark.tensorflow
def test_masks_of_more_classes_than_the_run_knows_are_refused(tmp_path):
    (tmp_path / "masks.yaml").write_text(SPEC)
    ke.train(tmp_path / "masks.yaml", folder(tmp_path / "two", [0, 255]), tmp_path / "run", **QUICK)
    trained, path = load_trained(tmp_path / "run"), folder(tmp_path / "three", [0, 128, 255])
    with pytest.raises(
        ValueError, match="Masks have the classes that the network was trained on, 1. Received: .* with 3"
    ):
        trained.in_own_terms(trained.load_data(path))
    as_objects = trained.in_own_terms(trained.load_data(path, {"mask_values": "objects"}))
    assert as_objects.num_classes == 1
