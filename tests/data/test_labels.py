"""Several labels an image, from archives and tables, and channels that come before the axes of space."""

import numpy as np
import pytest
from PIL import Image

import keras_equivariant as ke

RNG = np.random.default_rng(0)
NAMES = ("cell", "edge", "scratch")
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1]] * 5)


def archive(path, **arrays):
    count = len(next(iter(arrays.values())))
    np.savez(path, x=RNG.integers(0, 255, (count, 8, 8, 1)).astype("uint8"), **arrays)
    return path


def table(folder, header, rows):
    for i in range(len(rows)):
        Image.fromarray(RNG.integers(0, 255, (8, 8)).astype("uint8")).save(folder / f"{i}.png")
    lines = [",".join(map(str, (f"{i}.png", *row))) for i, row in enumerate(rows)]
    (folder / "table.csv").write_text("\n".join([",".join(["file", *header]), *lines]))
    return folder / "table.csv"


@pytest.mark.parametrize("kind", ["int64", "bool", "float32", "uint8"])
def test_rows_of_zeros_and_ones_are_labels_whatever_their_kind(tmp_path, kind):
    found = ke.data.load(archive(tmp_path / "a.npz", y=LABELS.astype(kind)))
    assert found.task == "multilabel" and found.y_train.dtype == "float32" and found.y_train.shape[1] == 3
    assert sorted(map(tuple, np.concatenate([found.y_train, found.y_test]))) == sorted(map(tuple, LABELS))
    assert ke.data.load(tmp_path / "a.npz", target="number").task == "regression"
    with pytest.raises(ValueError, match="rows of several labels, 0 and 1, are for task multilabel"):
        ke.data.load(tmp_path / "a.npz", target="class")


def test_one_hot_rows_are_classes_where_all_parts_are(tmp_path):
    one_hot = np.eye(3)[np.arange(20) % 3]
    assert ke.data.load(archive(tmp_path / "a.npz", y=one_hot)).task == "classification"
    x = RNG.random((20, 8, 8, 1)).astype("float32")
    np.savez(tmp_path / "b.npz", x_train=x, y_train=one_hot, x_test=x, y_test=LABELS, class_names=NAMES)
    found = ke.data.load(tmp_path / "b.npz")
    assert found.task == "multilabel" and found.target_names == NAMES
    np.savez(tmp_path / "c.npz", x_train=x, y_train=one_hot, x_test=x, y_test=one_hot)
    assert ke.data.load(tmp_path / "c.npz", target="labels").task == "multilabel"


def test_columns_of_zeros_and_ones(tmp_path):
    found = ke.data.load(table(tmp_path, NAMES, LABELS))
    assert found.task == "multilabel" and found.target_names == NAMES and len(found.x_train) == 16
    assert ke.data.load(tmp_path / "table.csv", target="number").task == "regression"
    one = ke.data.load(table(tmp_path, NAMES, np.eye(3, dtype=int)[np.arange(20) % 3]))
    assert one.task == "classification" and one.class_names == NAMES
    assert ke.data.load(tmp_path / "table.csv", target="labels").task == "multilabel"
    with pytest.raises(ValueError, match="Several labels an image are two columns or more of 0 and 1"):
        ke.data.load(table(tmp_path, ["weight", "length"], RNG.random((20, 2))), target="labels")


@pytest.mark.parametrize(("separator", "target"), [("|", None), ("|", "labels"), (";", "labels"), (" | ", None)])
def test_lists_of_labels(tmp_path, separator, target, caplog):
    caplog.set_level("INFO")
    lists = [separator.join(name for name, there in zip(NAMES, row, strict=True) if there) or "none" for row in LABELS]
    found = ke.data.load(table(tmp_path, ["findings"], [[cell] for cell in lists]), target=target)
    assert found.task == "multilabel" and found.target_names == (*NAMES[:2], "none", NAMES[2])
    every = np.concatenate([found.y_train, found.y_test])
    assert every.sum(axis=0).tolist() == [10, 10, 5, 5]
    assert "read as lists of labels; --target class takes each text as a class" in caplog.text
    assert ke.data.load(tmp_path / "table.csv", target="class").task == "classification"  # as the line says


def test_texts_that_are_no_lists_stay_classes(tmp_path):
    assert ke.data.load(table(tmp_path, ["kind"], [["a"], ["b"]] * 10)).task == "classification"


def test_a_data_set_is_shown_in_one_line(tmp_path):
    shown = repr(ke.data.load(archive(tmp_path / "a.npz", y=LABELS)))
    assert "multilabel of images (8, 8, 1): 16 for train, 4 for test" in shown and len(shown) < 300


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_channels_before_the_axes_of_space_are_named(tmp_path, channels):
    np.savez(tmp_path / "a.npz", x=RNG.random((20, channels, 16, 20)), y=np.arange(20) % 2)
    with pytest.raises(ValueError, match=rf"Channels are the last axis.*looks like {channels} channels"):
        ke.data.load(tmp_path / "a.npz")
    for kind in "ab":
        (tmp_path / "set" / kind).mkdir(parents=True)
        for i in range(5):
            np.save(tmp_path / "set" / kind / f"{i}.npy", RNG.random((channels, 16, 20)))
    with pytest.raises(ValueError, match=r"Channels are the last axis.*Save numpy.moveaxis\(x, 0, -1\)"):
        ke.data.load(tmp_path / "set")
    for path in (tmp_path / "set").glob("*/*.npy"):  # as the message says
        np.save(path, np.moveaxis(np.load(path), 0, -1))
    assert ke.data.load(tmp_path / "set").image_shape == (16, 20, channels)


def test_bands_before_the_axes_of_space_are_warned_of(tmp_path, caplog):
    np.savez(tmp_path / "a.npz", x=RNG.random((20, 13, 16, 16)), y=np.arange(20) % 2)
    ke.data.load(tmp_path / "a.npz")
    assert "if their channels are the first axis, numpy.moveaxis(x, 1, -1)" in caplog.text


@pytest.mark.tensorflow
def test_clouds_with_several_labels_are_learned(tmp_path):
    labels = RNG.integers(0, 2, (24, 2))
    positions = RNG.normal(size=(24, 5, 3)) * np.where(labels[:, :1], 1.0, 0.3)[..., None]
    np.savez(tmp_path / "clouds.npz", positions=positions, y=labels)
    found = ke.data.load(tmp_path / "clouds.npz")
    assert found.task == "multilabel" and found.layout == "points" and found.y_train.shape[1] == 2
    run = ke.train(
        "tfn_molecules",
        found,
        tmp_path / "run",
        params={"reduction": "mean", "scalars": 4, "vectors": 1},
        epochs=1,
        batch_size=8,
        angle_step=120,
        export_formats=(),
        verbose=0,
    )
    angles = run.summary["auc_percent_by_angle"]
    assert max(angles.values()) - min(angles.values()) < 0.1 and run.summary["certificate"]["verdict"] == "exact"
    assert "Balance of the labels" in (run.run_dir / "report.html").read_text()
