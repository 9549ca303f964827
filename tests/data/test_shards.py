"""A training set in several files: rows are read where they lie, and training goes as from one file."""

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant.data import Preprocess, Shards
from keras_equivariant.data.pipeline import reading_pipeline, training_pipeline

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (50, 9, 9, 1)).astype("uint8")
LABELS = np.arange(50) % 3
TEST = {"x_test": IMAGES[:6], "y_test": LABELS[:6]}


def save(folder, cuts=(0, 7, 31, 50), **changes):
    """Three files, the second in Fortran's order, and one of test images."""
    for number, (start, stop) in enumerate(zip(cuts, cuts[1:], strict=False)):
        images = np.asfortranarray(IMAGES[start:stop]) if number == 1 else IMAGES[start:stop]
        np.savez(folder / f"part{number}.npz", x_train=images, y_train=LABELS[start:stop])
    np.savez(folder / "test.npz", **{**TEST, **changes})
    return str(folder / "*.npz")


def test_rows_and_slices(tmp_path):
    dataset = ke.data.load(save(tmp_path))
    shards = dataset.x_train
    assert isinstance(shards, Shards) and shards.shape == (50, 9, 9, 1) and shards.dtype == np.uint8
    assert dataset.num_classes == 3 and dataset.task == "classification" and dataset.image_shape == (9, 9, 1)
    np.testing.assert_array_equal(shards, IMAGES)
    np.testing.assert_array_equal(dataset.y_train, LABELS)
    rows = RNG.permutation(50)[:20]
    np.testing.assert_array_equal(shards[rows], IMAGES[rows])
    view = shards[5:40][3:-2]
    assert isinstance(view, Shards) and len(view) == 30
    np.testing.assert_array_equal(view, IMAGES[8:38])
    np.testing.assert_array_equal(view[np.array([29, 0])], IMAGES[[37, 8]])
    assert len(shards[60:]) == 0
    with pytest.raises(ValueError, match="steps of 1"):
        shards[::2]


def test_parts_of_the_set(tmp_path):
    dataset = ke.data.load(save(tmp_path))
    held_out = dataset.with_validation(10)
    assert isinstance(held_out.x_train, Shards) and isinstance(held_out.x_val, np.ndarray)
    alone = ke.data.Dataset("one", "", IMAGES, LABELS, **TEST).with_validation(10)
    np.testing.assert_array_equal(held_out.x_val, alone.x_val)
    np.testing.assert_array_equal(held_out.x_train, alone.x_train)
    limited = dataset.limited(8)
    assert limited.x_train.shape == (8, 9, 9, 1)
    one = ke.data.Dataset("one", "", IMAGES, LABELS, **TEST).limited(8)
    np.testing.assert_array_equal(limited.x_train, one.x_train)


def test_the_pipeline_is_that_of_one_file_and_reads_no_more_than_a_batch(tmp_path, monkeypatch):
    shards = ke.data.load(save(tmp_path)).x_train
    counts, read = [], Shards.__getitem__
    monkeypatch.setattr(Shards, "__getitem__", lambda self, rows: counts.append(len(rows)) or read(self, rows))
    augment = ke.data.Augment(rotate=180, translate=1)
    ours, theirs = (training_pipeline(images, LABELS, 8, 3, augment) for images in (shards, IMAGES))
    assert ours[1] == theirs[1] == 6
    for (x, y), (other_x, other_y) in zip(ours[0].take(13), theirs[0].take(13), strict=True):
        np.testing.assert_array_equal(x, other_x)
        np.testing.assert_array_equal(y, other_y)
    whole = np.concatenate([batch.numpy() for batch in reading_pipeline(shards, 16)])
    np.testing.assert_array_equal(whole, IMAGES.astype("float32"))
    assert max(counts) == 16


def test_grey_images_without_an_axis_of_channels(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=IMAGES[..., 0], y_train=LABELS, x_test=IMAGES[:6, ..., 0], y_test=LABELS[:6])
    np.testing.assert_array_equal(ke.data.load(tmp_path / "*.npz").x_train, IMAGES)


def test_files_that_do_not_go_together(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such data files. Received: .*none.*npz"):
        ke.data.load(tmp_path / "none*.npz")
    pattern = save(tmp_path)
    np.savez_compressed(tmp_path / "part3.npz", x_train=IMAGES, y_train=LABELS)
    with pytest.raises(ValueError, match=r"part3.npz with x_train \(it is compressed\)"):
        ke.data.load(pattern)
    np.savez(tmp_path / "part3.npz", x_train=IMAGES.astype("float32"), y_train=LABELS)
    with pytest.raises(ValueError, match="of one shape and dtype.*float32.*uint8"):
        ke.data.load(pattern)
    np.savez(tmp_path / "part3.npz", x_train=IMAGES.astype("int64"), y_train=LABELS)
    with pytest.raises(ValueError, match="dtype int64. Save it as uint8"):
        ke.data.load(pattern)
    np.savez(tmp_path / "part3.npz", x_train=IMAGES)
    with pytest.raises(ValueError, match="the labels of its images. Received: .*part3.npz with x_train"):
        ke.data.load(pattern)
    np.savez(tmp_path / "part3.npz", x_train=np.array([None]), y_train=LABELS)
    with pytest.raises(ValueError, match="holds Python objects"):
        ke.data.load(pattern)
    (tmp_path / "part3.npz").write_bytes((tmp_path / "part0.npz").read_bytes()[:200])
    with pytest.raises(ValueError, match="complete .npz file.*part3.npz"):
        ke.data.load(pattern)
    (tmp_path / "part3.npz").unlink()
    save(tmp_path, y_test=np.zeros((6, 9, 9)))
    with pytest.raises(ValueError, match="hold labels, no masks"):
        ke.data.load(pattern)


def test_images_on_disk_are_not_preprocessed(tmp_path):
    shards = ke.data.load(save(tmp_path)).x_train
    with pytest.raises(ValueError, match="preprocess=.'contrast'. for a data set of several files"):
        Preprocess(("contrast",)).fit(shards)
    assert isinstance(Preprocess(()).fit(shards), Shards)
    assert isinstance(Preprocess(())(shards[:4]), Shards)
    assert isinstance(Preprocess(("contrast",))(shards[:4]), np.ndarray)
