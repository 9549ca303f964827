"""Folders and tables that may be read in two ways, or that hold less than they seem to."""

import numpy as np
import pytest

from keras_equivariant import data

Image = pytest.importorskip("PIL.Image")


def some(root, *folders, count=5):
    for k, folder in enumerate(folders):
        (root / folder).mkdir(parents=True)
        for i in range(count):
            pixels = np.full((6, 6), 255 * ((i + k) % 2), "uint8")
            pixels[:3] = 0
            Image.fromarray(pixels).save(root / folder / f"{i}.png")
    return root


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("image", "mask", "other")])
def test_folders_called_as_images_and_masks_may_be_classes(tmp_path, names):
    found = data.load(some(tmp_path, *names), target="class")
    assert found.task == "classification" and found.class_names == names


def test_letters_that_are_taken_for_images_and_masks_are_named(tmp_path, caplog):
    assert data.load(some(tmp_path / "letters", "x", "y")).task == "segmentation"
    assert "x and y of" in caplog.text and "--target class" in caplog.text
    caplog.clear()
    assert data.load(some(tmp_path / "words", "images", "masks")).task == "segmentation"
    assert "--target" not in caplog.text
    with pytest.raises(ValueError, match='`target` of a folder says "class".*target=.angle.*CSV file'):
        data.load(tmp_path / "words", target="angle")


@pytest.mark.parametrize(
    "names",
    [
        ("imagesTr", "labelsTr"),
        ("train_images", "train_masks"),
        ("JPEGImages", "SegmentationClass"),
        ("gray_imgs", "ground_truth"),
    ],
)
def test_folders_called_nearly_as_images_and_masks_are_no_classes(tmp_path, names):
    """They were: a classifier learned to tell masks from images."""
    with pytest.raises(ValueError, match=f"are no classes.*{names[0]}.*Call them images and masks.*--target class"):
        data.load(some(tmp_path / "set", *names))
    assert data.load(tmp_path / "set", target="class").class_names == names
    for name, word in zip(names, ("images", "masks"), strict=True):
        (tmp_path / "set" / name).rename(tmp_path / "set" / word)
    assert data.load(tmp_path / "set").task == "segmentation"
    assert data.load(some(tmp_path / "others", "label_noise", "clean")).task == "classification"


def test_one_class_is_none(tmp_path):
    with pytest.raises(ValueError, match="of two or more.*with the folders a and 0.*with images of another class"):
        data.load(some(tmp_path, "a"))
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match=r"with the folders a, b \(without images\) and 0 images of its own"):
        data.load(tmp_path)


def test_a_table_without_a_header_would_lose_an_image(tmp_path):
    some(tmp_path, "all", count=10)
    rows = "\n".join(f"all/{i}.png,{'ab'[i % 2]}" for i in range(10))
    (tmp_path / "table.csv").write_text(rows)
    with pytest.raises(ValueError, match=r"names the columns.*line 1, with all/0.png.*such as file,label above"):
        data.load(tmp_path / "table.csv")
    (tmp_path / "table.csv").write_text("file,label\n" + rows)
    found = data.load(tmp_path / "table.csv")
    assert len(found.x_train) + len(found.x_test) == 10


RAS, LAS = np.eye(4), np.diag([-1.0, 1, 1, 1])


def volumes(root, folder, affines, mask=False):
    nibabel = pytest.importorskip("nibabel")
    (root / folder).mkdir(parents=True)
    for i, affine in enumerate(affines):
        volume = np.random.default_rng(i).random((5, 5, 5))
        volume = (volume > 0.5).astype("uint8") if mask else volume.astype("float32")
        nibabel.save(nibabel.Nifti1Image(volume, affine), root / folder / f"{i}.nii")


@pytest.mark.parametrize(("own", "message"), [(LAS, "lead to LAS, for .*0.nii, whose axes lead to RAS"), (None, "")])
def test_a_mask_has_the_axes_of_its_image(tmp_path, own, message):
    """The same voxels, but left and right swapped; a file that does not say it is taken as it is."""
    volumes(tmp_path, "images", [RAS] * 5)
    volumes(tmp_path, "masks", [own] * 5, mask=True)
    if not message:
        assert data.load(tmp_path).task == "segmentation"
        return
    with pytest.raises(ValueError, match=message):
        data.load(tmp_path)
    nibabel = pytest.importorskip("nibabel")
    for path in (tmp_path / "masks").iterdir():  # as the message says
        mask = nibabel.as_closest_canonical(nibabel.load(path))
        nibabel.save(nibabel.Nifti1Image(np.array(mask.dataobj), mask.affine), path)
    assert data.load(tmp_path).task == "segmentation"


