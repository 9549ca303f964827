"""Archives: what is read, and one clear error for every kind of damage."""

import numpy as np
import pytest

import keras_equivariant as ke
from keras_equivariant import data


def arrays(**changes):
    rng = np.random.default_rng(0)
    good = {
        "x_train": rng.integers(0, 256, (12, 6, 6)).astype("uint8"),
        "y_train": np.arange(12) % 3,
        "x_test": rng.integers(0, 256, (5, 6, 6)).astype("uint8"),
        "y_test": np.arange(5) % 3,
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def save(tmp_path, **changes):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays(**changes))
    return str(path)


def test_reads_images_with_a_channel_axis_and_integer_labels(tmp_path):
    rng = np.random.default_rng(1)
    validation = {"x_val": rng.random((4, 6, 6)), "y_val": np.array([[0], [1], [2], [1]])}
    dataset = data.load(save(tmp_path, **validation))
    assert dataset.x_train.shape == (12, 6, 6, 1) and dataset.x_train.dtype == np.uint8
    assert dataset.x_val.dtype == np.float32 and dataset.y_val.tolist() == [0, 1, 2, 1]
    assert dataset.y_train.dtype == np.int32 and dataset.num_classes == 3
    np.testing.assert_array_equal(dataset.x_train[..., 0], arrays()["x_train"])


def test_unused_arrays_are_not_read(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays(), notes=np.array([{"an": "object"}], dtype=object))
    assert len(data.load(str(path)).x_train) == 12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "must hold x_train, y_train, x_test, y_test.*Received.*x_train, y_train, y_test"),
        ({"x_val": np.zeros((2, 6, 6))}, "x_val with y_val"),
        ({"x_train": np.zeros((12, 36))}, r"x_train of shape \(12, 36\)"),
        ({"x_train": np.zeros((0, 6, 6)), "y_train": np.zeros(0, int)}, r"non-empty.*\(0, 6, 6, 1\)"),
        ({"x_test": np.zeros((5, 7, 6), "uint8")}, "one shape.*'test': \\(7, 6, 1\\)"),
        ({"x_train": np.full((12, 6, 6), np.nan)}, "finite.*432 NaN"),
        ({"x_train": np.full((12, 6, 6), "a")}, "must be numbers"),
        ({"y_train": np.arange(11)}, r"one label for each.*12 images.*\(11,\)"),
        ({"y_train": np.ones((12, 3), int)}, "texts or one-hot rows"),
        ({"y_train": np.linspace(0, 1, 12), "target": "class"}, "class numbers"),
        ({"y_test": np.array([0, 1, -1, 0, 1])}, "class numbers"),
        ({"x_train": np.array([{}] * 12, dtype=object)}, "plain arrays"),
    ],
)
def test_wrong_content_is_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        data.load(save(tmp_path, **{k: v for k, v in changes.items() if k != "target"}), target=changes.get("target"))


@pytest.mark.parametrize("keep", [0, 10, 300, -40])
def test_a_truncated_file_is_one_clear_error(tmp_path, keep):
    path = save(tmp_path)
    content = open(path, "rb").read()
    open(path, "wb").write(content[:keep])
    with pytest.raises(ValueError, match=r"complete \.npz file.*Received.*set\.npz.*make or fetch it again"):
        data.load(path)


def test_a_flipped_byte_is_found_by_the_checksum(tmp_path):
    path = save(tmp_path)
    content = bytearray(open(path, "rb").read())
    content[300] ^= 255
    open(path, "wb").write(bytes(content))
    with pytest.raises(ValueError, match="make or fetch it again"):
        data.load(path)


@pytest.mark.parametrize("content", [b"hello", b"\x93NUMPY", b"PK\x03\x04rubbish"])
def test_another_kind_of_file(tmp_path, content):
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="of another kind"):
        data.load(str(path))


def test_a_single_array_is_no_data_set(tmp_path):
    path = tmp_path / "single.npz"
    with open(path, "wb") as file:
        np.save(file, np.zeros((3, 6, 6)))
    with pytest.raises(ValueError, match="single array"):
        data.load(str(path))


