"""Images with masks: archives, the generated cells, the micrographs, and an augmentation that moves both alike."""

import numpy as np
import pytest

from keras_equivariant import data
from keras_equivariant.data import Augment, rotate_images, training_pipeline
from keras_equivariant.data.sets.membranes import tiles

pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def cells():
    return data.load("cells")


def save(path, **changes):
    rng = np.random.default_rng(0)
    good = {
        "x_train": rng.integers(0, 256, (6, 8, 8, 3)).astype("uint8"),
        "y_train": rng.integers(0, 2, (6, 8, 8)),
        "x_test": rng.integers(0, 256, (3, 8, 8, 3)).astype("uint8"),
        "y_test": rng.integers(0, 2, (3, 8, 8)),
    }
    np.savez(path, **{**good, **changes})
    return str(path)


def test_cells_are_the_same_each_time_and_their_membranes_are_dark(cells):
    assert cells.task == "segmentation" and cells.num_classes == 1 and cells.image_shape == (64, 64, 1)
    assert len(cells.x_train) == len(cells.y_train) == 160 and len(cells.x_test) == len(cells.y_test) == 40
    assert cells.x_train.dtype == np.uint8 and cells.y_train.dtype == np.float32
    assert set(np.unique(cells.y_train)) == {0, 1} and 0.15 < cells.y_train.mean() < 0.35
    assert cells.x_train[cells.y_train == 1].mean() + 60 < cells.x_train[cells.y_train == 0].mean()
    again = data.load("cells")
    np.testing.assert_array_equal(cells.x_train, again.x_train)
    np.testing.assert_array_equal(cells.y_test, again.y_test)
    assert (data.load("cells", 1, size=32).y_test != again.y_test[:, :32, :32]).any()


@pytest.mark.parametrize("scale", [1, 255, True, 0.75])
def test_an_archive_with_masks_is_for_segmentation(tmp_path, scale):
    masks = np.random.default_rng(1).integers(0, 2, (6, 8, 8))
    masks = masks.astype(bool) if scale is True else masks * scale if scale < 1 else (masks * scale).astype("uint8")
    dataset = data.load(save(tmp_path / "set.npz", y_train=masks))
    assert dataset.task == "segmentation" and dataset.y_train.shape == (6, 8, 8, 1)
    assert dataset.y_train.max() == min(scale, 1)
    held = dataset.limited(4).with_validation(1)
    assert held.y_val.shape == (1, 8, 8, 1) and len(held.y_train) == 3 and held.task == "segmentation"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.zeros((3, 8, 7))}, r"as high and wide as it is.*y_test of shape \(3, 8, 7, 1\)"),
        ({"y_test": np.zeros((3, 8, 8, 2))}, r"y_test of shape \(3, 8, 8, 2\)"),
        ({"y_test": np.full((3, 8, 8), 3)}, "must hold 1 where.*from 3 to 3"),
        ({"y_test": np.full((3, 8, 8), np.nan)}, "from nan to nan"),
        ({"y_test": np.full((3, 8, 8), "a")}, "0 elsewhere"),
        ({"y_test": np.zeros((3, 8, 8))}, "both kinds of pixels"),
        ({"y_test": np.arange(3)}, "as high and wide"),
        ({"y_train": np.arange(6)}, "one label for each.*or masks"),
    ],
)
def test_wrong_masks_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path / "set.npz", **changes))


def test_a_size_does_not_make_masks_of_other_sizes_fit(tmp_path):
    with pytest.raises(ValueError, match=r"the size of its image.*y_test of shape \(3, 8, 7\)"):
        data.load(save(tmp_path / "set.npz", y_test=np.zeros((3, 8, 7))), size=(8, 8))


def test_micrographs_are_split_by_slice_and_membrane_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no isbi2012_em.npz.*--data cells"):
        data.load("isbi2012_em")
    slices = np.broadcast_to(np.arange(30, dtype="uint8")[:, None, None], (30, 16, 20))
    y = np.ones((30, 16, 20), "uint8")
    y[:, 2, 3] = 0
    np.savez(tmp_path / "isbi2012_em.npz", x=slices, y=y)
    dataset = data.load("isbi2012_em", tile=8)
    parts = [set(np.unique(getattr(dataset, f"x_{part}"))) for part in ("train", "val", "test")]
    assert parts == [set(range(21)), set(range(21, 24)), set(range(24, 30))]
    assert [len(x) for x in (dataset.x_train, dataset.x_val, dataset.x_test)] == [84, 12, 24]
    assert dataset.y_train[0, 2, 3, 0] == 1 and dataset.y_train.sum() == 21
    for options, message in (({"tile": 17}, "tile=17"), ({"tiles": 8}, "takes tile"), ({"seeds": 8}, "takes tile")):
        with pytest.raises(ValueError, match=message):
            data.load("isbi2012_em", **options)
    np.savez(tmp_path / "isbi2012_em.npz", x=slices[:20], y=y[:20])
    with pytest.raises(ValueError, match=r"shape \(30, height, width\)"):
        data.load("isbi2012_em", tile=8)
    with pytest.raises(ValueError, match="takes none"):
        data.load("digits", size=8)
    with pytest.raises(ValueError, match="takes size, fit, target"):
        data.load(save(tmp_path / "set.npz"), tile=8)


