"""Archives that nobody has divided, as .npz and as HDF5."""

import h5py
import numpy as np
import pytest

from keras_equivariant import data


def save(path, **arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array.astype(object) if array.dtype.kind == "U" else array)
    return path


def images(count=20):
    return np.random.default_rng(0).integers(1, 256, (count, 6, 6, 3)).astype("uint8")


@pytest.fixture(params=["set.npz", "set.h5", "set.hdf5"])
def path(request, tmp_path):
    return tmp_path / request.param


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("images", "ans"), ("X", "label")])
def test_a_fifth_is_drawn_for_testing_each_class_in_its_share(path, names):
    x, y = images(), np.arange(20) % 4
    dataset = data.load(save(path, **dict(zip(names, (x, y), strict=True))))
    assert len(dataset.x_train) == 16 and sorted(dataset.y_test) == [0, 1, 2, 3]
    together = np.concatenate([dataset.x_train, dataset.x_test])
    assert {a.tobytes() for a in together} == {a.tobytes() for a in x}
    for a, label in zip(dataset.x_test, dataset.y_test, strict=True):
        assert y[next(i for i in range(20) if (x[i] == a).all())] == label
    again = data.load(path, seed=1)
    assert not np.array_equal(again.x_test, dataset.x_test)


def test_parts_of_an_archive_are_read_from_hdf5(path):
    x, y = images(), np.array(["cat", "dog"] * 10)
    arrays = {"x_train": x[:12], "y_train": y[:12], "x_test": x[12:], "y_test": y[12:]}
    dataset = data.load(save(path, **arrays))
    np.testing.assert_array_equal(dataset.x_test, x[12:])
    assert dataset.class_names == ("cat", "dog")


def test_split_and_groups_are_kept(path):
    split = np.array(["train"] * 10 + ["val"] * 4 + ["test"] * 6)
    dataset = data.load(save(path, x=images(), y=np.arange(20) % 2, split=split, patient=np.arange(20) // 5))
    assert [len(getattr(dataset, f"x_{part}")) for part in ("train", "val", "test")] == [10, 4, 6]
    assert dataset.groups.tolist() == [0] * 5 + [1] * 5


def test_a_group_is_in_one_part_only(path):
    x, of = images(), np.arange(20) // 4
    dataset = data.load(save(path, x=x, y=np.arange(20) % 2, groups=of))
    where = {a.tobytes(): k for a, k in zip(x, of, strict=True)}
    trained, tested = ({where[a.tobytes()] for a in part} for part in (dataset.x_train, dataset.x_test))
    assert len(tested) == 1 and not trained & tested


def test_a_class_that_is_drawn_whole_is_named(path, caplog):
    """A patient is all there is of a class: whichever is drawn for testing, its class is not trained on."""
    data.load(save(path, x=images(), y=np.arange(20) // 4, patient=np.arange(20) // 4))
    assert "None of the images to train on" in caplog.text


def test_masks_and_numbers_are_what_they_are(path):
    masks = (np.random.default_rng(1).random((20, 6, 6)) > 0.5).astype("uint8")
    assert data.load(save(path, x=images(), masks=masks)).task == "segmentation"
    path.unlink()
    assert data.load(save(path, x=images(), y=np.linspace(0, 1, 20)), target="number").task == "regression"


@pytest.mark.parametrize(("target", "task"), [("number", "regression"), ("angle", "vectors"), ("axis", "vectors")])
def test_whole_numbers_may_be_no_classes(path, target, task):
    ages = np.arange(20) * 10
    with pytest.raises(ValueError, match="of each class.*20 for train, 0 for test.*learned with --target number"):
        data.load(save(path, x=images(), y=ages))
    for y in (ages, ages[:, None]):
        path.unlink()
        found = data.load(save(path, x=images(), y=y), target=target)
        assert found.task == task and len(found.x_test) == 4


def test_volumes_without_channels_that_are_read_as_images_are_named(path, caplog):
    slices = np.random.default_rng(0).integers(0, 256, (20, 6, 8, 8)).astype("uint8")
    assert data.load(save(path, x=slices, y=np.arange(20) % 2)).image_shape == (6, 8, 8)
    assert "read as 6 x 8 pixels with 8 channels. If they are volumes, save x[..., None]" in caplog.text
    caplog.clear()
    path.unlink()
    assert data.load(save(path, x=slices[..., None], y=np.arange(20) % 2)).layout == "volumes" and not caplog.text


def test_what_does_not_belong_together_is_refused(path):
    with pytest.raises(ValueError, match="targets for each image.*20 images, 19 targets"):
        data.load(save(path, x=images(), y=np.arange(19)))
    path.unlink()
    with pytest.raises(ValueError, match="`split` says train, val or test of each of the images.*'later'"):
        data.load(save(path, x=images(), y=np.arange(20) % 2, split=np.array(["train"] * 19 + ["later"])))
    path.unlink()
    with pytest.raises(ValueError, match=r"`split` says.*split.* with split=0\. Write"):
        data.load(save(path, x=images(), y=np.arange(20) % 2, split=np.zeros(20, int)))
    path.unlink()
    with pytest.raises(ValueError, match=r"needs images\..*with x, y, with none in its arrays"):
        data.load(save(path, x=images(0), y=np.arange(0)))
    path.unlink()
    with pytest.raises(ValueError, match="must hold x_train.*or x and y alone.*with pictures"):
        data.load(save(path, pictures=images()))


def test_hdf5_leads_into_no_other_file(tmp_path):
    save(tmp_path / "other.h5", x=images(), y=np.arange(20) % 2)
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["x"] = h5py.ExternalLink("other.h5", "x")
        file["y"] = np.arange(20)
    with pytest.raises(ValueError, match="must hold x_train.*with y"):
        data.load(tmp_path / "set.h5")
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((20, 6, 6, 3), "uint8")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (20, 6, 6, 3))
        file.create_virtual_dataset("x", layout)
        file["y"] = np.arange(20)
    with pytest.raises(ValueError, match="array x lies in another file"):
        data.load(tmp_path / "virtual.h5")


def test_a_damaged_hdf5_file_is_named(tmp_path):
    save(tmp_path / "set.h5", x=images(), y=np.arange(20) % 2)
    whole = (tmp_path / "set.h5").read_bytes()
    (tmp_path / "set.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="must be a complete.*set.h5"):
        data.load(tmp_path / "set.h5")