def test_volumes_whose_axes_lead_to_several_sides_are_named(tmp_path, caplog):
    volumes(tmp_path, "a", [RAS] * 5)
    volumes(tmp_path, "b", [RAS] * 4 + [LAS])
    data.load(tmp_path)
    assert "RAS (9), LAS (1)" in caplog.text


def test_floats_have_no_scale_of_so_many_bits(tmp_path):
    """A network learned pictures of 16 bits: numbers from 0 to 1 would all be black to it."""
    some(tmp_path / "pictures", "a", "b")
    for name in "ab":
        (tmp_path / "arrays" / name).mkdir(parents=True)
        for i in range(5):
            np.save(tmp_path / "arrays" / name / f"{i}.npy", np.random.default_rng(i).random((6, 6)))
    assert data.load(tmp_path / "pictures", bits=16).x_train.max() == 65535
    with pytest.raises(ValueError, match=r"numbers of one kind.*float64 \(10\), where pictures of 16 bits are wanted"):
        data.load(tmp_path / "arrays", bits=16)
    assert data.load(tmp_path / "arrays").x_train.max() <= 1


@pytest.mark.parametrize("ending", ["ply", "off", "xyz"])
def test_clouds_in_files_of_their_own_are_told_the_archive(tmp_path, ending):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / f"0.{ending}").write_text("0 0 0")
    with pytest.raises(ValueError, match=r"one .npz file, `positions` \(clouds, points, 3\) beside labels `y`"):
        data.load(tmp_path)
    points = np.random.default_rng(0).normal(size=(10, 4, 3))
    np.savez(tmp_path / "clouds.npz", positions=points, y=np.arange(10) % 2)
    assert data.load(tmp_path / "clouds.npz").num_classes == 2


def test_a_table_that_says_two_things_of_one_file_is_named(tmp_path, caplog):
    some(tmp_path, "a", "b")
    rows = [f"{folder}/{i}.png,{folder}" for folder in "ab" for i in range(5)]
    for more, told in (["a/0.png,a"], False), (["./a/0.png,b", "a/0.png,a"], True):
        (tmp_path / "set.csv").write_text("\n".join(["file,label", *rows, *more]))
        caplog.clear()
        data.load(tmp_path / "set.csv")
        assert ("1 files of" in caplog.text and "0.png in the lines 2 and 12" in caplog.text) == told
    (tmp_path / "set.csv").write_text(
        "\n".join(["file,label,split", *[f"{row},train" for row in rows], "./a/0.png,b,test"])
    )
    with pytest.raises(ValueError, match="A file is in one part only"):
        data.load(tmp_path / "set.csv")


@pytest.mark.parametrize("ending", ["gif", "webp", "tif"])
def test_files_of_several_pictures_are_named(tmp_path, caplog, ending):
    some(tmp_path, "a", "b")
    data.load(tmp_path)
    assert "several pictures" not in caplog.text
    frames = [Image.fromarray(np.full((6, 6), level, "uint8")) for level in (0, 90, 200)]
    if ending == "tif":  # pages of several sizes are no volume
        frames[1:] = [frame.resize((n, n)) for n, frame in zip((4, 3), frames[1:], strict=True)]
    frames[0].save(tmp_path / "a" / f"6.{ending}", save_all=True, append_images=frames[1:])
    data.load(tmp_path)
    assert "1 files of" in caplog.text and f"6.{ending} with " in caplog.text and "the first alone" in caplog.text


def test_columns_that_number_rows_or_name_patients_are_not_learned(tmp_path):
    """They were further targets of a regression, and a patient was trained on and tested."""
    some(tmp_path, "images", count=20)
    rows = [f"{i},{i // 4},images/{i}.png,{i % 2},{0.5 * i}" for i in range(20)]
    (tmp_path / "set.csv").write_text("\n".join(["id,patient,file,label,age", *rows]))
    dataset = data.load(tmp_path / "set.csv")
    assert dataset.target_names == ("label", "age") and len(set(dataset.groups)) == 4
    assert len({*(dataset.y_train[:, 1] // 2).astype(int)} & {*(dataset.y_test[:, 1] // 2).astype(int)}) == 0
    rows = [f"{i},{i // 4},images/{i}.png,{i % 2}" for i in range(20)]
    (tmp_path / "set.csv").write_text("\n".join(["index,patient,file,label", *rows]))
    assert data.load(tmp_path / "set.csv").num_classes == 2
    (tmp_path / "set.csv").write_text("\n".join(["id,file", *(f"{i},images/{i}.png" for i in range(20))]))
    assert data.load(tmp_path / "set.csv").target_names == ("id",)
    (tmp_path / "set.csv").write_text("\n".join(["patient,file", *(f"p{i // 4},images/{i}.png" for i in range(20))]))
    assert data.load(tmp_path / "set.csv").num_classes == 5