def test_a_missing_file_and_an_unknown_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such data file. Received"):
        data.load(str(tmp_path / "none.npz"))
    with pytest.raises(ValueError, match='Unknown data set. Received: "rotated_mnits". Did you mean "rotated_mnist"?'):
        data.load("rotated_mnits")
    with pytest.raises(ValueError, match="Use one of digits"):
        data.load("zzz")


def test_cuts_of_a_sorted_file_keep_its_classes(tmp_path):
    labels = np.repeat(np.arange(4), 25)
    images = np.broadcast_to(labels[:, None, None], (100, 6, 6)).astype("uint8")
    full = data.load(save(tmp_path, x_train=images, y_train=labels))
    part = full.limited(20)
    assert len(part.x_train) == 20 and len(part.x_test) == 5 and set(part.y_train) == set(range(4))
    np.testing.assert_array_equal(part.x_train[:, 0, 0, 0], part.y_train)
    assert part.num_classes == 4
    held = full.with_validation(10)
    assert len(held.x_train) == 90 and sorted(np.bincount(held.y_val)) == [2, 2, 3, 3]
    assert np.array_equal(held.x_val[:, 0, 0, 0], held.y_val)
    again, other = full.with_validation(0.1), full.with_validation(0.1, seed=1)
    np.testing.assert_array_equal(again.y_val, held.y_val)
    assert len(other.y_val) == 10
    x, y = full.sample("train", 8, seed=3)
    assert np.bincount(y).tolist() == [2, 2, 2, 2] and np.array_equal(x[:, 0, 0, 0], y)
    with pytest.raises(ValueError, match="validation=1.5 of 100"):
        full.with_validation(1.5)
    with pytest.raises(ValueError, match="validation=100 of 100"):
        full.with_validation(100)
    with pytest.raises(ValueError, match="limit=0"):
        full.limited(0)


@pytest.mark.parametrize("shape", [(6, 3, 12, 12), (6, 1, 10, 12), (6, 1, 9, 9, 9)])
def test_channels_before_space_are_named_and_the_remedy_works(tmp_path, shape):
    """As PyTorch has them; read as they are, they would be images of one or three rows."""
    images = np.random.default_rng(0).random(shape, "float32")
    changes = {"x_train": images, "y_train": np.arange(6) % 2, "x_test": images, "y_test": np.arange(6) % 2}
    with pytest.raises(ValueError, match=r"Channels are the last axis\. Received: .*moveaxis"):
        data.load(save(tmp_path, **changes))
    changes |= {key: np.moveaxis(images, 1, -1) for key in ("x_train", "x_test")}
    assert data.load(save(tmp_path, **changes)).x_train.shape[-1] == shape[1]


def test_a_few_slices_of_many_bands_are_a_volume(tmp_path):
    images = np.random.default_rng(0).random((6, 4, 48, 48, 10), "float32")
    assert data.load(
        save(tmp_path, x_train=images, y_train=np.arange(6), x_test=images, y_test=np.arange(6))
    ).layout == ("volumes")


def test_parts_of_several_scales_are_named(tmp_path, caplog):
    data.load(save(tmp_path, x_test=arrays()["x_test"].astype("float32")))  # floats, but of the same scale
    assert not caplog.records
    data.load(save(tmp_path, x_test=arrays()["x_test"].astype("float32") / 255))
    assert "several scales" in caplog.text and "x_test float32 up to 0.99" in caplog.text


@pytest.mark.parametrize("given", [([[0.0]], [1]), [1, 2], {"x": 1}, np.zeros(3), 5])
def test_arrays_are_told_how_they_become_data(given):
    with pytest.raises(TypeError, match=r"a name, a path, or a `Dataset`.*Received: \w+. Make one: ke.data.Dataset"):
        data.load(given)
    with pytest.raises(TypeError, match="a name, a path, or a `Dataset`"):
        ke.train("z2_cnn", given)


def test_an_empty_name_is_not_the_folder_at_hand():
    with pytest.raises(ValueError, match='Unknown data set. Received: ""'):
        data.load("")