def test_nuclei_are_split_as_the_file_says_and_scaled_with_their_masks(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("KERAS_EQUIVARIANT_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="no dsb2018_nuclei.npz.*--data cells"):
        data.load("dsb2018_nuclei")
    instances = np.zeros((5, 16, 16), "uint16")
    instances[:, 4:8, 4:12], instances[:, 12:, :4] = 1, 300
    arrays = {"x": (instances > 0).astype("uint8") * 200, "instances": instances, "split": np.array([0, 0, 1, 0, 1])}
    np.savez(tmp_path / "dsb2018_nuclei.npz", **arrays)
    whole = data.load("dsb2018_nuclei")
    assert whole.image_shape == (16, 16, 1) and len(whole.x_train) == 3 and len(whole.x_test) == 2
    np.testing.assert_array_equal(whole.y_test[..., 0], instances[:2] > 0)
    with caplog.at_level("INFO", logger="keras_equivariant"):
        small = data.load("dsb2018_nuclei", size=(8, 8))
    assert "5 scaled" in caplog.text and "8x8 of 16x16" in small.description
    np.testing.assert_array_equal(small.y_train[..., 0], instances[:3, ::2, ::2] > 0)
    cut = data.load("dsb2018_nuclei", size=8, fit="pad")
    np.testing.assert_array_equal(cut.y_train[..., 0], instances[:3, 4:12, 4:12] > 0)
    np.savez(tmp_path / "dsb2018_nuclei.npz", **{**arrays, "split": np.zeros(4)})
    with pytest.raises(ValueError, match=r"x and instances of shape.*'split': \(4,\)"):
        data.load("dsb2018_nuclei")


def test_tiles_put_together_are_the_image():
    image = np.arange(2 * 7 * 9).reshape(2, 7, 9)
    cut = tiles(image, 3)
    assert cut.shape == (12, 3, 3)
    np.testing.assert_array_equal(np.block([[cut[6], cut[7], cut[8]], [cut[9], cut[10], cut[11]]]), image[1, :6])


def test_masks_are_rotated_to_the_nearest_pixel(cells):
    masks = cells.y_test[:3]
    rotated = rotate_images(masks, 33.0, order=0)
    assert set(np.unique(rotated)) == {0, 1}
    np.testing.assert_array_equal(rotate_images(masks, 90, order=0), np.rot90(masks, axes=(1, 2)))
    even = np.full((1, 9, 9, 1), 7.0)
    corners = [rotate_images(even, 45.0, outside=outside)[0, 0, 0, 0] for outside in ("constant", "reflect")]
    assert corners == pytest.approx([0, 7])


def test_quarter_turns_and_flips_move_images_and_masks_exactly(cells):
    images, masks = cells.x_train.astype("float32"), cells.y_train
    augment = Augment(quarter_turns=True, flip="horizontal")
    assert augment and augment.fill == "reflect"
    moved, answers = augment(images, (3, 1), masks)
    found = []
    for image, mask, x, y in zip(images, masks, moved, answers, strict=True):
        motions = [(m, r) for m in (1, -1) for r in range(4) if (np.rot90(image, r)[:, ::m] == x).all()]
        assert len(motions) == 1, "the image is none of the eight"
        found += motions
        mirror, rotation = motions[0]
        np.testing.assert_array_equal(np.rot90(mask, rotation)[:, ::mirror], y)
    counts = [found.count((m, r)) for m in (1, -1) for r in range(4)]
    assert min(counts) > 6 and max(counts) < 40  # 20 expected
    assert (answers != masks).any()
    np.testing.assert_array_equal(augment(images, (3, 1)), moved)
    with pytest.raises(ValueError, match="square images. Received: images of 64x60"):
        augment(images[:, :, :60], (3, 1), masks[:, :, :60])


def test_any_angle_and_shift_keeps_masks_on_their_images():
    masks = np.zeros((40, 33, 33, 1), "float32")
    masks[:, 10:16, 18:28] = 1
    images = 200 * masks
    moved, answers = Augment(rotate=180, translate=3, flip="both")(images, (5, 5), masks)
    assert set(np.unique(answers)) == {0, 1} and (answers != masks).any()
    overlap = ((moved > 100) == (answers > 0.5)).mean(axis=(1, 2, 3))
    assert overlap.min() > 0.98
    shuffled = ((moved > 100) == (np.roll(answers, 1, axis=0) > 0.5)).mean(axis=(1, 2, 3))
    assert shuffled.mean() < 0.95, "the comparison would not notice a mask of another image"


def test_the_pipeline_gives_pairs_of_fixed_shapes(cells):
    pipeline, steps = training_pipeline(cells.x_train, cells.y_train, 8, 0, Augment(quarter_turns=True, rotate=10))
    x, y = next(iter(pipeline))
    assert steps == 20 and x.shape == (8, 64, 64, 1) and y.shape == (8, 64, 64, 1)
    x, y = x.numpy(), y.numpy()
    assert x[y == 1].mean() + 30 < x[y == 0].mean(), "masks and images do not belong together"


def test_masks_of_all_parts_are_judged_together(tmp_path):
    two, three = np.zeros((6, 8, 8), "uint8"), np.zeros((3, 8, 8), "uint8")
    two[:, :4], three[:, :4], three[:, 6:] = 255, 255, 128
    found = data.load(save(tmp_path / "set.npz", y_train=two, y_test=three))
    assert found.num_classes == 3, "gray values are classes, whatever part they are in"
    assert set(np.unique(found.y_train)) == {0, 2} and set(np.unique(found.y_test)) == {0, 1, 2}
    found = data.load(save(tmp_path / "set.npz", y_train=two // 255, y_test=three // 64))
    assert found.num_classes == 4 and found.y_train.dtype == "int32" and found.y_train.max() == 1
    few = found.limited(1)
    assert few.num_classes == 4 and few.y_train.dtype == "int32"
    assert data.load(save(tmp_path / "set.npz", y_train=two // 255, y_test=two[:3])).num_classes == 1
    with pytest.raises(ValueError, match="some are no whole numbers. Number the classes from 0, in all parts alike"):
        data.load(save(tmp_path / "set.npz", y_train=0.5 * (two > 0), y_test=three // 64))
